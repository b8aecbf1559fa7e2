//! Windows as rows: each row once for each window it belongs to, with the window's bounds in three columns at the end.
//!
//! A row is in no window where a HOP leaves a gap, and where its time is NULL, which can happen only for a column that
//! is not the event time (a row without event time is rejected at the rim). Such a row is dropped, as in Flink.

use arrow::array::{Array, ArrayRef, Int64Array, UInt32Array};
use arrow::compute::is_not_null;
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Micros, Result, Watermark};
use tidemill_plan::window::{Span, WINDOW_TIME_BEFORE_END, Window, WindowKind, Zone, align};

use crate::event_time::{bounds_array, wall_micros};
use crate::expression::conform;
use crate::operator::{Cx, Operator};

/// Adds `window_start`, `window_end` and `window_time`. For TUMBLE, HOP and CUMULATE; sessions have their own operator.
#[derive(Debug)]
pub struct WindowRows {
    window: Window,
    schema: SchemaRef,
}

impl WindowRows {
    /// Rows of `window`, as the columns of `schema`: the input's, then the bounds.
    pub fn new(window: Window, schema: SchemaRef) -> Self {
        Self { window, schema }
    }
}

impl Operator for WindowRows {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let time = delta.batch.column(self.window.time);
        if time.null_count() > 0 {
            let timed = delta.filter(&is_not_null(time)?)?;
            return if timed.is_empty() { Ok(()) } else { self.push(0, timed, cx) };
        }
        let wall = wall_micros(time, self.window.zone)?;
        let (delta, starts, ends) = match self.window.kind {
            WindowKind::Tumble { size } => {
                let (starts, ends) = tumble(wall.values(), size, self.window.offset);
                (delta, starts, ends)
            }
            _ => {
                let (rows, starts, ends) = expand(&self.window, wall.values());
                (delta.take(&rows)?, starts, ends)
            }
        };
        if delta.is_empty() {
            return Ok(());
        }
        let rows = delta.num_rows();
        let (_, mut columns, _) = delta.batch.into_parts();
        columns.extend(bounds(&self.window, starts.into(), ends.into())?);
        cx.emit(Delta { batch: conform(&self.schema, columns, rows)?, ..delta });
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, _cx: &mut Cx) -> Result<Watermark> {
        Ok(forwarded(watermark))
    }
}

/// What a window operator can promise of `window_time` once the watermark is `watermark`.
///
/// `window_time` is a millisecond before the end of the window, which may be before the time of a row in the window's
/// last millisecond: so the promise holds for whole milliseconds.
pub fn forwarded(watermark: Watermark) -> Watermark {
    match watermark {
        Watermark::MIN | Watermark::MAX => watermark,
        Watermark(t) => Watermark(align(t, WINDOW_TIME_BEFORE_END, 0)),
    }
}

/// The columns `window_start`, `window_end` and `window_time` for bounds on the wall clock, in microseconds.
pub fn bounds(window: &Window, starts: Int64Array, ends: Int64Array) -> Result<[ArrayRef; 3]> {
    let instant_of = Memo::new(|end| match window.zone {
        Zone::Utc => end - WINDOW_TIME_BEFORE_END,
        zone => zone.to_instant(end) - WINDOW_TIME_BEFORE_END,
    });
    let mut instant_of = instant_of;
    let times: Int64Array = ends.values().iter().map(|end| instant_of.get(*end)).collect::<Vec<_>>().into();
    Ok([
        bounds_array(&starts, &window.bound_type())?,
        bounds_array(&ends, &window.bound_type())?,
        bounds_array(&times, &window.window_time_type())?,
    ])
}

/// The last answer of a function: neighbouring rows mostly share their window.
struct Memo<F> {
    last: Option<(Micros, Micros)>,
    of: F,
}

impl<F: Fn(Micros) -> Micros> Memo<F> {
    fn new(of: F) -> Self {
        Self { last: None, of }
    }

    fn get(&mut self, t: Micros) -> Micros {
        match self.last {
            Some((from, to)) if from == t => to,
            _ => {
                let to = (self.of)(t);
                self.last = Some((t, to));
                to
            }
        }
    }
}

/// The one window of each time: a division only where a row leaves the window of the row before it.
fn tumble(times: &[Micros], size: Micros, offset: Micros) -> (Vec<Micros>, Vec<Micros>) {
    let mut starts = Vec::with_capacity(times.len());
    let mut ends = Vec::with_capacity(times.len());
    let mut window = Span { start: 0, end: 0 };
    for t in times {
        if *t < window.start || *t >= window.end {
            let start = align(*t, size, offset);
            window = Span { start, end: start.saturating_add(size) };
        }
        starts.push(window.start);
        ends.push(window.end);
    }
    (starts, ends)
}

