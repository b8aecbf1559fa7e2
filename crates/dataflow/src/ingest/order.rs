//! Whether rows are in order, seen at a glance: a few vector operations over the times instead of a comparison with the
//! running watermark for each. Most pieces of most streams are.

use arrow::array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, TimeUnit};
use tidemill_core::time::to_micros;
use tidemill_core::{Micros, Watermark};

/// The watermark after rows with these times and this delay, if it can be seen at a glance that none of them is below the
/// watermark before it: all are within the delay of each other, or they are sorted. `None` says nothing.
pub(super) fn watermark_after(time: &ArrayRef, delay: Micros, watermark: Watermark) -> Option<Watermark> {
    let ends = ends(time)?;
    let [least, greatest] = [ends.least, ends.greatest].map(|t| to_micros(t, ends.unit));
    let after = greatest.saturating_sub(delay);
    let within = least >= after || (delay >= 0 && ends.sorted);
    // A time cannot say that the input has ended.
    (within && least >= watermark.0).then(|| Watermark(after.min(i64::MAX - 1)).max(watermark))
}

/// The least and the greatest value of a time column without NULLs, in its unit, and whether its values are sorted.
struct Ends {
    least: i64,
    greatest: i64,
    sorted: bool,
    unit: TimeUnit,
}

fn ends(time: &ArrayRef) -> Option<Ends> {
    let DataType::Timestamp(unit, _) = time.data_type() else { return None };
    let values = ticks(time)?;
    let (first, last) = (*values.first()?, *values.last()?);
    if is_sorted(values) {
        return Some(Ends { least: first, greatest: last, sorted: true, unit: *unit });
    }
    let (least, greatest) = values.iter().fold((first, first), |(min, max), v| (min.min(*v), max.max(*v)));
    Some(Ends { least, greatest, sorted: false, unit: *unit })
}

/// Every row of every source passes here, and the oldest processors that the engine runs on cannot compare several 64-bit
/// numbers at once: those that can do it in half the time.
fn is_sorted(values: &[i64]) -> bool {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { is_sorted_avx2(values) };
    }
    is_sorted_anywhere(values)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn is_sorted_avx2(values: &[i64]) -> bool {
    is_sorted_anywhere(values)
}

/// In pieces, so that each is compared without a branch for every value, and rows in disorder are found out early.
#[inline(always)]
fn is_sorted_anywhere(values: &[i64]) -> bool {
    let pairs = |piece: &[i64]| piece.iter().zip(&piece[1..]).fold(true, |sorted, (a, b)| sorted & (a <= b));
    values.chunks(1024).all(pairs) && values.chunks(1024).is_sorted_by(|a, b| a.last() <= b.first())
}

/// The values of a time column in its unit.
fn ticks(time: &ArrayRef) -> Option<&[i64]> {
    let DataType::Timestamp(unit, _) = time.data_type() else { return None };
    Some(match unit {
        TimeUnit::Second => time.as_primitive::<TimestampSecondType>().values(),
        TimeUnit::Millisecond => time.as_primitive::<TimestampMillisecondType>().values(),
        TimeUnit::Microsecond => time.as_primitive::<TimestampMicrosecondType>().values(),
        TimeUnit::Nanosecond => time.as_primitive::<TimestampNanosecondType>().values(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, TimestampMicrosecondArray, TimestampNanosecondArray};
    use proptest::prelude::*;

    use super::super::Running;
    use super::*;

    /// What row after row gives, if no row is below the watermark before it.
    fn row_by_row(times: &[i64], delay: Micros, before: i64) -> Option<i64> {
        let mut running = Running(before);
        let below: Option<Int64Array> = running.over(times, |_, t| t.saturating_sub(delay));
        below.is_none().then_some(running.0)
    }

    fn micros(times: &[i64]) -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(times.to_vec()))
    }

    #[test]
    fn sorted_rows_and_rows_within_the_delay_are_in_order() {
        let after =
            |times: &[i64], delay, before| watermark_after(&micros(times), delay, Watermark(before)).map(|w| w.0);
        assert_eq!(after(&[5, 5, 9], 0, 5), Some(9));
        assert_eq!(after(&[5, 5, 9], 0, 6), None);
        assert_eq!(after(&[9, 5], 4, 0), Some(5));
        assert_eq!(after(&[9, 5], 3, 0), None);
        assert_eq!(after(&[3], 10, 1), Some(1), "a watermark does not fall");
        assert_eq!(after(&[i64::MAX], 0, 0), Some(i64::MAX - 1), "a time does not end a split");
        let long: Vec<i64> = (0..5_000).collect();
        assert_eq!(after(&long, 0, 0), Some(4_999));
        let mut broken = long;
        broken.swap(1_023, 1_024);
        assert_eq!(after(&broken, 0, 0), None);
    }

    #[test]
    fn nanoseconds_are_rounded_down() {
        let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![-1, 1_999]));
        assert_eq!(watermark_after(&times, 0, Watermark(-1)), Some(Watermark(1)));
        assert_eq!(watermark_after(&times, 0, Watermark(0)), None);
    }

    proptest! {
        #[test]
        fn it_says_what_row_after_row_would(
            times in prop::collection::vec(-20_i64..20, 1..8),
            delay in -3_i64..12,
            before in -30_i64..20,
        ) {
            if let Some(after) = watermark_after(&micros(&times), delay, Watermark(before)) {
                prop_assert_eq!(Some(after.0), row_by_row(&times, delay, before));
            }
        }
    }
}
