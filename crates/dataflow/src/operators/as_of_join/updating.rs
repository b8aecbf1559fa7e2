//! A left row is put out at once, and again when it gets another partner. Takes any changes on both sides.
//!
//! Both sides are kept in order as rows of bytes that compare as (keys, time, the rest): so the best partner of a left row is
//! the neighbour of a place on the right, and the left rows that a right row matters to are a range. In each epoch the ranges
//! between the changed right rows and their neighbours are looked at, and the left rows that changed; nothing else.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, Rows, SortField};
use tidemill_core::{Delta, Result};
use tidemill_plan::op::{AsOfJoinOp, AsOfMatch};

use super::pairing::Pairing;
use super::without_nulls;
use crate::{Cx, Operator, StateSize};

/// A row as bytes.
type Bytes = Arc<[u8]>;

/// The operator.
pub(super) struct Updating {
    matching: AsOfMatch,
    outer: bool,
    pairing: Pairing,
    left: Side,
    right: Side,
}

/// One side: what is there, and what the epoch has brought.
struct Side {
    /// The columns in the order of the bytes: keys, time, the rest.
    columns: Vec<usize>,
    keys: usize,
    converter: RowConverter,
    key_converter: RowConverter,
    place_converter: RowConverter,
    rows: BTreeMap<Bytes, Kept>,
    bytes: usize,
    incoming: Vec<Incoming>,
    /// Whether rows that fit nothing are kept: only the left side has use for them.
    keeps_unfit: bool,
}

/// A row that is there.
#[derive(Debug, Clone, Copy)]
struct Kept {
    weight: i64,
    place: Place,
}

/// The bytes at the beginning of a row.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// So many are the keys.
    key: u32,
    /// So many are the keys and the time.
    time: u32,
    /// Whether neither is NULL.
    fits: bool,
}

/// Rows of the epoch.
struct Incoming {
    rows: Rows,
    weights: Option<Int64Array>,
    places: Vec<Place>,
}

/// A net change of a row.
struct Change {
    row: Bytes,
    weight: i64,
    place: Place,
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

impl Side {
    fn new(schema: &SchemaRef, keys: Vec<usize>, time: usize, keeps_unfit: bool) -> Result<Self> {
        let mut columns: Vec<usize> = vec![];
        let rest = 0..schema.fields().len();
        // The time may be a key as well.
        for column in keys.iter().copied().chain([time]).chain(rest) {
            if !columns.contains(&column) || columns.len() < keys.len() + 1 {
                columns.push(column);
            }
        }
        let converter = |columns: &[usize]| {
            RowConverter::new(columns.iter().map(|c| SortField::new(schema.field(*c).data_type().clone())).collect())
        };
        Ok(Self {
            converter: converter(&columns)?,
            key_converter: converter(&columns[..keys.len()])?,
            place_converter: converter(&columns[..keys.len() + 1])?,
            keys: keys.len(),
            columns,
            rows: BTreeMap::new(),
            bytes: 0,
            incoming: vec![],
            keeps_unfit,
        })
    }

    fn take_in(&mut self, delta: &Delta) -> Result<()> {
        let columns: Vec<ArrayRef> = self.columns.iter().map(|c| delta.batch.column(*c).clone()).collect();
        let whole = without_nulls(columns[..self.keys + 1].iter());
        let places = self.place_converter.convert_columns(&columns[..self.keys + 1])?;
        let keys = match self.keys {
            0 => None,
            keys => Some(self.key_converter.convert_columns(&columns[..keys])?),
        };
        let place = |row: usize| Place {
            key: keys.as_ref().map_or(0, |k| k.row(row).as_ref().len() as u32),
            time: places.row(row).as_ref().len() as u32,
            fits: whole.as_ref().is_none_or(|w| w.value(row)),
        };
        let places = (0..delta.num_rows()).map(place).collect();
        let rows = self.converter.convert_columns(&columns)?;
        self.incoming.push(Incoming { rows, weights: delta.weights.clone(), places });
        Ok(())
    }

    /// What the epoch has brought, each row once and in order.
    fn changes(&mut self) -> Vec<Change> {
        let incoming = std::mem::take(&mut self.incoming);
        let mut order: Vec<(u32, u32)> = vec![];
        for (part, rows) in incoming.iter().enumerate() {
            let wanted = |row: &usize| rows.places[*row].fits || self.keeps_unfit;
            order.extend((0..rows.places.len()).filter(wanted).map(|row| (part as u32, row as u32)));
        }
        let bytes = |at: &(u32, u32)| incoming[at.0 as usize].rows.row(at.1 as usize);
        order.sort_unstable_by(|a, b| bytes(a).cmp(&bytes(b)));
        let mut changes = vec![];
        for run in order.chunk_by(|a, b| bytes(a) == bytes(b)) {
            let weight =
                |at: &(u32, u32)| incoming[at.0 as usize].weights.as_ref().map_or(1, |w| w.value(at.1 as usize));
            let weight: i64 = run.iter().map(weight).sum();
            if weight != 0 {
                let place = incoming[run[0].0 as usize].places[run[0].1 as usize];
                changes.push(Change { row: bytes(&run[0]).as_ref().into(), weight, place });
            }
        }
        changes
    }

    fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            let size = change.row.len();
            match self.rows.entry(change.row) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(Kept { weight: change.weight, place: change.place });
                    self.bytes += size;
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    entry.get_mut().weight += change.weight;
                    if entry.get().weight == 0 {
                        entry.remove();
                        self.bytes -= size;
                    }
                }
            }
        }
    }

    /// The last row below `end`, or of all.
    fn last_before(&self, end: Option<&[u8]>) -> Option<&Bytes> {
        let end = end.map_or(Bound::Unbounded, Bound::Excluded);
        self.there(self.rows.range::<[u8], _>((Bound::Unbounded, end)).rev())
    }

    /// The first row at or after `from`; none where that is beyond all.
    fn first_from(&self, from: Option<&[u8]>) -> Option<&Bytes> {
        self.there(self.rows.range::<[u8], _>((Bound::Included(from?), Bound::Unbounded)))
    }

    /// The first that is there: what was retracted more often than inserted is not.
    fn there<'a>(&self, mut rows: impl Iterator<Item = (&'a Bytes, &'a Kept)>) -> Option<&'a Bytes> {
        rows.find(|(_, kept)| kept.weight > 0).map(|(row, _)| row)
    }

    /// The columns of rows, in the order of the input.
    fn decode(&self, rows: &[&Bytes]) -> Result<Vec<ArrayRef>> {
        let parser = self.converter.parser();
        let decoded = self.converter.convert_rows(rows.iter().map(|r| parser.parse(r)))?;
        let count = self.columns.iter().max().map_or(0, |last| last + 1);
        let at = |column: usize| self.columns.iter().position(|c| *c == column).expect("each column has its bytes");
        Ok((0..count).map(|column| decoded[at(column)].clone()).collect())
    }

    fn size(&self) -> usize {
        // A tree's nodes are two thirds full, about; before each row stand its counts.
        self.bytes + self.rows.len() * (16 + (size_of::<Bytes>() + size_of::<Kept>()) * 3 / 2)
    }
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
