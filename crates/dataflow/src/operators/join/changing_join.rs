//! Joins in which something may have to be taken back, or has to be waited for: all but the inner join of append inputs.
//!
//! An epoch's rows are taken in when all of them are there. Then every pair of which at least one row is new, or is there more
//! or less often, is looked at once, with the weights of both rows before the epoch and after it: so what is put out is net.
//! Rows of one side ([`Lone`]) are decided on by their partners before and after. Where that waits until no partner can come
//! any more, rows are put out as they are let go of.
//!
//! Work is proportional to the rows of the epoch and to the pairs and lone rows that they touch.

mod letting_go;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow::compute::{not, take_arrays};
use arrow::datatypes::SchemaRef;
use std::sync::Arc;
use tidemill_core::{Delta, Micros, Result, Watermark};

use super::key_totals::KeyTotals;
use super::keys::JoinKeys;
use super::lone::{Lone, LoneRows};
use super::matcher::{CHUNK, Matcher, Pairs};
use super::not_in::NotIn;
use super::rows_by_content::net;
use super::shape::Shape;
use super::side::{NONE, Side};
use super::side_changes::SideChanges;
use super::time::TimeRule;
use crate::operators::keyed_states::Deadlines;
use crate::{Cx, Operator, StateSize};

/// See the module.
pub struct ChangingJoin {
    shape: Shape,
    keys: JoinKeys,
    sides: [Side; 2],
    changes: [SideChanges; 2],
    totals: [KeyTotals; 2],
    not_in: NotIn,
    matcher: Matcher,
    schemas: [SchemaRef; 2],
    incoming: [Vec<Delta>; 2],
    pairs: Pairs,
    time: Option<Expiring>,
    numbers: Vec<usize>,
    /// How many rows were taken in and how many pairs and lone rows looked at: what the tests bound the work by.
    pub(super) work: usize,
}

/// When the rows of each side are over.
struct Expiring {
    rule: TimeRule,
    deadlines: [Deadlines; 2],
    /// By slot. Slots are used again, and what [`Deadlines`] knows of one may be of a row that is gone.
    at: [Vec<Micros>; 2],
}

impl ChangingJoin {
    /// Of sides with the columns of `schemas`.
    pub fn new(
        shape: Shape,
        keys: JoinKeys,
        matcher: Matcher,
        schemas: [SchemaRef; 2],
        time: Option<TimeRule>,
    ) -> Self {
        let time = time.map(|rule| Expiring {
            deadlines: [Deadlines::new(rule.stride()), Deadlines::new(rule.stride())],
            at: [vec![], vec![]],
            rule,
        });
        Self {
            sides: [0, 1].map(|s: usize| Side::new(Arc::clone(&schemas[s]), true)),
            changes: [0, 1].map(|s| SideChanges::new(shape.retracts[s], shape.counts(s))),
            totals: Default::default(),
            not_in: NotIn::default(),
            incoming: [vec![], vec![]],
            pairs: Pairs::default(),
            numbers: vec![],
            work: 0,
            shape,
            keys,
            matcher,
            schemas,
            time,
        }
    }

    /// Takes in the rows of the epoch and puts out what follows from them.
    fn absorb(&mut self, cx: &mut Cx) -> Result<()> {
        if self.incoming.iter().all(Vec::is_empty) {
            return Ok(());
        }
        self.take_in(0, cx)?;
        self.take_in(1, cx)?;
        if self.shape.pairs || self.shape.counts(0) || self.shape.counts(1) {
            self.look_at_pairs(cx)?;
        }
        for side in [0, 1] {
            match self.shape.lone[side] {
                Some(Lone::Semi) => self.show_changes(side, Lone::Semi, cx)?,
                Some(lone) if !self.shape.waits => self.show_changes(side, lone, cx)?,
                _ => {}
            }
        }
        self.finish()
    }

