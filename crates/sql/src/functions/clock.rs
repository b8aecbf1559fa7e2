//! The readings that an epoch hands to the functions: the time of day and the watermark.
//!
//! The engine sets both once an epoch; nothing here ever asks the machine for the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tidemill_core::{Micros, Watermark};

/// A handle to one set of readings. Clones share it, so the engine keeps one and the functions another.
///
/// The functions of a session see the readings of the epoch that is being computed. A new handle reads 1970-01-01 and
/// "no watermark yet".
#[derive(Debug, Clone)]
pub struct EpochClock(Arc<Readings>);

#[derive(Debug)]
struct Readings {
    now: AtomicI64,
    watermark: AtomicI64,
    draws: AtomicU64,
}

impl EpochClock {
    /// A clock that reads `now` until it is set.
    pub fn at(now: Micros) -> Self {
        Self(Arc::new(Readings {
            now: AtomicI64::new(now),
            watermark: AtomicI64::new(Watermark::MIN.0),
            draws: AtomicU64::new(0),
        }))
    }

    /// The time of day of this epoch, in microseconds since 1970-01-01 00:00 UTC.
    pub fn now(&self) -> Micros {
        self.0.now.load(Ordering::Relaxed)
    }

    /// Sets the time of day: once, before an epoch is computed.
    pub fn set_now(&self, now: Micros) {
        self.0.now.store(now, Ordering::Relaxed);
    }

    /// The watermark that `CURRENT_WATERMARK` answers with.
    pub fn watermark(&self) -> Watermark {
        Watermark(self.0.watermark.load(Ordering::Relaxed))
    }

    /// Sets the watermark that `CURRENT_WATERMARK` answers with.
    pub fn set_watermark(&self, watermark: Watermark) {
        self.0.watermark.store(watermark.0, Ordering::Relaxed);
    }

    /// Reserves `count` places in the sequence of random draws and gives the first.
    ///
    /// Counting draws, instead of keeping a generator, makes a seeded sequence independent of how rows are batched.
    pub(super) fn draw(&self, count: u64) -> u64 {
        self.0.draws.fetch_add(count, Ordering::Relaxed)
    }

    /// Whether both are handles to the same readings.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Default for EpochClock {
    fn default() -> Self {
        Self::at(0)
    }
}
