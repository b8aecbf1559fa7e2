//! A left row is put out at once, and again when it gets another partner. Takes any changes on both sides.
//!
//! Both sides are kept in order as rows of bytes that compare as (keys, time, the rest): so the best partner of a left row is
//! the neighbour of a place on the right, and the left rows that a right row matters to are a range. In each epoch the ranges
//! between the changed right rows and their neighbours are looked at, and the left rows that changed; nothing else.

use std::ops::Bound;
use std::sync::Arc;

use arrow::array::{Array, Int64Array, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result};
use tidemill_plan::op::{AsOfJoinOp, AsOfMatch};

use super::ordered_side::{Bytes, Change, Place, Side};
use super::pairing::Pairing;
use crate::{Cx, Operator, StateSize};

/// The operator.
pub(super) struct Updating {
    matching: AsOfMatch,
    outer: bool,
    pairing: Pairing,
    left: Side,
    right: Side,
}

/// A left row whose partner or weight may have changed.
struct Affected {
    row: Bytes,
    place: Place,
    before: i64,
    after: i64,
    old: Option<Bytes>,
    new: Option<Bytes>,
}

impl Updating {
    /// Of `op` over `inputs`.
    pub(super) fn new(op: &AsOfJoinOp, inputs: &[SchemaRef; 2], output: &SchemaRef) -> Result<Self> {
        let (left, right): (Vec<usize>, Vec<usize>) = op.keys.iter().copied().unzip();
        Ok(Self {
            matching: op.matching,
            outer: op.outer,
            pairing: Pairing::new(op, output),
            left: Side::new(&inputs[0], left, op.times.0, op.outer)?,
            right: Side::new(&inputs[1], right, op.times.1, false)?,
        })
    }

    /// The partner of a left row.
    fn partner(&self, row: &[u8], place: Place) -> Option<Bytes> {
        if !place.fits {
            return None;
        }
        let (key, at) = (&row[..place.key as usize], &row[..place.time as usize]);
        let found = match self.matching {
            AsOfMatch::AtOrBefore => self.right.last_before(after(at).as_deref()),
            AsOfMatch::Before => self.right.last_before(Some(at)),
            AsOfMatch::AtOrAfter => self.right.first_from(Some(at)),
            AsOfMatch::After => self.right.first_from(after(at).as_deref()),
        };
        found.filter(|r| r.starts_with(key)).cloned()
    }

    /// The left rows to which it matters whether `right` is there: from, and up to but without.
    fn reach(&self, right: &[u8], place: Place) -> (Vec<u8>, Option<Vec<u8>>) {
        let (key, at) = (&right[..place.key as usize], &right[..place.time as usize]);
        let same_key = |r: &&Bytes| r.starts_with(key);
        let at_of = |r: &Bytes| r[..self.right.rows[r].place.time as usize].to_vec();
        if self.matching.looks_back() {
            let next = self.right.rows.range::<[u8], _>((Bound::Excluded(right), Bound::Unbounded));
            let next = self.right.there(next).filter(same_key).map(at_of);
            return match self.matching {
                AsOfMatch::AtOrBefore => (at.to_vec(), next.or_else(|| after(key))),
                _ => (after(at).unwrap_or_else(|| at.to_vec()), next.map_or_else(|| after(key), |n| after(&n))),
            };
        }
        let previous = self.right.last_before(Some(right)).filter(same_key).map(at_of);
        match self.matching {
            AsOfMatch::AtOrAfter => (previous.and_then(|p| after(&p)).unwrap_or_else(|| key.to_vec()), after(at)),
            _ => (previous.unwrap_or_else(|| key.to_vec()), Some(at.to_vec())),
        }
    }

    /// The left rows that the epoch may have given another partner or weight, in order, with the partners they had.
    fn affected(&self, left: &[Change], right: &[Change]) -> Vec<Affected> {
        let mut ranges: Vec<(Vec<u8>, Option<Vec<u8>>)> = vec![];
        for change in right {
            let before = self.right.rows.get(&change.row).map_or(0, |k| k.weight);
            if (before > 0) == (before + change.weight > 0) {
                continue;
            }
            let (from, to) = self.reach(&change.row, change.place);
            match ranges.last_mut() {
                // They come in order, and so do their ranges.
                Some((_, end)) if end.as_ref().is_none_or(|end| from <= *end) => {
                    if to.is_none() || to > *end {
                        *end = end.take().and(to);
                    }
                }
                _ => ranges.push((from, to)),
            }
        }
        let mut all: Vec<Affected> = vec![];
        for change in left {
            let before = self.left.rows.get(&change.row).map_or(0, |k| k.weight);
            all.push(self.affected_row(change.row.clone(), change.place, before, before + change.weight));
        }
        let changed = all.len();
        for (from, to) in &ranges {
            if to.as_ref().is_some_and(|to| to <= from) {
                continue;
            }
            let to = to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            for (row, kept) in self.left.rows.range::<[u8], _>((Bound::Included(&from[..]), to)) {
                if all[..changed].binary_search_by(|a| a.row.cmp(row)).is_err() {
                    all.push(self.affected_row(row.clone(), kept.place, kept.weight, kept.weight));
                }
            }
        }
        all
    }

