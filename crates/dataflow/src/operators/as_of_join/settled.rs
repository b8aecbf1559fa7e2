//! A left row waits until the watermark has passed its time: then no better partner can come, and it is put out once.
//!
//! A row that came in below its own split's watermark is late, on either side: it is reported and takes no part. So late is
//! a property of the data, and versions that are let go of are missed by nobody.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{filter_record_batch, not, take_arrays};
use arrow::datatypes::{DataType, SchemaRef};
use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::op::AsOfJoinOp;

use super::pairing::Pairing;
use super::versions::Versions;
use super::{counts, without_nulls};
use crate::event_time::micros;
use crate::operators::keyed_states::{Deadlines, RowRef, Segments};
use crate::{Cx, LateRows, Operator, StateSize};

/// So many left rows are put out in one batch.
const BATCH: usize = 32_768;
/// How fine the deadlines of left rows are cut.
const STRIDE: Micros = 1_000_000;

/// The operator.
pub(super) struct Settled {
    op: AsOfJoinOp,
    pairing: Pairing,
    left: SchemaRef,
    versions: Versions,
    rows: Segments,
    /// Left rows that wait, by number.
    waiting: Vec<RowRef>,
    free: Vec<u32>,
    due: Deadlines,
    found: Vec<RowRef>,
}

impl Settled {
    /// Of `op` over `inputs`.
    pub(super) fn new(op: &AsOfJoinOp, inputs: &[SchemaRef; 2], output: &SchemaRef) -> Result<Self> {
        let [left, right] = inputs;
        Ok(Self {
            pairing: Pairing::new(op, output),
            left: left.clone(),
            versions: Versions::new(op, right)?,
            rows: Segments::new(left.clone()),
            waiting: vec![],
            free: vec![],
            due: Deadlines::new(STRIDE),
            found: vec![],
            op: op.clone(),
        })
    }

    /// Rows of the left side wait; those without a time have no partner and go at once.
    fn take_left(&mut self, rows: RecordBatch, cx: &mut Cx) -> Result<()> {
        let mut rows = rows;
        if let Some(timed) = without_nulls(std::iter::once(rows.column(self.op.times.0))) {
            if self.op.outer {
                let alone = filter_record_batch(&rows, &not(&timed)?)?;
                self.put_out(alone.columns(), vec![RowRef::NONE; alone.num_rows()], cx)?;
            }
            rows = filter_record_batch(&rows, &timed)?;
        }
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let times = counts(rows.column(self.op.times.0))?;
        let segment = self.rows.push(rows)?;
        for (row, time) in times.values().iter().enumerate() {
            let row = RowRef { segment, row: row as u32 };
            let number = match self.free.pop() {
                Some(number) => {
                    self.waiting[number as usize] = row;
                    number
                }
                None => {
                    self.waiting.push(row);
                    (self.waiting.len() - 1) as u32
                }
            };
            self.due.push(self.versions.micros(*time).saturating_add(1), number);
        }
        Ok(())
    }

    fn take_right(&mut self, rows: RecordBatch) -> Result<()> {
        let (keys, time) = (self.op.keys.iter().map(|(_, r)| *r), self.op.times.1);
        let rows = match without_nulls(keys.chain([time]).map(|c| rows.column(c))) {
            Some(whole) => filter_record_batch(&rows, &whole)?,
            None => rows,
        };
        let times = counts(rows.column(time))?;
        self.versions.insert(rows, &times)
    }

    /// The partners of left rows, by their own columns.
    fn match_up(&mut self, left: &[ArrayRef]) -> Result<Vec<RowRef>> {
        let keys: Vec<ArrayRef> = self.op.keys.iter().map(|(l, _)| left[*l].clone()).collect();
        let whole = without_nulls(keys.iter());
        let times = counts(&left[self.op.times.0])?;
        let mut found = std::mem::take(&mut self.found);
        self.versions.find(&keys, &times, |row| whole.as_ref().is_none_or(|w| w.value(row)), &mut found)?;
        Ok(found)
    }