/// For each window of each time: the row, the start, the end.
fn expand(window: &Window, times: &[Micros]) -> (UInt32Array, Vec<Micros>, Vec<Micros>) {
    let (mut rows, mut starts, mut ends) = (vec![], vec![], vec![]);
    for (row, t) in times.iter().enumerate() {
        for span in window.windows_of(*t) {
            rows.push(row as u32);
            starts.push(span.start);
            ends.push(span.end);
        }
    }
    (rows.into(), starts, ends)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{RecordBatch, TimestampMillisecondArray};
    use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
    use expect_test::{Expect, expect};

    use super::*;
    use crate::testing::{picture, run};

    const S: Micros = 1_000_000;

    fn check(kind: WindowKind, zone: &str, seconds: Vec<Option<i64>>, expected: Expect) {
        let utc = zone == "UTC";
        let time_type = DataType::Timestamp(TimeUnit::Millisecond, (!utc).then(|| "UTC".into()));
        let zone = Zone::parse(zone).unwrap();
        let window = Window { kind, offset: 0, time: 0, time_type: time_type.clone(), zone };
        let array = TimestampMillisecondArray::from_iter(seconds.into_iter().map(|t| t.map(|t| t * 1_000)))
            .with_timezone_opt((!utc).then_some("UTC"));
        let schema = |more: Vec<Field>| {
            let mut fields = vec![Field::new("ts", time_type.clone(), true)];
            fields.extend(more);
            Arc::new(Schema::new(fields))
        };
        let batch = RecordBatch::try_new(schema(vec![]), vec![Arc::new(array)]).unwrap();
        let weights = Int64Array::from_iter_values((0..batch.num_rows() as i64).map(|i| i + 1));
        let out = schema(vec![
            Field::new("window_start", window.bound_type(), false),
            Field::new("window_end", window.bound_type(), false),
            Field::new("window_time", window.window_time_type(), false),
        ]);
        expected.assert_eq(&picture(&run(WindowRows::new(window, out), vec![Delta::weighted(batch, weights)])));
    }

    #[test]
    fn tumble_keeps_each_row_once() {
        check(
            WindowKind::Tumble { size: 10 * S },
            "UTC",
            vec![Some(1), Some(9), None, Some(10)],
            expect![[r#"
            +---------------------+---------------------+---------------------+-------------------------+--------+
            | ts                  | window_start        | window_end          | window_time             | weight |
            +---------------------+---------------------+---------------------+-------------------------+--------+
            | 1970-01-01T00:00:01 | 1970-01-01T00:00:00 | 1970-01-01T00:00:10 | 1970-01-01T00:00:09.999 | 1      |
            | 1970-01-01T00:00:09 | 1970-01-01T00:00:00 | 1970-01-01T00:00:10 | 1970-01-01T00:00:09.999 | 2      |
            | 1970-01-01T00:00:10 | 1970-01-01T00:00:10 | 1970-01-01T00:00:20 | 1970-01-01T00:00:19.999 | 4      |
            +---------------------+---------------------+---------------------+-------------------------+--------+"#]],
        );
    }

    #[test]
    fn hop_repeats_rows_and_leaves_out_those_in_a_gap() {
        check(
            WindowKind::Hop { size: 10 * S, slide: 5 * S },
            "UTC",
            vec![Some(1), Some(7)],
            expect![[r#"
            +---------------------+---------------------+---------------------+-------------------------+--------+
            | ts                  | window_start        | window_end          | window_time             | weight |
            +---------------------+---------------------+---------------------+-------------------------+--------+
            | 1970-01-01T00:00:01 | 1969-12-31T23:59:55 | 1970-01-01T00:00:05 | 1970-01-01T00:00:04.999 | 1      |
            | 1970-01-01T00:00:01 | 1970-01-01T00:00:00 | 1970-01-01T00:00:10 | 1970-01-01T00:00:09.999 | 1      |
            | 1970-01-01T00:00:07 | 1970-01-01T00:00:00 | 1970-01-01T00:00:10 | 1970-01-01T00:00:09.999 | 2      |
            | 1970-01-01T00:00:07 | 1970-01-01T00:00:05 | 1970-01-01T00:00:15 | 1970-01-01T00:00:14.999 | 2      |
            +---------------------+---------------------+---------------------+-------------------------+--------+"#]],
        );
        check(
            WindowKind::Hop { size: 2 * S, slide: 5 * S },
            "UTC",
            vec![Some(1), Some(3)],
            expect![[r#"
            +---------------------+---------------------+---------------------+-------------------------+--------+
            | ts                  | window_start        | window_end          | window_time             | weight |
            +---------------------+---------------------+---------------------+-------------------------+--------+
            | 1970-01-01T00:00:01 | 1970-01-01T00:00:00 | 1970-01-01T00:00:02 | 1970-01-01T00:00:01.999 | 1      |
            +---------------------+---------------------+---------------------+-------------------------+--------+"#]],
        );
    }

    #[test]
    fn a_day_is_a_day_of_the_zone() {
        // 2024-03-30 23:30 UTC and 2024-03-31 21:59:59 UTC: the same day in Berlin, 23 hours long.
        let day = WindowKind::Tumble { size: 86_400 * S };
        check(
            day,
            "Europe/Berlin",
            vec![Some(1_711_841_400), Some(1_711_922_399)],
            expect![[r#"
            +----------------------+---------------------+---------------------+--------------------------+--------+
            | ts                   | window_start        | window_end          | window_time              | weight |
            +----------------------+---------------------+---------------------+--------------------------+--------+
            | 2024-03-30T23:30:00Z | 2024-03-31T00:00:00 | 2024-04-01T00:00:00 | 2024-03-31T21:59:59.999Z | 1      |
            | 2024-03-31T21:59:59Z | 2024-03-31T00:00:00 | 2024-04-01T00:00:00 | 2024-03-31T21:59:59.999Z | 2      |
            +----------------------+---------------------+---------------------+--------------------------+--------+"#]],
        );
    }
}
