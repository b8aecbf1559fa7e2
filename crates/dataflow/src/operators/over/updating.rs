//! Over any input: the rows of each partition are kept with their values, and those whose values an epoch changed are put
//! out anew.
//!
//! A change reaches as far as the functions look: with frames of so many rows, and `LAG` or `LEAD`, only the rows near it
//! are computed again. Functions that look back without a limit are computed again over the partition, and compared
//! from the change on. Equal rows count as one row with copies.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{filter_record_batch, interleave, take_arrays};
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};
use tidemill_core::delta::take_rows;
use tidemill_core::{Delta, Result};
use tidemill_plan::op::OverOp;
use tidemill_plan::over::{Ahead, Reach};

use super::functions::Functions;
use super::order::{RowOrder, SortKeys};
use super::partitions::{By, Change, Partitions};
use crate::expression::conform;
use crate::operators::keyed_states::{KeyDictionary, RowRef};
use crate::operators::updating_aggregate::changes::unchanged;
use crate::{Cx, Operator, StateSize};

/// The partitions of the keys that come to this worker.
pub struct Updating {
    partition_by: Vec<usize>,
    functions: Functions,
    reach: Reach,
    input: SchemaRef,
    output: SchemaRef,
    keys: KeyDictionary,
    partitions: Partitions,
    incoming: Vec<Delta>,
    /// Whether there ever was a row twice.
    copies: bool,
    /// How many rows were computed so far: what the tests bound the work by.
    pub(super) work: usize,
}

/// A part of a partition to compute again.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    partition: usize,
    /// The rows whose values may have changed.
    from: usize,
    to: usize,
    /// The rows that are needed for it.
    begin: usize,
    end: usize,
}

impl Updating {
    /// Of `op` over rows of `input`.
    pub fn new(op: &OverOp, input: SchemaRef, output: SchemaRef) -> Result<Self> {
        let order = RowOrder::try_new(&op.order_by, &input)?;
        Ok(Self {
            functions: Functions::try_new(op, &input, &output)?,
            reach: Reach::of_all(&op.functions),
            keys: KeyDictionary::new(Arc::new(input.project(&op.partition_by)?))?,
            partitions: Partitions::new(input.clone(), output.clone(), order),
            partition_by: op.partition_by.clone(),
            input,
            output,
            incoming: vec![],
            copies: false,
            work: 0,
        })
    }

    /// What is left of an epoch's changes when those that cancel are gone, by partition and in its order.
    fn net(&mut self, delta: &Delta, keys: &SortKeys) -> Result<Vec<Change>> {
        let columns: Vec<ArrayRef> = self.partition_by.iter().map(|c| delta.batch.column(*c).clone()).collect();
        let mut ids = vec![];
        self.keys.intern(&columns, delta.num_rows(), &mut ids)?;
        self.partitions.grow(self.keys.size());
        let mut rows: Vec<u32> = (0..delta.num_rows() as u32).collect();
        let compare = |a: usize, b: usize| ids[a].cmp(&ids[b]).then_with(|| keys.cmp(a, keys, b));
        rows.sort_unstable_by(|a, b| compare(*a as usize, *b as usize));
        let mut changes: Vec<Change> = vec![];
        for row in rows {
            let row = row as usize;
            let weight = delta.weights.as_ref().map_or(1, |w| w.value(row));
            match changes.last_mut() {
                Some(last) if compare(last.row, row).is_eq() => last.weight += weight,
                _ => changes.push(Change { partition: ids[row], row, weight }),
            }
        }
        changes.retain(|c| c.weight != 0);
        Ok(changes)
    }

