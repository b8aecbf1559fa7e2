//! The columns of a result: the window, the keys, the aggregates.

use arrow::array::{Array, ArrayData, ArrayRef, Int64Array, RecordBatch, make_array};
use arrow::buffer::Buffer;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use tidemill_core::{Delta, Micros, Result, Watermark};
use tidemill_plan::window::{Span, WINDOW_TIME_BEFORE_END, Window, Zone};

use crate::event_time::bounds_array;
use crate::expression::conform;
use crate::operator::Cx;

/// Results are put out in batches of about so many rows, where windows are small.
const BATCH_ROWS: usize = 8_192;

/// Makes the output columns.
#[derive(Debug, Clone)]
pub(super) struct Output {
    schema: SchemaRef,
    bound_type: DataType,
    time_type: DataType,
    zone: Zone,
}

impl Output {
    /// For results of `schema`, by `window`.
    pub(super) fn new(schema: SchemaRef, window: &Window) -> Self {
        Self { schema, bound_type: window.bound_type(), time_type: window.window_time_type(), zone: window.zone }
    }

    /// The rows of one window.
    pub(super) fn rows(
        &self,
        window: Span,
        keys: Vec<ArrayRef>,
        values: Vec<ArrayRef>,
        rows: usize,
    ) -> Result<RecordBatch> {
        // One value is put into the column's unit, and then repeated.
        let column = |t: Micros, to: &DataType| -> Result<ArrayRef> {
            let one = bounds_array(&Int64Array::from_value(t, 1), to)?;
            let ticks = one.to_data().buffer::<i64>(0)[0];
            let buffer = Buffer::from_vec(vec![ticks; rows]);
            Ok(make_array(ArrayData::builder(to.clone()).len(rows).add_buffer(buffer).build()?))
        };
        // An instant is just before the instant at which the window is over.
        let (end, instant) = match &self.time_type {
            DataType::Timestamp(_, Some(_)) => (self.zone.to_instant(window.end), true),
            _ => (window.end, false),
        };
        debug_assert!(instant || self.zone == Zone::Utc, "wall-clock windows are cut as they are");
        let mut columns = vec![
            column(window.start, &self.bound_type)?,
            column(window.end, &self.bound_type)?,
            column(end.saturating_sub(WINDOW_TIME_BEFORE_END), &self.time_type)?,
        ];
        columns.extend(keys);
        columns.extend(values);
        conform(&self.schema, columns, rows)
    }

    /// Puts out results, small ones together. Changes with weights are put out as they are.
    pub(super) fn emit(&self, results: Vec<Delta>, cx: &mut Cx) -> Result<()> {
        let mut held: Vec<RecordBatch> = vec![];
        let mut rows = 0;
        let let_go = |held: &mut Vec<RecordBatch>, cx: &mut Cx| -> Result<()> {
            match held.as_slice() {
                [] => {}
                [one] => cx.emit(Delta::insert(one.clone())),
                many => cx.emit(Delta::insert(concat_batches(&self.schema, many)?)),
            }
            held.clear();
            Ok(())
        };
        for result in results {
            if result.weights.is_some() || result.num_rows() + rows > BATCH_ROWS {
                let_go(&mut held, cx)?;
                rows = 0;
            }
            if result.weights.is_some() {
                cx.emit(result);
            } else {
                rows += result.num_rows();
                held.push(result.batch);
            }
        }
        let_go(&mut held, cx)
    }
}

/// The watermark to forward by who puts out results when their windows close: windows end at whole milliseconds, and
/// results have a time one millisecond before that, so it is rounded down to a whole one.
pub(super) fn forwarded(watermark: Watermark) -> Watermark {
    match watermark {
        Watermark::MIN | Watermark::MAX => watermark,
        Watermark(t) => Watermark(t.saturating_sub(t.rem_euclid(WINDOW_TIME_BEFORE_END)).max(i64::MIN + 1)),
    }
}