    fn put_out(&mut self, left: &[ArrayRef], found: Vec<RowRef>, cx: &mut Cx) -> Result<()> {
        let mut refs: Vec<RowRef> = Vec::with_capacity(found.len());
        let partner: UInt32Array = found
            .iter()
            .map(|r| {
                r.is_some().then(|| {
                    refs.push(*r);
                    refs.len() as u32 - 1
                })
            })
            .collect();
        self.found = found;
        let right = self.versions.gather(&refs)?;
        let partner = self.pairing.confirm(left, &right, partner)?;
        let rows = match partner.nulls().filter(|n| n.null_count() > 0 && !self.op.outer) {
            None => self.pairing.rows(left, &right, &partner)?,
            Some(paired) => {
                let kept = UInt32Array::from_iter_values(paired.valid_indices().map(|i| i as u32));
                let partner = UInt32Array::from_iter_values(partner.iter().flatten());
                self.pairing.rows(&take_arrays(left, &kept, None)?, &right, &partner)?
            }
        };
        cx.emit(Delta::insert(rows));
        Ok(())
    }

    /// Puts out the left rows that nothing can change any more, in the order of their times.
    fn settle(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<()> {
        let mut due = vec![];
        self.due.take_due(watermark, &mut due);
        due.sort_unstable();
        for part in due.chunks(BATCH) {
            let refs: Vec<RowRef> = part.iter().map(|(_, number)| self.waiting[*number as usize]).collect();
            let left = self.rows.gather(0..self.left.fields().len(), &refs)?;
            let found = self.match_up(&left)?;
            self.put_out(&left, found, cx)?;
        }
        for (_, number) in due {
            self.rows.release(std::mem::replace(&mut self.waiting[number as usize], RowRef::NONE));
            self.free.push(number);
        }
        self.versions.forget_strangers()?;
        self.compact()
    }

    /// Drops what is garbage among the left rows, where there is more of it than of anything else.
    fn compact(&mut self) -> Result<()> {
        if self.free.len() == self.waiting.len() {
            (self.free, self.waiting) = (vec![], vec![]);
        }
        if !self.rows.wasteful(self.rows.live()) {
            return Ok(());
        }
        let live: Vec<RowRef> = self.waiting.iter().copied().filter(|r| r.is_some()).collect();
        let columns = self.rows.gather(0..self.left.fields().len(), &live)?;
        let segment = self.rows.replace(RecordBatch::try_new(self.left.clone(), columns)?)?;
        for (row, at) in self.waiting.iter_mut().filter(|r| r.is_some()).enumerate() {
            *at = RowRef { segment, row: row as u32 };
        }
        Ok(())
    }
}

/// The rows of `delta` that are not late. A row is late iff its own split's watermark had passed its time.
fn in_time(delta: Delta, time: usize, cx: &mut Cx) -> Result<RecordBatch> {
    if delta.weights.is_some() {
        return Err(Error::internal("rows are taken back below a join that puts each row out once"));
    }
    let Some(split) = &delta.split_watermark else { return Ok(delta.batch) };
    if !matches!(delta.batch.schema_ref().field(time).data_type(), DataType::Timestamp(..)) {
        return Ok(delta.batch);
    }
    let times = micros(delta.batch.column(time))?;
    let late = BooleanBuffer::collect_bool(times.len(), |i| {
        split.is_valid(i) && times.is_valid(i) && times.value(i) < split.value(i)
    });
    if late.count_set_bits() == 0 {
        return Ok(delta.batch);
    }
    let on_time = BooleanArray::new(!&late, None);
    let late = BooleanArray::new(late, None);
    let of = |values: &Int64Array| -> Result<Int64Array> {
        Ok(arrow::compute::filter(values, &late)?.as_primitive().clone())
    };
    let event_time = of(&times)?;
    cx.late(LateRows {
        rows: filter_record_batch(&delta.batch, &late)?,
        window_end: event_time.clone(),
        watermark: of(split)?,
        event_time,
    });
    Ok(filter_record_batch(&delta.batch, &on_time)?)
}

impl Operator for Settled {
    fn push(&mut self, port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        match port {
            0 => {
                let rows = in_time(delta, self.op.times.0, cx)?;
                self.take_left(rows, cx)
            }
            _ => {
                let rows = in_time(delta, self.op.times.1, cx)?;
                self.take_right(rows)
            }
        }
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        self.settle(watermark, cx)?;
        self.versions.expire(watermark)?;
        Ok(watermark)
    }

    fn state(&self) -> StateSize {
        let index = self.waiting.capacity() * size_of::<RowRef>();
        StateSize {
            rows: self.rows.live() + self.versions.live(),
            bytes: self.rows.bytes() + self.versions.bytes() + index,
            oldest: self.due.earliest().map(|at| at.saturating_sub(1)),
        }
    }
}
