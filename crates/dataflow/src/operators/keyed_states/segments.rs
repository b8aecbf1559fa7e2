//! Rows of state in immutable Arrow batches, each row addressed by where it stands.
//!
//! A segment is added whole and its rows are released one by one; with the last one its memory goes. Small batches, as
//! short epochs make them, are put together as they pile up, so that a state of many rows is never a state of many
//! batches. An address stays good through that. Rows of a batch that are released while others live are garbage, which
//! only the owner can drop: see [`Segments::wasteful`] and [`Segments::replace`].

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, interleave, take};
use arrow::datatypes::SchemaRef;
use tidemill_core::Result;

/// Where a row of state stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowRef {
    /// The segment, as [`Segments::push`] numbered it.
    pub segment: u32,
    /// The row in the segment.
    pub row: u32,
}

impl RowRef {
    /// No row.
    pub const NONE: Self = Self { segment: u32::MAX, row: u32::MAX };

    /// Whether this is a row at all.
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }
}

/// Batches of this many rows are not put together any further.
const LARGE: usize = 8_192;
/// So many small batches in a row become one.
const FAN_IN: usize = 16;
/// This many rows of garbage are left alone, however few rows live.
const SLACK: usize = 16_384;

/// A growing and shrinking set of rows with one schema.
#[derive(Debug)]
pub struct Segments {
    schema: SchemaRef,
    segments: Vec<Segment>,
    free: Vec<u32>,
    batches: Vec<Option<Batch>>,
    free_batches: Vec<u32>,
    /// Small batches in the order in which they came, each with how often it was put together.
    small: Vec<(u32, u32)>,
    /// While gathering: the place of each batch among those used.
    place: Vec<u32>,
    rows: usize,
    live: usize,
    bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    batch: u32,
    offset: u32,
    live: u32,
}

#[derive(Debug)]
struct Batch {
    rows: RecordBatch,
    bytes: usize,
    segments: Vec<u32>,
    live_segments: usize,
}

impl Segments {
    /// None yet, for batches with these columns.
    pub fn new(schema: SchemaRef) -> Self {
        Self {
            schema,
            segments: vec![],
            free: vec![],
            batches: vec![],
            free_batches: vec![],
            small: vec![],
            place: vec![],
            rows: 0,
            live: 0,
            bytes: 0,
        }
    }

    /// Rows that were not released.
    pub fn live(&self) -> usize {
        self.live
    }

    /// About how many bytes are held, garbage included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether garbage outweighs the `needed` rows that a replacement would hold.
    pub fn wasteful(&self, needed: usize) -> bool {
        self.rows > 2 * needed + SLACK
    }

    /// Takes in `rows`, all of them live, and returns the number of their segment. An empty batch has none of use.
    pub fn push(&mut self, rows: RecordBatch) -> Result<u32> {
        let count = rows.num_rows();
        if count == 0 {
            return Ok(u32::MAX);
        }
        let batch = self.add_batch(rows);
        let segment = Segment { batch, offset: 0, live: count as u32 };
        let id = match self.free.pop() {
            Some(id) => {
                self.segments[id as usize] = segment;
                id
            }
            None => {
                self.segments.push(segment);
                (self.segments.len() - 1) as u32
            }
        };
        let held = self.held_mut(batch);
        held.segments.push(id);
        held.live_segments = 1;
        self.rows += count;
        self.live += count;
        if count < LARGE {
            self.small.push((batch, 0));
            self.put_together()?;
        }
        Ok(id)
    }

    /// Lets go of one row.
    pub fn release(&mut self, row: RowRef) {
        self.release_many(row.segment, 1);
    }

    /// Lets go of `count` rows of a segment.
    pub fn release_many(&mut self, segment: u32, count: u32) {
        let s = &mut self.segments[segment as usize];
        debug_assert!(s.live >= count, "a row is released once");
        s.live -= count;
        self.live -= count as usize;
        if s.live > 0 {
            return;
        }
        let batch = s.batch;
        s.batch = u32::MAX;
        self.free.push(segment);
        let held = self.held_mut(batch);
        held.live_segments -= 1;
        if held.live_segments == 0 {
            self.drop_batch(batch);
            self.small.retain(|(b, _)| *b != batch);
        }
    }