    /// The parts of one partition that its changes reach; the partition has its new rows already. `at` and `peers` are where
    /// the changes went, and where their peers began, before.
    fn stretches(&self, changes: &[Change], keys: &SortKeys, at: &[usize], peers: &[usize], out: &mut Vec<Stretch>) {
        let partition = changes[0].partition;
        let len = self.partitions.list(partition).len();
        let Reach { back, ahead } = self.reach;
        let first = out.len();
        let mut shift = 0isize;
        let mut peers_from = 0;
        for (i, change) in changes.iter().enumerate() {
            let place = at[i].wrapping_add_signed(shift);
            if ahead == Ahead::Peers && (i == 0 || keys.cmp_order(changes[i - 1].row, keys, change.row).is_ne()) {
                peers_from = peers[i].wrapping_add_signed(shift);
            }
            let after = place + usize::try_from(change.weight).unwrap_or(0);
            let from = match ahead {
                Ahead::Rows(rows) => place.saturating_sub(rows),
                Ahead::Peers => peers_from,
                Ahead::All => 0,
            };
            let to = back.map_or(len, |rows| after.saturating_add(rows).min(len));
            shift += change.weight as isize;
            match out[first..].last_mut() {
                Some(last) if from <= last.to => last.to = last.to.max(to),
                _ if from < to => out.push(Stretch { partition, from, to, begin: 0, end: len }),
                _ => {}
            }
            if to == len {
                break;
            }
        }
        for stretch in &mut out[first..] {
            stretch.begin = back.map_or(0, |rows| stretch.from.saturating_sub(rows));
            stretch.end = match ahead {
                Ahead::Rows(rows) => stretch.to.saturating_add(rows).min(len),
                Ahead::Peers | Ahead::All => len,
            };
        }
    }

    /// The input columns of all rows of `stretches`, one after the other.
    fn rows_of(&mut self, stretches: &[Stretch], new: &RecordBatch) -> Result<RecordBatch> {
        let (mut kept, mut picks) = (vec![], vec![]);
        for s in stretches {
            for row in &self.partitions.list(s.partition)[s.begin..s.end] {
                picks.push(match Partitions::new_row(*row) {
                    Some(row) => (1, row),
                    None => {
                        kept.push(*row);
                        (0, kept.len() - 1)
                    }
                });
            }
        }
        if kept.len() == picks.len() {
            return self.partitions.input_rows(&kept);
        }
        if kept.is_empty() {
            return take_rows(new, &UInt32Array::from_iter_values(picks.iter().map(|p| p.1 as u32)));
        }
        let kept = self.partitions.input_rows(&kept)?;
        let columns = kept.columns().iter().zip(new.columns());
        let columns =
            columns.map(|(k, n)| Ok(interleave(&[k.as_ref(), n.as_ref()], &picks)?)).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(picks.len()));
        Ok(RecordBatch::try_new_with_options(self.input.clone(), columns, &options)?)
    }

    /// Computes `stretches` and puts out what changed in them; `removed` are rows that went.
    fn compute(
        &mut self,
        stretches: &[Stretch],
        new: &RecordBatch,
        mut removed: Vec<RowRef>,
        cx: &mut Cx,
    ) -> Result<()> {
        let rows = self.rows_of(stretches, new)?;
        self.work += rows.num_rows();
        let work = self.functions.work(&rows)?;
        let mut ends = vec![];
        for s in stretches {
            ends.push(ends.last().unwrap_or(&0) + s.end - s.begin);
        }
        let values = self.functions.values(&work, &ends)?;
        // Of each row that may have changed: its place in `rows`, and where it stands.
        let (mut candidates, mut places, mut known, mut known_at) = (vec![], vec![], vec![], vec![]);
        for (s, end) in stretches.iter().zip(&ends) {
            let start = end - (s.end - s.begin);
            for place in s.from..s.to {
                let row = self.partitions.list(s.partition)[place];
                if Partitions::new_row(row).is_none() {
                    known.push(row);
                    known_at.push(candidates.len());
                }
                candidates.push((start + place - s.begin) as u32);
                places.push((s.partition, place));
            }
        }
        let before = self.partitions.gather(self.input.fields().len()..self.output.fields().len(), &known)?;
        let asked = UInt32Array::from_iter_values(known_at.iter().map(|c| candidates[*c]));
        let same = unchanged(&before, &take_arrays(&values, &asked, None)?, known.len())?;
        let mut keep = vec![true; candidates.len()];
        for (i, at) in known_at.into_iter().enumerate() {
            keep[at] = !same.value(i);
            if keep[at] {
                removed.push(known[i]);
            }
        }
        let kept = |i: &usize| keep[*i];
        let picks = UInt32Array::from_iter_values((0..keep.len()).filter(kept).map(|i| candidates[i]));
        let places: Vec<_> = (0..keep.len()).filter(kept).map(|i| places[i]).collect();
        let mut columns = take_arrays(rows.columns(), &picks, None)?;
        columns.extend(take_arrays(&values, &picks, None)?);
        let inserted = conform(&self.output, columns, places.len())?;
        let columns = self.partitions.gather(0..self.output.fields().len(), &removed)?;
        let retracted = conform(&self.output, columns, removed.len())?;
        self.partitions.put(inserted.clone(), &places)?;
        self.partitions.release(&removed)?;
        let (retracted, inserted) =
            if self.copies { without_common(retracted, inserted)? } else { (retracted, inserted) };
        let gone = Int64Array::from_value(-1, retracted.num_rows());
        cx.emit(Delta::weighted(retracted, gone));
        cx.emit(Delta::insert(inserted));
        Ok(())
    }
}