    fn take_in(&mut self, side: usize, cx: &mut Cx) -> Result<()> {
        if self.incoming[side].is_empty() {
            return Ok(());
        }
        let mut delta = Delta::concat(&self.schemas[side], &self.incoming[side])?;
        self.incoming[side].clear();
        self.work += delta.num_rows();
        let matchable = if self.shape.null_aware { None } else { self.keys.matchable(side, &delta.batch) };
        if let Some(keep) = matchable {
            self.show_unmatchable(side, delta.filter(&not(&keep)?)?, cx)?;
            delta = delta.filter(&keep)?;
        }
        if delta.is_empty() {
            return Ok(());
        }
        self.keys.numbers(side, &delta.batch, &mut self.numbers)?;
        if self.shape.null_aware {
            self.not_in.take_in(side, &self.keys, &delta, &self.numbers);
        }
        if self.shape.by_key {
            for (row, key) in self.numbers.iter().enumerate() {
                self.totals[side].add(*key, delta.weights.as_ref().map_or(1, |w| w.value(row)));
            }
        }
        if !self.shape.keeps(side) {
            return Ok(());
        }
        let deadlines = self.time.as_ref().map(|t| t.rule.deadlines(side, &delta.batch)).transpose()?;
        let (own, changes) = (&mut self.sides[side], &mut self.changes[side]);
        let added = changes.take_in(own, delta.batch, delta.weights.as_ref(), &self.numbers, self.keys.count())?;
        if let (Some(time), Some(deadlines)) = (&mut self.time, deadlines) {
            time.at[side].resize(own.slots().max(time.at[side].len()), Micros::MAX);
            for (i, slot) in added.slots.iter().enumerate() {
                let at = deadlines[added.places.as_ref().map_or(i, |p| p[i] as usize)];
                time.at[side][*slot as usize] = at;
                time.deadlines[side].push(at, *slot);
            }
        }
        Ok(())
    }

    /// Rows with a NULL in their key have no partner, whatever comes.
    fn show_unmatchable(&mut self, side: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let Some(lone) = self.shape.lone[side].filter(|l| *l != Lone::Semi) else { return Ok(()) };
        let (columns, weights, rows) = match &delta.weights {
            None => (delta.batch.columns().to_vec(), None, delta.num_rows()),
            Some(weights) => {
                let net = net(&delta.batch, Some(weights))?;
                let rows = net.rows.len();
                (take_arrays(delta.batch.columns(), &UInt32Array::from(net.rows), None)?, Some(net.weights), rows)
            }
        };
        let weights = weights.or_else(|| (!self.shape.append).then(|| vec![1; rows]));
        self.show(side, lone, columns, rows, weights, &vec![false; rows], cx)
    }

    /// Every pair of which a row came with this epoch, once.
    fn look_at_pairs(&mut self, cx: &mut Cx) -> Result<()> {
        for side in [0, 1] {
            for i in 0..self.changes[side].came().len() {
                let own = self.changes[side].came()[i].slot;
                let mut other = self.sides[1 - side].first(self.sides[side].key(own));
                while other != NONE {
                    // Pairs of two rows that came have been looked at from the left.
                    if side == 0 || !self.changes[0].has_come(other) {
                        self.pairs.push(side, own, other);
                        if self.pairs.len() == CHUNK {
                            self.flush(cx)?;
                        }
                    }
                    other = self.sides[1 - side].next(other);
                }
            }
        }
        self.flush(cx)
    }

