//! Columns of timestamps, dates and times of day, of any unit, read as one kind of thing.

use std::ops::RangeInclusive;

use arrow::array::{Array, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use chrono::{DateTime, NaiveDateTime, Utc};
use datafusion::common::Result;
use tidemill_core::time::ticks_per_second;

use super::zone::Zone;

/// A column of points in time.
pub(super) struct Instants<'a> {
    ticks: Ticks<'a>,
    nulls: Option<&'a NullBuffer>,
    constant: bool,
    /// How many ticks make a second; for dates the ticks are seconds too.
    pub(super) per_second: i64,
    /// Whether it is an instant (`TIMESTAMP_LTZ`), to be read through the session's zone, and not what a wall shows.
    pub(super) is_instant: bool,
}

enum Ticks<'a> {
    Wide(&'a [i64]),
    Narrow(&'a [i32]),
    Days(&'a [i32]),
}

pub(super) const SECONDS_PER_DAY: i64 = 86_400;

impl<'a> Instants<'a> {
    /// Reads `array`, unless it is something else.
    pub(super) fn new(array: &'a dyn Array, constant: bool) -> Option<Self> {
        let (ticks, unit, is_instant) = match array.data_type() {
            DataType::Timestamp(unit, zone) => {
                let ticks: &[i64] = match unit {
                    TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
                    TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
                    TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
                    TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
                };
                (Ticks::Wide(ticks), *unit, zone.is_some())
            }
            DataType::Date32 => (Ticks::Days(array.as_primitive::<Date32Type>().values()), TimeUnit::Second, false),
            DataType::Time32(TimeUnit::Second) => {
                (Ticks::Narrow(array.as_primitive::<Time32SecondType>().values()), TimeUnit::Second, false)
            }
            DataType::Time32(unit) => {
                (Ticks::Narrow(array.as_primitive_opt::<Time32MillisecondType>()?.values()), *unit, false)
            }
            DataType::Time64(TimeUnit::Microsecond) => {
                (Ticks::Wide(array.as_primitive::<Time64MicrosecondType>().values()), TimeUnit::Microsecond, false)
            }
            DataType::Time64(unit) => {
                (Ticks::Wide(array.as_primitive_opt::<Time64NanosecondType>()?.values()), *unit, false)
            }
            _ => return None,
        };
        Some(Self { ticks, nulls: array.nulls(), constant, per_second: ticks_per_second(unit), is_instant })
    }

    /// The count of ticks of a row, if it is not NULL.
    #[inline]
    pub(super) fn ticks(&self, row: usize) -> Option<i64> {
        let i = if self.constant { 0 } else { row };
        if self.nulls.is_some_and(|nulls| nulls.is_null(i)) {
            return None;
        }
        Some(match self.ticks {
            Ticks::Wide(ticks) => ticks[i],
            Ticks::Narrow(ticks) => ticks[i].into(),
            Ticks::Days(days) => i64::from(days[i]) * SECONDS_PER_DAY,
        })
    }

    /// The date and time of a row: of an instant, in UTC. NULL also where the calendar ends.
    #[inline]
    pub(super) fn utc(&self, row: usize) -> Option<NaiveDateTime> {
        from_ticks(self.ticks(row)?, self.per_second)
    }

    /// The date and time that the wall shows: of an instant, in `zone`.
    #[inline]
    pub(super) fn local(&self, row: usize, zone: Zone) -> Option<NaiveDateTime> {
        let utc = self.utc(row)?;
        if self.is_instant { zone.to_local(utc) } else { Some(utc) }
    }

    /// The ticks at which the wall shows `local`: the way back from [`Instants::local`].
    pub(super) fn ticks_of(&self, local: NaiveDateTime, zone: Zone) -> Option<i64> {
        let utc = if self.is_instant { zone.to_utc(local)? } else { local };
        to_ticks(utc, self.per_second)
    }
}

/// A count of ticks since 1970 as a date and time.
#[inline]
pub(super) fn from_ticks(ticks: i64, per_second: i64) -> Option<NaiveDateTime> {
    let nanos = ticks.rem_euclid(per_second) * (1_000_000_000 / per_second);
    Some(DateTime::from_timestamp(ticks.div_euclid(per_second), nanos as u32)?.naive_utc())
}

/// The ticks that are a date and a time.
pub(super) fn all_ticks(per_second: i64) -> RangeInclusive<i64> {
    let ticks = |of: DateTime<Utc>| of.timestamp().saturating_mul(per_second);
    ticks(DateTime::<Utc>::MIN_UTC)..=ticks(DateTime::<Utc>::MAX_UTC)
}

/// A date and time as a count of ticks since 1970, rounded down; nothing where the count does not fit.
pub(super) fn to_ticks(value: NaiveDateTime, per_second: i64) -> Option<i64> {
    let utc = value.and_utc();
    let fraction = i64::from(utc.timestamp_subsec_nanos().min(999_999_999)) / (1_000_000_000 / per_second);
    utc.timestamp().checked_mul(per_second)?.checked_add(fraction)
}

/// The ticks that `f` gives for each row, as a column of the type that was promised.
pub(super) fn column_of(
    data_type: &DataType,
    rows: usize,
    f: impl FnMut(usize) -> Result<Option<i64>>,
) -> Result<arrow::array::ArrayRef> {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Int64Array};
    use arrow::compute::cast;

    let ticks = (0..rows).map(f).collect::<Result<Int64Array>>()?;
    Ok(match data_type {
        // Dates tick in seconds here; a date beyond the calendar is NULL.
        DataType::Date32 => Arc::new(
            ticks
                .iter()
                .map(|t| t.and_then(|t| i32::try_from(t.div_euclid(SECONDS_PER_DAY)).ok()))
                .collect::<Date32Array>(),
        ),
        DataType::Time32(_) => cast(&cast(&ticks, &DataType::Int32)?, data_type)?,
        _ => cast(&ticks, data_type)?,
    })
}