/// Both without the rows that they share: copies of a row may have changed their places.
fn without_common(retracted: RecordBatch, inserted: RecordBatch) -> Result<(RecordBatch, RecordBatch)> {
    let fields: Vec<SortField> =
        inserted.schema().fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
    if fields.is_empty() || !RowConverter::supports_fields(&fields) {
        return Ok((retracted, inserted));
    }
    let converter = RowConverter::new(fields)?;
    let mut inserts: HashMap<OwnedRow, Vec<usize>> = HashMap::new();
    for (i, row) in converter.convert_columns(inserted.columns())?.iter().enumerate() {
        inserts.entry(row.owned()).or_default().push(i);
    }
    let mut keep = vec![true; inserted.num_rows()];
    let cancels = |row: OwnedRow| match inserts.get_mut(&row).and_then(Vec::pop) {
        Some(i) => {
            keep[i] = false;
            false
        }
        None => true,
    };
    let left: BooleanArray =
        converter.convert_columns(retracted.columns())?.iter().map(|r| r.owned()).map(cancels).map(Some).collect();
    debug_assert_eq!(left.null_count(), 0, "a row is left or not");
    Ok((filter_record_batch(&retracted, &left)?, filter_record_batch(&inserted, &BooleanArray::from(keep))?))
}

impl Operator for Updating {
    fn push(&mut self, _port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        if !delta.is_empty() {
            self.incoming.push(delta);
        }
        Ok(())
    }

    fn end_epoch(&mut self, cx: &mut Cx) -> Result<()> {
        if self.incoming.is_empty() {
            return Ok(());
        }
        let incoming = std::mem::take(&mut self.incoming);
        let delta = Delta::concat(&self.input, &incoming)?;
        let keys = self.partitions.order().keys(&delta.batch)?;
        let changes = self.net(&delta, &keys)?;
        if changes.is_empty() {
            return Ok(());
        }
        let at = self.partitions.search(&changes, &keys, By::Row)?;
        let equal = self.partitions.meets(&changes, &at, &keys)?;
        self.copies |= changes.iter().zip(equal).any(|(c, equal)| c.weight > 1 || (c.weight > 0 && equal));
        let peers = match self.reach.ahead {
            Ahead::Peers => self.partitions.search(&changes, &keys, By::Order)?,
            _ => vec![0; changes.len()],
        };
        let (mut removed, mut stretches) = (vec![], vec![]);
        let mut start = 0;
        for changed in changes.chunk_by(|a, b| a.partition == b.partition) {
            let range = start..start + changed.len();
            start = range.end;
            self.partitions.splice(changed, &at[range.clone()], &mut removed);
            self.stretches(changed, &keys, &at[range.clone()], &peers[range], &mut stretches);
        }
        self.compute(&stretches, &delta.batch, removed, cx)?;
        if self.keys.wasteful(self.partitions.live()) {
            let rows = self.partitions.renumber()?;
            let columns: Vec<ArrayRef> = self.partition_by.iter().map(|c| rows.column(*c).clone()).collect();
            self.keys.restart(&columns, rows.num_rows())?;
        }
        Ok(())
    }

    fn state(&self) -> StateSize {
        StateSize { rows: self.partitions.rows(), bytes: self.partitions.bytes() + self.keys.bytes(), oldest: None }
    }
}
