//! Timestamp columns as microseconds and back: what windows and watermarks count in.
//!
//! Columns keep the unit and the zone they were declared with; the engine counts [`Micros`] in an `i64`. Everything here
//! works on whole columns. A NULL stays a NULL, and the value beneath it means nothing.

use std::sync::Arc;

use arrow::array::types::{
    ArrowTimestampType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use tidemill_core::time::{from_micros, to_micros};
use tidemill_core::{Error, Micros, Result};
use tidemill_plan::window::Zone;

const DAY: Micros = 86_400_000_000;

/// A timestamp column in microseconds as it is written: since 1970 in UTC for an instant, on the wall for a wall-clock
/// value. Rounds down and saturates; costs nothing where the column is in microseconds already.
pub fn micros(array: &ArrayRef) -> Result<Int64Array> {
    let DataType::Timestamp(unit, _) = array.data_type() else {
        return Err(Error::internal(format!("a time column of type {}", array.data_type())));
    };
    Ok(match unit {
        TimeUnit::Second => scaled(array.as_primitive::<TimestampSecondType>(), TimeUnit::Second),
        TimeUnit::Millisecond => scaled(array.as_primitive::<TimestampMillisecondType>(), TimeUnit::Millisecond),
        TimeUnit::Microsecond => {
            let array = array.as_primitive::<TimestampMicrosecondType>();
            Int64Array::new(array.values().clone(), array.nulls().cloned())
        }
        TimeUnit::Nanosecond => scaled(array.as_primitive::<TimestampNanosecondType>(), TimeUnit::Nanosecond),
    })
}

/// What the clock on the wall of `zone` shows at the times of a timestamp column, in microseconds.
///
/// Days and hours of windows are cut on it. For [`Zone::Utc`], which wall-clock columns always have, it is [`micros`].
pub fn wall_micros(array: &ArrayRef, zone: Zone) -> Result<PrimitiveArray<Int64Type>> {
    let instants = micros(array)?;
    let Zone::Named(_) = zone else { return Ok(instants) };
    let Some((min, max)) = min_max(&instants) else { return Ok(instants) };
    // A clock is not put forward and back again within a day: with one offset at both ends it is the same in between.
    let shift = zone.to_wall(min).wrapping_sub(min);
    if max.saturating_sub(min) < DAY && zone.to_wall(max).wrapping_sub(max) == shift {
        return Ok(mapped(&instants, |t| t.wrapping_add(shift)));
    }
    Ok(mapped(&instants, |t| zone.to_wall(t)))
}

/// Microseconds as a timestamp column of type `to`, rounded down to its unit: `window_start`, `window_end`, `window_time`.
pub fn bounds_array(micros: &Int64Array, to: &DataType) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, zone) = to else {
        return Err(Error::internal(format!("a window bound of type {to}")));
    };
    let zone = zone.clone();
    Ok(match unit {
        TimeUnit::Second => Arc::new(ticks::<TimestampSecondType>(micros).with_timezone_opt(zone)),
        TimeUnit::Millisecond => Arc::new(ticks::<TimestampMillisecondType>(micros).with_timezone_opt(zone)),
        TimeUnit::Microsecond => Arc::new(ticks::<TimestampMicrosecondType>(micros).with_timezone_opt(zone)),
        TimeUnit::Nanosecond => Arc::new(ticks::<TimestampNanosecondType>(micros).with_timezone_opt(zone)),
    })
}

/// The least and the greatest value; `None` where all are NULL.
pub fn min_max(values: &Int64Array) -> Option<(i64, i64)> {
    if values.null_count() == 0 {
        let first = *values.values().first()?;
        // Two independent folds in one loop without a branch: the compiler turns it into vector code.
        return Some(values.values().iter().fold((first, first), |(min, max), v| (min.min(*v), max.max(*v))));
    }
    values.iter().flatten().fold(None, |acc, v| {
        let (min, max) = acc.unwrap_or((v, v));
        Some((min.min(v), max.max(v)))
    })
}

fn scaled<T: ArrowTimestampType>(array: &PrimitiveArray<T>, unit: TimeUnit) -> Int64Array {
    let values: ScalarBuffer<i64> = match unit {
        TimeUnit::Second => array.values().iter().map(|v| to_micros(*v, TimeUnit::Second)).collect(),
        TimeUnit::Millisecond => array.values().iter().map(|v| to_micros(*v, TimeUnit::Millisecond)).collect(),
        _ => array.values().iter().map(|v| to_micros(*v, unit)).collect(),
    };
    Int64Array::new(values, array.nulls().cloned())
}

fn ticks<T: ArrowTimestampType>(micros: &Int64Array) -> PrimitiveArray<T> {
    let values: ScalarBuffer<i64> = match T::UNIT {
        TimeUnit::Microsecond => micros.values().clone(),
        unit => micros.values().iter().map(|v| from_micros(*v, unit)).collect(),
    };
    PrimitiveArray::new(values, micros.nulls().cloned())
}

fn mapped(values: &Int64Array, f: impl Fn(i64) -> i64) -> Int64Array {
    Int64Array::new(values.values().iter().map(|v| f(*v)).collect(), values.nulls().cloned())
}

#[cfg(test)]
mod tests {
    use arrow::array::{TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray};

    use super::*;

    fn check(array: impl Array + 'static, zone: &str, expected: Vec<Option<i64>>) {
        let array: ArrayRef = Arc::new(array);
        let zone = Zone::parse(zone).expect("a zone of the database");
        assert_eq!(wall_micros(&array, zone).unwrap(), Int64Array::from(expected));
    }

    #[test]
    fn every_unit_becomes_microseconds_of_the_wall_clock() {
        check(TimestampMillisecondArray::from(vec![Some(1), None]), "UTC", vec![Some(1_000), None]);
        check(TimestampNanosecondArray::from(vec![-1]), "UTC", vec![Some(-1)]);
        check(TimestampMillisecondArray::from(vec![i64::MAX]), "UTC", vec![Some(i64::MAX)]);
        let hour = 3_600_000_000;
        check(TimestampMicrosecondArray::from(vec![0, 5]), "Europe/Berlin", vec![Some(hour), Some(hour + 5)]);
        // 2024-03-31 01:00 UTC: from one hour ahead to two.
        let change = 1_711_846_800_000_000;
        check(
            TimestampMicrosecondArray::from(vec![change - 1, change]),
            "Europe/Berlin",
            vec![Some(change - 1 + hour), Some(change + 2 * hour)],
        );
    }

    #[test]
    fn bounds_are_put_into_the_unit_of_the_window() {
        let ms = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let got = bounds_array(&Int64Array::from(vec![Some(1_999), None]), &ms).unwrap();
        let expected: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![Some(1), None]).with_timezone("UTC"));
        assert_eq!(&got, &expected);
    }

    #[test]
    fn the_least_and_the_greatest_skip_nulls() {
        assert_eq!(min_max(&Int64Array::from(vec![None, Some(3), Some(1)])), Some((1, 3)));
        assert_eq!(min_max(&Int64Array::from(vec![2, 9, 4])), Some((2, 9)));
        assert_eq!(min_max(&Int64Array::new_null(2)), None);
    }
}
