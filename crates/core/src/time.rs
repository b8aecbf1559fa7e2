//! Event time, watermarks, and the clock that is handed in.
//!
//! Inside the engine a point in time is a count of microseconds ([`Micros`]): since 1970-01-01 00:00 UTC for an
//! instant (`TIMESTAMP_LTZ`), since 1970-01-01 00:00 on the wall for a wall-clock value (`TIMESTAMP`). Columns keep
//! the unit that they were declared with.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::datatypes::TimeUnit;

/// Microseconds, as a point in time or as a span of it.
pub type Micros = i64;

/// Event time up to which no more rows are promised: every later row has a time at or after it.
///
/// Never goes back. [`Watermark::MIN`] promises nothing; [`Watermark::MAX`] is the end of a bounded input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watermark(pub Micros);

impl Watermark {
    /// Nothing is promised yet.
    pub const MIN: Self = Self(i64::MIN);
    /// There will be no more rows at all.
    pub const MAX: Self = Self(i64::MAX);

    /// The watermark that lags `micros` behind this one; the two ends stay where they are.
    #[must_use]
    pub fn minus(self, micros: Micros) -> Self {
        match self {
            Self::MIN | Self::MAX => self,
            Self(t) => Self(t.saturating_sub(micros).max(i64::MIN + 1)),
        }
    }
}

impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MIN => f.write_str("none yet"),
            Self::MAX => f.write_str("end of input"),
            Self(t) => f.write_str(&format_micros(t)),
        }
    }
}

/// `2024-01-31 10:00:00.123456`, with no fraction where it is zero.
pub fn format_micros(t: Micros) -> String {
    let value = arrow::temporal_conversions::timestamp_us_to_datetime(t);
    match value {
        Some(v) => v.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
        None => format!("{t}us"),
    }
}

/// How many ticks of `unit` make a second.
#[inline]
pub const fn ticks_per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// A count of `unit` as microseconds: exact or rounded down, saturating at the ends.
#[inline]
pub const fn to_micros(ticks: i64, unit: TimeUnit) -> Micros {
    match unit {
        TimeUnit::Nanosecond => ticks.div_euclid(1_000),
        _ => ticks.saturating_mul(1_000_000 / ticks_per_second(unit)),
    }
}

/// Microseconds as a count of `unit`, rounded down; saturating for nanoseconds.
#[inline]
pub const fn from_micros(micros: Micros, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Nanosecond => micros.saturating_mul(1_000),
        _ => micros.div_euclid(1_000_000 / ticks_per_second(unit)),
    }
}

/// Where the time of day comes from. The engine is handed a reading once an epoch and never asks for one.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Microseconds since 1970-01-01 00:00 UTC.
    fn now(&self) -> Micros;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        // A clock before 1970 reads as 1970: there is nothing sensible to do with it.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64)
    }
}

/// A clock that stands still until it is set: for tests and replay.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that reads `micros`.
    pub fn at(micros: Micros) -> Self {
        Self(AtomicI64::new(micros))
    }

    /// Sets the reading.
    pub fn set(&self, micros: Micros) {
        self.0.store(micros, Ordering::SeqCst);
    }

    /// Moves the reading on.
    pub fn advance(&self, micros: Micros) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Micros {
        self.0.load(Ordering::SeqCst)
    }
}

/// The one reading of the clock that an epoch has, and the watermark it began with, for the functions of a query that
/// ask for them (`CURRENT_TIMESTAMP`, `PROCTIME()`, `CURRENT_WATERMARK(..)`). A query has one of its own; the engine sets
/// it when an epoch begins, and a replay that sets the same readings gives the same answers.
#[derive(Debug, Clone)]
pub struct EpochClock(Arc<EpochReadings>);

#[derive(Debug)]
struct EpochReadings {
    now: AtomicI64,
    watermark: AtomicI64,
    is_read: AtomicBool,
}

/// Two handles are equal if they read the same clock.
impl PartialEq for EpochClock {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for EpochClock {}

impl Default for EpochClock {
    fn default() -> Self {
        Self(Arc::new(EpochReadings {
            now: AtomicI64::new(0),
            watermark: AtomicI64::new(i64::MIN),
            is_read: AtomicBool::new(false),
        }))
    }
}

impl EpochClock {
    /// Begins an epoch.
    pub fn set(&self, now: Micros, watermark: Watermark) {
        self.0.now.store(now, Ordering::Relaxed);
        self.0.watermark.store(watermark.0, Ordering::Relaxed);
    }

    /// The epoch's time: microseconds since 1970-01-01 00:00 UTC.
    pub fn now(&self) -> Micros {
        self.0.now.load(Ordering::Relaxed)
    }

    /// The watermark that the epoch began with: the least over the query's sources.
    pub fn watermark(&self) -> Watermark {
        Watermark(self.0.watermark.load(Ordering::Relaxed))
    }

    /// Says that expressions may read it, so that it has to be right in each epoch.
    pub fn will_be_read(&self) {
        self.0.is_read.store(true, Ordering::Relaxed);
    }

    /// Whether expressions may read it.
    pub fn is_read(&self) -> bool {
        self.0.is_read.load(Ordering::Relaxed)
    }

    /// Whether both are handles to the same readings.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_round_down_also_before_1970() {
        assert_eq!(to_micros(-1, TimeUnit::Nanosecond), -1);
        assert_eq!(from_micros(-1, TimeUnit::Millisecond), -1);
        assert_eq!(to_micros(i64::MAX, TimeUnit::Second), i64::MAX);
    }

    #[test]
    fn a_watermark_lags_but_its_ends_stay() {
        assert_eq!(Watermark(10).minus(3), Watermark(7));
        assert_eq!(Watermark::MAX.minus(3), Watermark::MAX);
        assert_eq!(Watermark::MIN.minus(3), Watermark::MIN);
    }
}
