//! At the rim, one [`Ingest`] for each split: event time, rejected rows, the split's watermark and the rows below it.
//!
//! A pure function of the split's rows in their order: how they are cut into pieces makes no difference. It reads
//! nothing and waits for nothing; merging the watermarks of several splits is done in
//! [`split_watermarks`](crate::split_watermarks).

mod order;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, Int64Builder, RecordBatch, new_null_array};
use arrow::compute::{concat, filter, filter_record_batch, is_not_null};
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use tidemill_core::source::Piece;
use tidemill_core::{Delta, Error, Position, RejectedRow, Result, SplitId, Watermark, json};
use tidemill_plan::op::{Changelog, EventTime, Expr, OnError, SourceOp, WatermarkExpr};

use crate::changelog::{changes, no_weights};
use crate::event_time::micros;
use crate::expression::{conform, data_error, evaluate};

/// Takes in the pieces of one split, one after the other.
#[derive(Debug)]
pub struct Ingest {
    schema: SchemaRef,
    event_time: Option<EventTime>,
    on_error: OnError,
    changelog: Option<Changelog>,
    split: Option<SplitId>,
    watermark: Watermark,
}

/// What became of a piece.
#[derive(Debug)]
pub struct Taken {
    /// The rows that were taken in, with the source's columns. Those below the split's watermark carry it along.
    pub delta: Delta,
    /// The records that were not.
    pub rejected: Vec<RejectedRow>,
    /// The split's watermark after the piece.
    pub watermark: Watermark,
    /// Where to resume after the piece.
    pub position: Position,
    /// How many bytes of input it was.
    pub bytes: u64,
}

impl Ingest {
    /// For a split of the source `op`, whose decoded columns are those of `decoded_schema`.
    pub fn new(op: &SourceOp, decoded_schema: SchemaRef) -> Result<Self> {
        let computed = op.event_time.as_ref().and_then(|e| e.computed.as_ref());
        let schema = match computed {
            None => decoded_schema,
            Some((field, _)) => {
                let mut fields = decoded_schema.fields().to_vec();
                fields.push(Arc::clone(field));
                Arc::new(Schema::new(fields))
            }
        };
        if let Some(event_time) = &op.event_time
            && event_time.column >= schema.fields().len()
        {
            return Err(Error::internal(format!("event time in column {} of {}", event_time.column, op.name)));
        }
        let event_time = op.event_time.clone();
        let changelog = op.changelog.clone();
        let schema = changelog.as_ref().map_or(Arc::clone(&schema), |c| c.readable(&schema));
        Ok(Self { schema, event_time, on_error: op.on_error, changelog, split: None, watermark: Watermark::MIN })
    }

    /// Names the split, for messages.
    #[must_use]
    pub fn of_split(mut self, split: SplitId) -> Self {
        self.split = Some(split);
        self
    }

    /// The columns of what is taken in: the decoded ones, then the event time where that is computed.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The split's watermark after the rows so far.
    pub fn watermark(&self) -> Watermark {
        self.watermark
    }

    /// Takes in the next piece.
    pub fn take(&mut self, piece: Piece) -> Result<Taken> {
        let Piece { batch, weights, mut rejected, position, bytes, raw } = piece;
        let mut bad = vec![];
        let delta = match (self.changelog.clone(), self.event_time.clone()) {
            (Some(changelog), _) => self.take_changes(&changelog, &batch, weights, &mut bad)?,
            (None, None) => {
                no_weights(weights.as_ref())?;
                Delta::insert(conform(&self.schema, batch.columns().to_vec(), batch.num_rows())?)
            }
            (None, Some(event_time)) => {
                no_weights(weights.as_ref())?;
                self.take_timed(&event_time, &batch, &mut bad)?
            }
        };
        rejected.extend(bad.into_iter().map(|(row, reason)| match &raw {
            Some(raw) => {
                let (raw, position) = raw.record(row);
                RejectedRow { raw, position, reason }
            }
            None => RejectedRow { raw: row_as_json(&batch, row), position: position.clone(), reason },
        }));
        if self.on_error == OnError::Fail
            && let Some(first) = rejected.first()
        {
            return Err(self.refusal(first));
        }
        Ok(Taken { delta, rejected, watermark: self.watermark, position, bytes })
    }

