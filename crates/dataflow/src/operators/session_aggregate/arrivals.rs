//! Rows on their way into sessions: which of them have a place there, and at what time.

use arrow::array::{Array, BooleanArray, Int64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use tidemill_core::{Delta, Error, Micros, Result};
use tidemill_plan::Window;

use crate::event_time::micros;
use crate::{Cx, LateRows};

/// Rows that go into sessions, each with its time as an instant.
pub struct Arrivals {
    /// The rows.
    pub rows: RecordBatch,
    /// One time a row, none of them NULL.
    pub times: Int64Array,
    /// One weight a row; absent where all are insertions.
    pub weights: Option<Int64Array>,
}

/// The rows of `delta`, which are never taken back, that have a time and are not late. Those that are late are reported.
pub fn arrivals(delta: Delta, window: &Window, lateness: Micros, cx: &mut Cx) -> Result<Arrivals> {
    match delta.weights {
        None => changed_arrivals(delta, window, lateness, cx),
        Some(_) => Err(Error::internal("sessions over rows that are never taken back were handed weights")),
    }
}

/// The rows of `delta` that have a time and are not late, with their weights. Those that are late are reported.
///
/// A row is late iff the session that it would be on its own, and the allowed lateness, are over by the watermark of its
/// own split. A row without a time is in no session.
pub fn changed_arrivals(delta: Delta, window: &Window, lateness: Micros, cx: &mut Cx) -> Result<Arrivals> {
    let times = micros(delta.batch.column(window.time))?;
    let mut keep = times.nulls().filter(|n| n.null_count() > 0).map(|n| n.inner().clone());
    if let Some(split) = &delta.split_watermark {
        let reach = window.gap().saturating_add(lateness);
        let late = BooleanBuffer::collect_bool(times.len(), |i| {
            split.is_valid(i) && times.is_valid(i) && times.value(i).saturating_add(reach) <= split.value(i)
        });
        if late.count_set_bits() > 0 {
            report(&delta, &times, &late, split, window, cx)?;
            let on_time = !&late;
            keep = Some(keep.map_or(on_time.clone(), |k| &k & &on_time));
        }
    }
    let Some(keep) = keep else { return Ok(Arrivals { rows: delta.batch, times, weights: delta.weights }) };
    let keep = BooleanArray::new(keep, None);
    let times = arrow::compute::filter(&times, &keep)?;
    let on_time = delta.filter(&keep)?;
    Ok(Arrivals { rows: on_time.batch, times: Int64Array::from(times.to_data()), weights: on_time.weights })
}

fn report(
    delta: &Delta,
    times: &Int64Array,
    late: &BooleanBuffer,
    split: &Int64Array,
    window: &Window,
    cx: &mut Cx,
) -> Result<()> {
    let mask = BooleanArray::new(late.clone(), None);
    let of = |values: &Int64Array| -> Result<Int64Array> {
        Ok(Int64Array::from(arrow::compute::filter(values, &mask)?.to_data()))
    };
    let event_time = of(times)?;
    let window_end = event_time.values().iter().map(|t| window.zone.to_wall(t.saturating_add(window.gap())));
    cx.late(LateRows {
        rows: arrow::compute::filter_record_batch(&delta.batch, &mask)?,
        window_end: Int64Array::from_iter_values(window_end),
        watermark: of(split)?,
        event_time,
    });
    Ok(())
}
