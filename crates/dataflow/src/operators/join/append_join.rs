//! Pairs of rows that only come: an inner join of two append inputs.
//!
//! Each row meets what has come on the other side before it, and is put out with it at once: every pair is made when the
//! later of its rows comes. Nothing is counted, and nothing is looked for but by key.

use tidemill_core::{Delta, Result, Watermark};

use super::keys::JoinKeys;
use super::matcher::{CHUNK, Matcher, Pairs};
use super::side::{NONE, Side};
use super::time::{Buckets, TimeRule};
use crate::{Cx, Operator, StateSize};

/// See the module.
pub struct AppendJoin {
    keys: JoinKeys,
    sides: [Side; 2],
    matcher: Matcher,
    time: Option<(TimeRule, [Buckets; 2])>,
    pairs: Pairs,
    numbers: Vec<usize>,
    slots: Vec<u32>,
    /// How many rows were added and how many candidates looked at: what the tests bound the work by.
    pub(super) work: usize,
}

impl AppendJoin {
    /// With `time`, rows go when they are over.
    pub fn new(keys: JoinKeys, sides: [Side; 2], matcher: Matcher, time: Option<TimeRule>) -> Self {
        let time = time.map(|rule| {
            let buckets = [Buckets::new(rule.stride()), Buckets::new(rule.stride())];
            (rule, buckets)
        });
        Self { keys, sides, matcher, time, pairs: Pairs::default(), numbers: vec![], slots: vec![], work: 0 }
    }

    /// Puts out the pairs at hand.
    fn flush(&mut self, cx: &mut Cx) -> Result<()> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        self.work += self.pairs.len();
        self.matcher.meet(&mut self.sides, &mut self.pairs)?;
        if !self.pairs.is_empty() {
            cx.emit(self.matcher.rows(&mut self.sides, &self.pairs, None)?);
        }
        self.pairs.clear();
        Ok(())
    }

    /// Forgets keys that no row has any more.
    fn forget_keys(&mut self) -> Result<()> {
        if self.time.is_none() || !self.keys.many() {
            return Ok(());
        }
        let used = |key: &usize| self.sides.iter().any(|s| s.first(*key) != NONE);
        let live: Vec<usize> = (0..self.keys.count()).filter(used).collect();
        self.keys.keep(&live)?;
        self.sides.iter_mut().for_each(|s| s.renumber_keys(&live));
        Ok(())
    }
}

impl Operator for AppendJoin {
    fn push(&mut self, port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let delta = match &self.time {
            Some((rule, _)) => rule.on_time(port, delta, cx)?,
            None => delta,
        };
        let rows = match self.keys.matchable(port, &delta.batch) {
            Some(keep) => delta.filter(&keep)?.batch,
            None => delta.batch,
        };
        if rows.num_rows() == 0 {
            return Ok(());
        }
        self.work += rows.num_rows();
        self.keys.numbers(port, &rows, &mut self.numbers)?;
        let mut slots = std::mem::take(&mut self.slots);
        if let Some((rule, buckets)) = &mut self.time {
            let deadlines = rule.deadlines(port, &rows)?;
            self.sides[port].add(rows, &self.numbers, self.keys.count(), &mut slots)?;
            buckets[port].add(&deadlines, &slots);
        } else {
            self.sides[port].add(rows, &self.numbers, self.keys.count(), &mut slots)?;
        }
        for (row, own) in slots.iter().enumerate() {
            let mut other = self.sides[1 - port].first(self.numbers[row]);
            while other != NONE {
                self.pairs.push(port, *own, other);
                if self.pairs.len() == CHUNK {
                    self.flush(cx)?;
                }
                other = self.sides[1 - port].next(other);
            }
        }
        self.slots = slots;
        self.flush(cx)
    }

    fn advance(&mut self, watermark: Watermark, _cx: &mut Cx) -> Result<Watermark> {
        if watermark == Watermark::MAX {
            self.sides.iter_mut().for_each(Side::clear);
            self.time.iter_mut().flat_map(|(_, buckets)| buckets).for_each(Buckets::clear);
            return Ok(watermark);
        }
        let Some((rule, buckets)) = &mut self.time else { return Ok(watermark) };
        let forwarded = rule.forwarded(watermark);
        for (side, buckets) in self.sides.iter_mut().zip(buckets) {
            buckets.take_over(watermark).for_each(|slot| side.remove(slot));
            side.compact()?;
        }
        self.forget_keys()?;
        Ok(forwarded)
    }

    fn state(&self) -> StateSize {
        let oldest = self.time.as_ref().and_then(|(_, b)| b.iter().filter_map(Buckets::earliest).min());
        StateSize {
            rows: self.sides.iter().map(Side::live).sum(),
            bytes: self.sides.iter().map(Side::bytes).sum::<usize>() + self.keys.bytes(),
            oldest,
        }
    }
}
