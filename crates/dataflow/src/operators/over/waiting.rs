//! Rows that wait for the watermark, found without looking at those that go on waiting.
//!
//! They stand in a few runs, each sorted by when its rows are due; a new run is merged with others of its size. Late rows
//! do not come in.

use arrow::array::{Array, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat_batches, filter, filter_record_batch};
use arrow::datatypes::SchemaRef;
use tidemill_core::delta::take_rows;
use tidemill_core::{Delta, Micros, Result, Watermark};

use crate::{Cx, LateRows};

/// Rows, each with the watermark it waits for.
#[derive(Debug)]
pub struct Waiting {
    schema: SchemaRef,
    runs: Vec<Run>,
    /// What was due at this watermark was taken.
    taken: Watermark,
}

#[derive(Debug)]
struct Run {
    rows: RecordBatch,
    due: Vec<Micros>,
    /// Rows before this one were taken.
    start: usize,
}

impl Run {
    fn left(&self) -> usize {
        self.due.len() - self.start
    }
}

/// What is known of the times of rows that come in, one value a row.
pub struct Times {
    /// The watermark that the row waits for; NULL where it waits for the end of the input.
    pub due: Int64Array,
    /// Its event time, for the report of late rows.
    pub event_time: Int64Array,
    /// Where its window ends, for the report of late rows.
    pub window_end: Int64Array,
}

impl Waiting {
    /// None yet.
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema, runs: vec![], taken: Watermark::MIN }
    }

    /// Takes in the rows that are not late, and reports the others: late is what was due at the watermark of its split.
    pub fn push(&mut self, delta: Delta, times: Times, cx: &mut Cx) -> Result<()> {
        let taken = self.taken.0;
        let split = delta.split_watermark.as_ref();
        let passed = |i: usize| split.filter(|s| s.is_valid(i)).map_or(taken, |s| s.value(i).max(taken));
        let due = &times.due;
        let late = BooleanBuffer::collect_bool(due.len(), |i| due.is_valid(i) && due.value(i) <= passed(i));
        if late.count_set_bits() == 0 {
            return self.add(delta.batch, due);
        }
        let mask = BooleanArray::new(late, None);
        let of =
            |values: &Int64Array, mask| -> Result<Int64Array> { Ok(Int64Array::from(filter(values, mask)?.to_data())) };
        let watermark = Int64Array::from_iter_values((0..due.len()).map(passed));
        cx.late(LateRows {
            rows: filter_record_batch(&delta.batch, &mask)?,
            event_time: of(&times.event_time, &mask)?,
            window_end: of(&times.window_end, &mask)?,
            watermark: of(&watermark, &mask)?,
        });
        let on_time = arrow::compute::not(&mask)?;
        self.add(filter_record_batch(&delta.batch, &on_time)?, &of(due, &on_time)?)
    }

    fn add(&mut self, rows: RecordBatch, due: &Int64Array) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let due = due.iter().map(|d| d.unwrap_or(Micros::MAX)).collect();
        self.runs.push(by_due(rows, due)?);
        while let [.., before, last] = &self.runs[..]
            && before.left() <= 2 * last.left()
        {
            let parts = [before, last].map(|r| r.rows.slice(r.start, r.left()));
            let due = before.due[before.start..].iter().chain(&last.due[last.start..]).copied().collect();
            let merged = by_due(concat_batches(&self.schema, &parts)?, due)?;
            self.runs.truncate(self.runs.len() - 2);
            self.runs.push(merged);
        }
        Ok(())
    }

    /// Takes the rows that are due at `watermark`, in no special order.
    pub fn take(&mut self, watermark: Watermark) -> Result<Option<RecordBatch>> {
        self.taken = self.taken.max(watermark);
        let mut parts = vec![];
        for run in &mut self.runs {
            let count = run.due[run.start..].partition_point(|d| *d <= watermark.0);
            if count > 0 {
                parts.push(run.rows.slice(run.start, count));
                run.start += count;
            }
            // A small rest must not hold all that was taken.
            if run.left() > 0 && run.left() * 2 < run.due.len() {
                let rest = UInt32Array::from_iter_values(run.start as u32..run.due.len() as u32);
                let due = run.due.split_off(run.start);
                *run = Run { rows: take_rows(&run.rows, &rest)?, due, start: 0 };
            }
        }
        self.runs.retain(|r| r.left() > 0);
        match &parts[..] {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            many => Ok(Some(concat_batches(&self.schema, many)?)),
        }
    }

    /// How many rows wait.
    pub fn rows(&self) -> usize {
        self.runs.iter().map(Run::left).sum()
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.runs.iter().map(|r| r.rows.get_array_memory_size() + r.due.capacity() * size_of::<Micros>()).sum()
    }

    /// The earliest watermark that a row waits for.
    pub fn oldest(&self) -> Option<Micros> {
        self.runs.iter().map(|r| r.due[r.start]).min().filter(|d| *d < Micros::MAX)
    }
}

fn by_due(rows: RecordBatch, due: Vec<Micros>) -> Result<Run> {
    if due.is_sorted() {
        return Ok(Run { rows, due, start: 0 });
    }
    let mut places: Vec<u32> = (0..due.len() as u32).collect();
    places.sort_by_key(|p| due[*p as usize]);
    let due = places.iter().map(|p| due[*p as usize]).collect();
    Ok(Run { rows: take_rows(&rows, &UInt32Array::from(places))?, due, start: 0 })
}