    /// The given columns of the given rows, in their order. Costs as much as the rows that are asked for.
    pub fn gather(&mut self, columns: impl IntoIterator<Item = usize>, rows: &[RowRef]) -> Result<Vec<ArrayRef>> {
        if rows.is_empty() {
            let empty = RecordBatch::new_empty(self.schema.clone());
            return Ok(columns.into_iter().map(|c| empty.column(c).clone()).collect());
        }
        let mut used: Vec<u32> = vec![];
        self.place.resize(self.batches.len(), u32::MAX);
        let picks: Vec<(usize, usize)> = rows
            .iter()
            .map(|r| {
                let s = &self.segments[r.segment as usize];
                let place = &mut self.place[s.batch as usize];
                if *place == u32::MAX {
                    *place = used.len() as u32;
                    used.push(s.batch);
                }
                (*place as usize, (s.offset + r.row) as usize)
            })
            .collect();
        for batch in &used {
            self.place[*batch as usize] = u32::MAX;
        }
        let batches: Vec<&RecordBatch> = used.iter().map(|b| &self.held(*b).rows).collect();
        if let [one] = batches[..] {
            if picks.len() == one.num_rows() && picks.iter().enumerate().all(|(i, p)| p.1 == i) {
                return Ok(columns.into_iter().map(|c| one.column(c).clone()).collect());
            }
            let indices = UInt32Array::from_iter_values(picks.iter().map(|p| p.1 as u32));
            return columns.into_iter().map(|c| Ok(take(one.column(c), &indices, None)?)).collect();
        }
        let mut arrays: Vec<&dyn Array> = Vec::with_capacity(batches.len());
        columns
            .into_iter()
            .map(|c| {
                arrays.clear();
                arrays.extend(batches.iter().map(|b| b.column(c).as_ref()));
                Ok(interleave(&arrays, &picks)?)
            })
            .collect()
    }

    /// Drops everything, and takes in `rows` instead: how an owner that has gathered its live rows drops garbage.
    pub fn replace(&mut self, rows: RecordBatch) -> Result<u32> {
        self.clear();
        self.push(rows)
    }

    /// Drops everything, and with it the memory.
    pub fn clear(&mut self) {
        *self = Self::new(self.schema.clone());
    }

    /// Small batches at the end, sixteen of a kind, become one.
    fn put_together(&mut self) -> Result<()> {
        while let Some((_, level)) = self.small.last().copied() {
            let run = self.small.iter().rev().take_while(|(_, l)| *l == level).count();
            if run < FAN_IN {
                return Ok(());
            }
            let parts: Vec<u32> = self.small.drain(self.small.len() - run..).map(|(b, _)| b).collect();
            let rows = concat_batches(&self.schema, parts.iter().map(|b| &self.held(*b).rows))?;
            let large = rows.num_rows() >= LARGE;
            let target = self.add_batch(rows);
            let mut offset = 0;
            let mut segments = vec![];
            for part in parts {
                let batch = self.held(part);
                let next = offset + batch.rows.num_rows() as u32;
                for id in batch.segments.clone() {
                    // The number of a segment that is gone may be another's by now.
                    let s = &mut self.segments[id as usize];
                    if s.batch == part {
                        s.batch = target;
                        s.offset += offset;
                        segments.push(id);
                    }
                }
                offset = next;
                self.drop_rows_of_nobody(part);
            }
            let held = self.held_mut(target);
            held.live_segments = segments.len();
            held.segments = segments;
            if large {
                return Ok(());
            }
            self.small.push((target, level + 1));
        }
        Ok(())
    }

    fn add_batch(&mut self, rows: RecordBatch) -> u32 {
        let bytes = rows.get_array_memory_size();
        self.bytes += bytes;
        let batch = Some(Batch { rows, bytes, segments: vec![], live_segments: 0 });
        match self.free_batches.pop() {
            Some(id) => {
                self.batches[id as usize] = batch;
                id
            }
            None => {
                self.batches.push(batch);
                (self.batches.len() - 1) as u32
            }
        }
    }

