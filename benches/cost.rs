//! What a run costs: time on the wall, and time of the processor.

use std::time::{Duration, Instant};

/// Both times of a run, or the beginning of one.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Time on the wall.
    pub wall: Duration,
    /// Time that all threads of the process together spent on a processor.
    pub processor: Duration,
}

/// A run that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Started {
    at: Instant,
    processor: Duration,
}

impl Cost {
    /// More than any run.
    pub const MAX: Self = Self { wall: Duration::MAX, processor: Duration::MAX };

    /// The beginning of a run.
    pub fn so_far() -> Started {
        Started { at: Instant::now(), processor: processor() }
    }

    /// The better of two runs, each time by itself.
    #[must_use]
    pub fn best(self, other: Self) -> Self {
        Self { wall: self.wall.min(other.wall), processor: self.processor.min(other.processor) }
    }
}

impl Started {
    /// What it has cost since.
    pub fn until_now(self) -> Cost {
        Cost { wall: self.at.elapsed(), processor: processor().saturating_sub(self.processor) }
    }
}

/// Processor time of the process so far.
fn processor() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every system the benches run on, and `time` is a place to write to.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0, "a process has a processor clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