    /// The rows that have an event time; the others, and why, go to `bad`.
    fn take_timed(
        &mut self,
        event_time: &EventTime,
        batch: &RecordBatch,
        bad: &mut Vec<(usize, String)>,
    ) -> Result<Delta> {
        let computed = event_time.computed.as_ref();
        let time = match computed {
            Some((_, expr)) => evaluate_each(expr, batch, bad)?,
            None => Arc::clone(batch.column(event_time.column)),
        };
        let (mut time, mut batch) = (time, batch.clone());
        // The rows' places in the piece, once some of them are gone.
        let mut places = None;
        if time.null_count() > 0 {
            let name = self.schema.field(event_time.column).name();
            let failed: Vec<usize> = bad.iter().map(|(row, _)| *row).collect();
            let nulls = (0..time.len()).filter(|row| time.is_null(*row) && failed.binary_search(row).is_err());
            bad.extend(nulls.map(|row| (row, format!("the event time '{name}' is NULL"))));
            bad.sort_by_key(|(row, _)| *row);
            let keep = is_not_null(&time)?;
            places = Some((0..time.len()).filter(|row| time.is_valid(*row)).collect::<Vec<_>>());
            (time, batch) = (filter(&time, &keep)?, filter_record_batch(&batch, &keep)?);
        }
        let rows = batch.num_rows();
        let mut columns = batch.columns().to_vec();
        columns.extend(computed.map(|_| Arc::clone(&time)));
        let batch = conform(&self.schema, columns, rows)?;
        if let WatermarkExpr::Delay(delay) = &event_time.watermark
            && let Some(watermark) = order::watermark_after(&time, *delay, self.watermark)
        {
            self.watermark = watermark;
            return Ok(Delta::insert(batch));
        }
        let times = micros(&time)?;
        let mut running = Running(self.watermark.0);
        let delta = match &event_time.watermark {
            WatermarkExpr::Delay(delay) => Delta {
                split_watermark: running.over(times.values(), |_, t| t.saturating_sub(*delay)),
                ..Delta::insert(batch)
            },
            WatermarkExpr::Expr(expr) => {
                let mut failed = vec![];
                let after = micros(&evaluate_each(expr, &batch, &mut failed)?)?;
                let after = |row: usize, _| if after.is_valid(row) { after.value(row) } else { i64::MIN };
                let split_watermark = running.over(times.values(), after);
                let delta = Delta { split_watermark, ..Delta::insert(batch) };
                self.without(delta, failed, places, bad)?
            }
        };
        self.watermark = Watermark(running.0);
        Ok(delta)
    }

    /// Records that are changes. Each row carries the watermark of its split just before it, also where it is not below
    /// it: the row that it takes back may be.
    fn take_changes(
        &mut self,
        changelog: &Changelog,
        batch: &RecordBatch,
        weights: Option<Int64Array>,
        bad: &mut Vec<(usize, String)>,
    ) -> Result<Delta> {
        let (delta, places) = changes(changelog, batch, weights, bad)?;
        let Some(event_time) = self.event_time.clone() else {
            let batch = conform(&self.schema, delta.batch.columns().to_vec(), delta.num_rows())?;
            return Ok(delta.with_batch(batch));
        };
        let mut failed = vec![];
        let time = match &event_time.computed {
            Some((_, expr)) => evaluate_each(expr, &delta.batch, &mut failed)?,
            None => Arc::clone(delta.batch.column(event_time.column)),
        };
        let inserts = |row: usize| delta.weights.as_ref().is_none_or(|w| w.value(row) > 0);
        // A deletion by key need not know the time of the row that it deletes.
        let timeless = |row: usize| time.is_null(row) && (inserts(row) || changelog.key.is_empty());
        let name = self.schema.field(event_time.column).name();
        let is_bad: Vec<bool> = (0..delta.num_rows()).map(timeless).collect();
        for (row, _) in is_bad.iter().enumerate().filter(|(_, bad)| **bad) {
            let why = failed.iter().find(|(r, _)| *r == row).map(|(_, why)| why.clone());
            let row = places.as_ref().map_or(row, |p| p[row]);
            bad.push((row, why.unwrap_or_else(|| format!("the event time '{name}' is NULL"))));
        }
        bad.sort_by_key(|(row, _)| *row);
        let keep: BooleanArray = is_bad.into_iter().map(|bad| Some(!bad)).collect();
        let (delta, time) = match keep.true_count() == keep.len() {
            true => (delta, time),
            false => (delta.filter(&keep)?, filter(&time, &keep)?),
        };
        let mut columns = delta.batch.columns().to_vec();
        columns.extend(event_time.computed.as_ref().map(|_| Arc::clone(&time)));
        let delta = delta.with_batch(conform(&self.schema, columns, delta.num_rows())?);
        let times = micros(&time)?;
        let after: Int64Array = match &event_time.watermark {
            WatermarkExpr::Delay(delay) => times.iter().map(|t| t.map(|t| t.saturating_sub(*delay))).collect(),
            // A record whose watermark cannot be told leaves it where it is.
            WatermarkExpr::Expr(expr) => micros(&evaluate_each(expr, &delta.batch, &mut vec![])?)?,
        };
        let mut watermark = self.watermark.0;
        let side = (0..delta.num_rows()).map(|row| {
            let before = watermark;
            if after.is_valid(row) && delta.weights.as_ref().is_none_or(|w| w.value(row) > 0) {
                watermark = watermark.max(after.value(row).min(i64::MAX - 1));
            }
            before
        });
        let side: Int64Array = side.collect();
        self.watermark = Watermark(watermark);
        Ok(Delta { split_watermark: Some(side), ..delta })
    }

