//! The columns of a result: the window, the keys, the aggregates.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int64Array, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray,
};
use arrow::compute::concat;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use tidemill_core::time::from_micros;
use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::window::{Span, WINDOW_TIME_BEFORE_END, Window, Zone};

use crate::expression::conform;
use crate::operator::Cx;

/// Results are put out in batches of about so many rows, where windows are small.
const BATCH_ROWS: usize = 8_192;

/// Groups with their results.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) keys: Vec<ArrayRef>,
    pub(super) values: Vec<ArrayRef>,
    pub(super) len: usize,
}

/// What is to be put out for a window.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) window: Span,
    pub(super) rows: Rows,
    /// Absent where all rows are inserted.
    pub(super) weights: Option<Int64Array>,
}

/// Makes the output columns.
#[derive(Debug, Clone)]
pub(super) struct Output {
    schema: SchemaRef,
    bound_type: DataType,
    time_type: DataType,
    zone: Zone,
}

impl Rows {
    pub(super) fn bytes(&self) -> usize {
        self.keys.iter().chain(&self.values).map(|a| a.get_array_memory_size()).sum()
    }
}

impl Output {
    /// For results of `schema`, by `window`.
    pub(super) fn new(schema: SchemaRef, window: &Window) -> Self {
        let (bound_type, time_type) = (window.bound_type(), window.window_time_type());
        Self { schema, bound_type, time_type, zone: window.zone }
    }

    /// Puts out results in their order, small ones together.
    pub(super) fn emit(&self, closed: &[Closed], cx: &mut Cx) -> Result<()> {
        let mut from = 0;
        while from < closed.len() {
            let mut rows = closed[from].rows.len;
            let mut to = from + 1;
            while closed[from].weights.is_none()
                && let Some(next) = closed.get(to).filter(|c| c.weights.is_none())
                && rows + next.rows.len <= BATCH_ROWS
            {
                rows += next.rows.len;
                to += 1;
            }
            cx.emit(self.delta(&closed[from..to], rows)?);
            from = to;
        }
        Ok(())
    }

    fn delta(&self, closed: &[Closed], rows: usize) -> Result<Delta> {
        // An instant is just before the instant at which the window is over.
        let over = |w: Span| match &self.time_type {
            DataType::Timestamp(_, Some(_)) => self.zone.to_instant(w.end),
            _ => w.end,
        };
        let mut columns = vec![
            times(closed, rows, |w| w.start, &self.bound_type)?,
            times(closed, rows, |w| w.end, &self.bound_type)?,
            times(closed, rows, |w| over(w).saturating_sub(WINDOW_TIME_BEFORE_END), &self.time_type)?,
        ];
        for of in [|r: &Rows| &r.keys, |r: &Rows| &r.values] as [fn(&Rows) -> &Vec<ArrayRef>; 2] {
            for i in 0..of(&closed[0].rows).len() {
                let pieces: Vec<&dyn Array> = closed.iter().map(|c| of(&c.rows)[i].as_ref()).collect();
                columns.push(if closed.len() == 1 { of(&closed[0].rows)[i].clone() } else { concat(&pieces)? });
            }
        }
        let batch = conform(&self.schema, columns, rows)?;
        Ok(match &closed[0].weights {
            Some(weights) => Delta::weighted(batch, weights.clone()),
            None => Delta::insert(batch),
        })
    }
}

/// A time of each window, for each of its rows.
fn times(closed: &[Closed], rows: usize, of: impl Fn(Span) -> Micros, to: &DataType) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, zone) = to else {
        return Err(Error::internal(format!("a window bound of type {to}")));
    };
    let mut ticks = Vec::with_capacity(rows);
    for c in closed {
        ticks.resize(ticks.len() + c.rows.len, from_micros(of(c.window), *unit));
    }
    let zone = zone.clone();
    Ok(match unit {
        TimeUnit::Second => Arc::new(TimestampSecondArray::from(ticks).with_timezone_opt(zone)),
        TimeUnit::Millisecond => Arc::new(TimestampMillisecondArray::from(ticks).with_timezone_opt(zone)),
        TimeUnit::Microsecond => Arc::new(TimestampMicrosecondArray::from(ticks).with_timezone_opt(zone)),
        TimeUnit::Nanosecond => Arc::new(TimestampNanosecondArray::from(ticks).with_timezone_opt(zone)),
    })
}

/// The watermark to forward by who puts out results when their windows close: windows end at whole milliseconds, and
/// results have a time one millisecond before that, so it is rounded down to a whole one.
pub(super) fn forwarded(watermark: Watermark) -> Watermark {
    match watermark {
        Watermark::MIN | Watermark::MAX => watermark,
        Watermark(t) => Watermark(t.saturating_sub(t.rem_euclid(WINDOW_TIME_BEFORE_END)).max(i64::MIN + 1)),
    }
}