    fn drop_batch(&mut self, id: u32) {
        self.rows -= self.held(id).rows.num_rows();
        self.drop_rows_of_nobody(id);
    }

    /// Drops a batch whose rows are counted elsewhere by now.
    fn drop_rows_of_nobody(&mut self, id: u32) {
        let batch = self.batches[id as usize].take().expect("a batch is dropped once");
        self.bytes -= batch.bytes;
        self.free_batches.push(id);
    }

    fn held(&self, id: u32) -> &Batch {
        self.batches[id as usize].as_ref().expect("a live segment has its batch")
    }

    fn held_mut(&mut self, id: u32) -> &mut Batch {
        self.batches[id as usize].as_mut().expect("a live segment has its batch")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;
    use crate::operators::keyed_states::testing::{Chance, seeds};

    fn one_case(seed: u64) {
        let mut chance = Chance(seed);
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let mut segments = Segments::new(schema.clone());
        // What is there, in any order: where it stands and what it is.
        let mut live: Vec<(RowRef, i64)> = vec![];
        let mut next = 0;
        for _ in 0..300 {
            let count = if chance.one_in(40) { chance.below(20_000) } else { chance.below(4) };
            let rows = Int64Array::from_iter_values(next..next + count);
            let segment = segments.push(RecordBatch::try_new(schema.clone(), vec![Arc::new(rows)]).unwrap()).unwrap();
            live.extend((0..count).map(|row| (RowRef { segment, row: row as u32 }, next + row)));
            next += count;
            for _ in 0..chance.below(2 * count + 2) {
                if !live.is_empty() {
                    let at = chance.below(live.len() as i64) as usize;
                    segments.release(live.swap_remove(at).0);
                }
            }
            assert_eq!(segments.live(), live.len(), "seed {seed}");
            if segments.wasteful(live.len()) {
                let refs: Vec<RowRef> = live.iter().map(|l| l.0).collect();
                let columns = segments.gather([0], &refs).unwrap();
                let segment = segments.replace(RecordBatch::try_new(schema.clone(), columns).unwrap()).unwrap();
                live.iter_mut().enumerate().for_each(|(row, l)| l.0 = RowRef { segment, row: row as u32 });
            }
            if chance.one_in(10) {
                let picked: Vec<(RowRef, i64)> =
                    (0..live.len().min(50)).map(|_| live[chance.below(live.len() as i64) as usize]).collect();
                let refs: Vec<RowRef> = picked.iter().map(|p| p.0).collect();
                let got = segments.gather([0], &refs).unwrap();
                let expected: Vec<i64> = picked.iter().map(|p| p.1).collect();
                assert_eq!(got[0].as_primitive::<Int64Type>().values(), &expected[..], "seed {seed}");
            }
            let batches = segments.batches.iter().flatten().count();
            assert!(batches <= live.len() + 1, "seed {seed}: {batches} batches for {} rows", live.len());
        }
        live.drain(..).for_each(|(row, _)| segments.release(row));
        assert_eq!((segments.live, segments.rows, segments.bytes), (0, 0, 0), "seed {seed}");
    }

    #[test]
    fn a_row_is_found_where_it_was_put_whatever_comes_and_goes() {
        seeds(40).for_each(one_case);
    }

    #[test]
    fn many_small_batches_become_few() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let mut segments = Segments::new(schema.clone());
        for n in 0..10_000 {
            let rows: ArrayRef = Arc::new(Int64Array::from(vec![n]));
            segments.push(RecordBatch::try_new(schema.clone(), vec![rows]).unwrap()).unwrap();
        }
        let batches = segments.batches.iter().flatten().count();
        assert!(batches <= 4 * FAN_IN, "{batches} batches");
        let refs = [RowRef { segment: 9_999, row: 0 }, RowRef { segment: 3, row: 0 }];
        assert_eq!(segments.gather([0], &refs).unwrap()[0].as_primitive::<Int64Type>().values(), &[9_999, 3]);
    }
}