    /// Counts the pairs at hand, and puts them out.
    fn flush(&mut self, cx: &mut Cx) -> Result<()> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        self.work += self.pairs.len();
        self.matcher.meet(&mut self.sides, &mut self.pairs)?;
        let [left, right] = &mut self.changes;
        if self.shape.counts(0) || self.shape.counts(1) {
            for (l, r) in self.pairs.slots[0].iter().zip(&self.pairs.slots[1]) {
                left.partner(*l, right.weight_before(*r), right.weight(*r));
                right.partner(*r, left.weight_before(*l), left.weight(*l));
            }
        }
        if self.shape.pairs && !self.pairs.is_empty() {
            let mut weights = None;
            if !self.shape.append {
                let change = |(l, r): (&u32, &u32)| {
                    left.weight(*l) * right.weight(*r) - left.weight_before(*l) * right.weight_before(*r)
                };
                let mut all: Vec<i64> = self.pairs.slots[0].iter().zip(&self.pairs.slots[1]).map(change).collect();
                if all.contains(&0) {
                    self.pairs.retain(&BooleanArray::from_iter(all.iter().map(|w| Some(*w != 0))))?;
                    all.retain(|w| *w != 0);
                }
                weights = Some(Int64Array::from(all));
            }
            if !self.pairs.is_empty() {
                cx.emit(self.matcher.rows(&mut self.sides, &self.pairs, weights)?);
            }
        }
        self.pairs.clear();
        Ok(())
    }

    /// Puts out what changes of the lone rows of a side.
    fn show_changes(&mut self, side: usize, lone: Lone, cx: &mut Cx) -> Result<()> {
        if self.shape.by_key {
            for key in self.totals[1 - side].flipped() {
                let mut slot = self.sides[side].first(key);
                while slot != NONE {
                    self.changes[side].look_at(slot);
                    slot = self.sides[side].next(slot);
                }
            }
        }
        if self.shape.null_aware && self.not_in.flipped() {
            self.sides[side].all().for_each(|slot| self.changes[side].look_at(slot));
        }
        let mut rows = LoneRows::default();
        for change in self.changes[side].changed() {
            let slot = change.slot;
            let key = self.sides[side].key(slot);
            let (mut before, mut now) = match self.shape.by_key {
                true => (self.totals[1 - side].before(key) > 0, self.totals[1 - side].now(key) > 0),
                false => (change.partners > 0, self.changes[side].partners(slot) > 0),
            };
            if self.shape.null_aware {
                before |= self.not_in.excluded_before(key);
                now |= self.not_in.excluded(key);
            }
            let shown = lone.shown(change.weight, before);
            rows.change(slot, shown, lone.shown(self.changes[side].weight(slot), now));
        }
        self.work += self.changes[side].changed().len();
        self.show_slots(side, lone, &rows, cx)
    }

    /// Puts out rows that wait no longer.
    fn show_over(&mut self, side: usize, slots: &[u32], cx: &mut Cx) -> Result<()> {
        let Some(lone) = self.shape.lone[side].filter(|l| self.shape.waits && *l != Lone::Semi) else { return Ok(()) };
        let mut rows = LoneRows::default();
        for slot in slots {
            let key = self.sides[side].key(*slot);
            let partnered = match self.shape.by_key {
                true => self.totals[1 - side].now(key) > 0,
                false => self.changes[side].partners(*slot) > 0,
            };
            let partnered = partnered || (self.shape.null_aware && self.not_in.excluded(key));
            rows.change(*slot, [0, 0], lone.shown(self.changes[side].weight(*slot), partnered));
        }
        self.work += slots.len();
        self.show_slots(side, lone, &rows, cx)
    }

    fn show_slots(&mut self, side: usize, lone: Lone, rows: &LoneRows, cx: &mut Cx) -> Result<()> {
        for from in (0..rows.slots.len()).step_by(CHUNK) {
            let to = rows.slots.len().min(from + CHUNK);
            let slots = &rows.slots[from..to];
            let columns = self.sides[side].gather(0..self.sides[side].width(), slots)?;
            let weights = (!self.shape.append).then(|| rows.weights[from..to].to_vec());
            self.show(side, lone, columns, slots.len(), weights, &rows.marks[from..to], cx)?;
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "what a row of the output is made of")]
    fn show(
        &self,
        side: usize,
        lone: Lone,
        mut columns: Vec<ArrayRef>,
        rows: usize,
        weights: Option<Vec<i64>>,
        marks: &[bool],
        cx: &mut Cx,
    ) -> Result<()> {
        if lone == Lone::Mark {
            columns.push(Arc::new(BooleanArray::from(marks.to_vec())));
        }
        let weights = weights.map(Int64Array::from);
        cx.emit(match lone {
            Lone::Pad => self.matcher.lone(side, columns, rows, weights)?,
            _ => self.matcher.delta(columns, rows, weights)?,
        });
        Ok(())
    }
}

impl Operator for ChangingJoin {
    fn push(&mut self, port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let delta = match &self.time {
            Some(time) => time.rule.on_time(port, delta, cx)?,
            None => delta,
        };
        if !delta.is_empty() {
            self.incoming[port].push(Delta { split_watermark: None, ..delta });
        }
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        self.absorb(cx)?;
        self.expire(watermark, cx)?;
        if watermark == Watermark::MAX {
            self.end(cx)?;
        }
        Ok(self.time.as_ref().map_or(watermark, |t| t.rule.forwarded(watermark)))
    }

    fn state(&self) -> StateSize {
        let totals = |side: usize| match self.shape.keeps(side) {
            true => 0,
            false => self.totals[side].live(),
        };
        let earliest = |t: &Expiring| t.deadlines.iter().filter_map(Deadlines::earliest).min();
        StateSize {
            rows: [0, 1].map(|s| self.sides[s].live() + totals(s)).iter().sum(),
            bytes: [0, 1]
                .map(|s| self.sides[s].bytes() + self.changes[s].bytes() + self.totals[s].bytes())
                .iter()
                .sum::<usize>()
                + self.keys.bytes(),
            oldest: self.time.as_ref().and_then(earliest),
        }
    }
}