    /// `delta` without the rows in `failed`, which go to `bad` under their places in the piece.
    fn without(
        &self,
        delta: Delta,
        failed: Vec<(usize, String)>,
        places: Option<Vec<usize>>,
        bad: &mut Vec<(usize, String)>,
    ) -> Result<Delta> {
        if failed.is_empty() {
            return Ok(delta);
        }
        let mut keep = vec![true; delta.num_rows()];
        for (row, reason) in failed {
            keep[row] = false;
            bad.push((places.as_ref().map_or(row, |p| p[row]), reason));
        }
        bad.sort_by_key(|(row, _)| *row);
        delta.filter(&BooleanArray::from(keep))
    }

    fn refusal(&self, row: &RejectedRow) -> Error {
        let split = self.split.as_ref().map(|s| format!("split {s}, ")).unwrap_or_default();
        Error::data(format!("{split}at {}: {}", row.position, row.reason)).with_hint(
            "With 'on-error' = 'reject' such records are kept in tidemill.rejected_rows, and the query goes on.",
        )
    }
}

/// The running watermark of a split, in microseconds.
struct Running(i64);

impl Running {
    /// Goes over rows with `times`; the watermark after a row is at least `after(row, time)`. Returns the watermark just
    /// before each row that is below it, if there is such a row.
    ///
    /// Data in order pays one comparison and one maximum a row: the side column is begun at the first row that needs it.
    fn over(&mut self, times: &[i64], after: impl Fn(usize, i64) -> i64) -> Option<Int64Array> {
        // A time cannot say that the input has ended, nor that nothing was promised.
        let after = |row, t| after(row, t).min(i64::MAX - 1);
        let mut watermark = self.0;
        let mut below = None;
        for (row, t) in times.iter().enumerate() {
            if *t < watermark {
                below = Some(row);
                break;
            }
            watermark = watermark.max(after(row, *t));
        }
        let side = below.map(|first| {
            let mut side = Int64Builder::with_capacity(times.len());
            side.append_nulls(first);
            for (row, t) in times.iter().enumerate().skip(first) {
                side.append_option((*t < watermark).then_some(watermark));
                watermark = watermark.max(after(row, *t));
            }
            side.finish()
        });
        self.0 = watermark;
        side
    }
}

/// The value of `expr` for each row. Where it fails for some row it is NULL there, and the reason goes to `failed`: one
/// bad record never affects its neighbours.
fn evaluate_each(expr: &Expr, batch: &RecordBatch, failed: &mut Vec<(usize, String)>) -> Result<ArrayRef> {
    if let Ok(all) = evaluate(expr, batch) {
        return Ok(all);
    }
    let data_type = expr.data_type(batch.schema_ref()).map_err(data_error)?;
    let mut values = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        values.push(evaluate(expr, &batch.slice(row, 1)).unwrap_or_else(|e| {
            failed.push((row, e.message().to_string()));
            new_null_array(&data_type, 1)
        }));
    }
    let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
    Ok(concat(&values)?)
}

/// A row whose raw record is not known, as a line of JSON without its newline.
fn row_as_json(batch: &RecordBatch, row: usize) -> Bytes {
    let mut writer = json::lines(vec![]);
    // A column of a type that JSON cannot hold leaves the text empty; the reason and the position are there still.
    let written = writer.write(&batch.slice(row, 1)).and_then(|()| writer.finish());
    let mut text = written.map(|()| writer.into_inner()).unwrap_or_default();
    while text.last() == Some(&b'\n') {
        text.pop();
    }
    text.into()
}
