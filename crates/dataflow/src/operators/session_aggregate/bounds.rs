//! The columns that name a session, and how far the watermark may be forwarded above one.

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, TimeUnit};
use tidemill_core::{Micros, Result, Watermark};
use tidemill_plan::Window;
use tidemill_plan::window::WINDOW_TIME_BEFORE_END;

use crate::event_time::bounds_array;

/// `window_start`, `window_end` and `window_time` of sessions that begin and end with rows at these instants.
///
/// Sessions are measured on instants, and shown on the wall clock.
pub fn bound_columns(
    window: &Window,
    sessions: impl Iterator<Item = (Micros, Micros)> + Clone,
) -> Result<[ArrayRef; 3]> {
    let (zone, gap) = (window.zone, window.gap());
    let instant = matches!(&window.time_type, DataType::Timestamp(_, Some(_)));
    let column =
        |f: &dyn Fn(Micros, Micros) -> Micros| Int64Array::from_iter_values(sessions.clone().map(|(s, l)| f(s, l)));
    let start = column(&|start, _| zone.to_wall(start));
    let end = column(&|_, last| zone.to_wall(last.saturating_add(gap)));
    let time = column(&|_, last| {
        let end = last.saturating_add(gap) - WINDOW_TIME_BEFORE_END;
        if instant { end } else { zone.to_wall(end) }
    });
    let (bound, time_type) = (window.bound_type(), window.window_time_type());
    Ok([bounds_array(&start, &bound)?, bounds_array(&end, &bound)?, bounds_array(&time, &time_type)?])
}

/// The watermark to forward where every window that is put out later ends after `watermark - behind`, in whole `unit`s:
/// no `window_time` of theirs, which is a millisecond before the end, lies below it.
pub fn forwarded(unit: TimeUnit, behind: Micros, watermark: Watermark) -> Watermark {
    match (watermark.minus(behind), unit) {
        (end @ (Watermark::MIN | Watermark::MAX), _) => end,
        // The next whole millisecond is at least one after this.
        (Watermark(t), TimeUnit::Second | TimeUnit::Millisecond) => {
            Watermark(t.div_euclid(WINDOW_TIME_BEFORE_END).saturating_mul(WINDOW_TIME_BEFORE_END).max(i64::MIN + 1))
        }
        (t, _) => t.minus(WINDOW_TIME_BEFORE_END - 1),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::TimestampMicrosecondType;
    use tidemill_plan::WindowKind;
    use tidemill_plan::window::Zone;

    use super::*;

    #[test]
    fn sessions_are_measured_on_instants_and_shown_on_the_wall() {
        // 2024-03-31 01:00 UTC: in Berlin the clock goes from 02:00 to 03:00.
        let change: Micros = 1_711_846_800_000_000;
        let (minute, hour) = (60_000_000, 3_600_000_000);
        let window = Window {
            kind: WindowKind::Session { gap: 10 * minute },
            offset: 0,
            time: 0,
            time_type: DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            zone: Zone::parse("Europe/Berlin").unwrap(),
        };
        let columns = bound_columns(&window, [(change - 5 * minute, change - minute)].into_iter()).unwrap();
        let values = columns.map(|c| c.as_primitive::<TimestampMicrosecondType>().value(0));
        let end = change + 9 * minute;
        assert_eq!(values, [change - 5 * minute + hour, end + 2 * hour, end - 1_000]);
    }

    #[test]
    fn no_later_window_time_lies_below_the_forwarded_watermark() {
        let check = |unit, behind, watermark, expected| {
            assert_eq!(forwarded(unit, behind, Watermark(watermark)), Watermark(expected));
        };
        check(TimeUnit::Millisecond, 10_000, 25_300, 15_000);
        check(TimeUnit::Second, 0, -300, -1_000);
        // The next end is at 15.001 ms at the earliest, its window_time a millisecond before.
        check(TimeUnit::Microsecond, 10_000, 25_000, 14_001);
        check(TimeUnit::Millisecond, 10_000, i64::MAX, i64::MAX);
        check(TimeUnit::Microsecond, 10_000, i64::MIN, i64::MIN);
    }
}
