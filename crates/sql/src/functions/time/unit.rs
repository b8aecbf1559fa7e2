//! The units in which times are counted, added and rounded.

use chrono::{Months, NaiveDateTime, TimeDelta};
use datafusion::common::{Result, exec_err};

/// A unit, as its length: months are of no fixed length, all else is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unit {
    /// So many months.
    Months(i64),
    /// So many microseconds.
    Micros(i64),
}

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const DAY: i64 = 86_400 * SECOND;

/// Every unit, by name.
const UNITS: &[(&str, Unit)] = &[
    ("MICROSECOND", Unit::Micros(1)),
    ("MILLISECOND", Unit::Micros(1_000)),
    ("SECOND", Unit::Micros(SECOND)),
    ("MINUTE", Unit::Micros(60 * SECOND)),
    ("HOUR", Unit::Micros(3_600 * SECOND)),
    ("DAY", Unit::Micros(DAY)),
    ("WEEK", Unit::Micros(7 * DAY)),
    ("MONTH", Unit::Months(1)),
    ("QUARTER", Unit::Months(3)),
    ("YEAR", Unit::Months(12)),
    ("DECADE", Unit::Months(120)),
    ("CENTURY", Unit::Months(1_200)),
    ("MILLENNIUM", Unit::Months(12_000)),
];

impl Unit {
    /// `HOUR`, `hours` and `SQL_TSI_HOUR` are all the hour.
    pub(super) fn parse(name: &str) -> Result<Self> {
        let upper = name.trim().to_ascii_uppercase();
        let short = upper.strip_prefix("SQL_TSI_").unwrap_or(&upper);
        let singular = short.strip_suffix('S').unwrap_or(short);
        match UNITS.iter().find(|(known, _)| *known == singular) {
            Some((_, unit)) => Ok(*unit),
            None => {
                let known = UNITS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                exec_err!("there is no unit of time '{name}'; there are {known}")
            }
        }
    }

    /// Whether it is made of whole days, so that a date plus it is a date.
    pub(super) fn is_days(self) -> bool {
        match self {
            Unit::Months(_) => true,
            Unit::Micros(micros) => micros >= DAY,
        }
    }

    /// `count` of them after `time`; a day that the month does not have becomes its last.
    pub(super) fn add(self, time: NaiveDateTime, count: i64) -> Option<NaiveDateTime> {
        match self {
            Unit::Months(months) => {
                let months = months.checked_mul(count)?;
                let size = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
                if months < 0 { time.checked_sub_months(size) } else { time.checked_add_months(size) }
            }
            Unit::Micros(micros) => {
                let micros = i128::from(micros) * i128::from(count);
                let seconds = i64::try_from(micros.div_euclid(i128::from(SECOND))).ok()?;
                let nanos = micros.rem_euclid(i128::from(SECOND)) as u32 * 1_000;
                time.checked_add_signed(TimeDelta::new(seconds, nanos)?)
            }
        }
    }
}