    fn affected_row(&self, row: Bytes, place: Place, before: i64, after: i64) -> Affected {
        let old = if before == 0 { None } else { self.partner(&row, place) };
        Affected { row, place, before, after, old, new: None }
    }

    fn put_out(&self, affected: &[Affected], cx: &mut Cx) -> Result<()> {
        // The pairs that may go and those that may come, each left row's side by side.
        let (mut lefts, mut rights): (Vec<&Bytes>, Vec<&Bytes>) = (vec![], vec![]);
        let (mut left_of, mut partner, mut weights) = (vec![], vec![], vec![]);
        for a in affected {
            let same = a.old == a.new && a.before != 0 && a.after != 0;
            if same && a.before == a.after {
                continue;
            }
            lefts.push(&a.row);
            let pairs = match same {
                true => [(&a.new, a.after - a.before), (&None, 0)],
                false => [(&a.old, -a.before), (&a.new, a.after)],
            };
            for (right, weight) in pairs.into_iter().filter(|(_, weight)| *weight != 0) {
                left_of.push(lefts.len() as u32 - 1);
                weights.push(weight);
                partner.push(right.as_ref().map(|right| {
                    // Neighbours often share their partner.
                    if rights.last().is_none_or(|last| !Arc::ptr_eq(last, right)) {
                        rights.push(right);
                    }
                    rights.len() as u32 - 1
                }));
            }
        }
        if weights.is_empty() {
            return Ok(());
        }
        let left = take_arrays(&self.left.decode(&lefts)?, &UInt32Array::from(left_of.clone()), None)?;
        let right = self.right.decode(&rights)?;
        let confirmed = self.pairing.confirm(&left, &right, UInt32Array::from(partner))?;
        // What has turned out to be no pair before and after is no change.
        let (mut kept, mut net): (Vec<u32>, Vec<i64>) = (vec![], vec![]);
        for (i, weight) in weights.into_iter().enumerate() {
            if confirmed.is_null(i) && !self.outer {
                continue;
            }
            match kept.last() {
                Some(last) if left_of[*last as usize] == left_of[i] && both_alone(&confirmed, *last as usize, i) => {
                    let sum = net[net.len() - 1] + weight;
                    if sum == 0 {
                        kept.pop();
                        net.pop();
                    } else {
                        *net.last_mut().expect("there is one for each that is kept") = sum;
                    }
                }
                _ => {
                    kept.push(i as u32);
                    net.push(weight);
                }
            }
        }
        if kept.is_empty() {
            return Ok(());
        }
        let kept = UInt32Array::from(kept);
        let left = take_arrays(&left, &kept, None)?;
        let partner: UInt32Array = kept
            .values()
            .iter()
            .map(|i| confirmed.is_valid(*i as usize).then(|| confirmed.value(*i as usize)))
            .collect();
        let rows = self.pairing.rows(&left, &right, &partner)?;
        cx.emit(Delta::weighted(rows, Int64Array::from(net)));
        Ok(())
    }
}

fn both_alone(partner: &UInt32Array, a: usize, b: usize) -> bool {
    partner.is_null(a) && partner.is_null(b)
}

/// The least bytes that are greater than all that begin with `prefix`; `None` where there are none.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|b| *b != u8::MAX)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

impl Operator for Updating {
    fn push(&mut self, port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        match port {
            0 => self.left.take_in(&delta),
            _ => self.right.take_in(&delta),
        }
    }

    fn end_epoch(&mut self, cx: &mut Cx) -> Result<()> {
        let (left, right) = (self.left.changes(), self.right.changes());
        if left.is_empty() && right.is_empty() {
            return Ok(());
        }
        let mut affected = self.affected(&left, &right);
        self.left.apply(left);
        self.right.apply(right);
        for a in affected.iter_mut().filter(|a| a.after != 0) {
            a.new = self.partner(&a.row, a.place);
        }
        affected.sort_unstable_by(|a, b| a.row.cmp(&b.row));
        self.put_out(&affected, cx)
    }

    fn state(&self) -> StateSize {
        StateSize {
            rows: self.left.rows.len() + self.right.rows.len(),
            bytes: self.left.size() + self.right.size(),
            oldest: None,
        }
    }
}
