//! The one trait that matters most: what an operator is, and what the driver promises it.

use arrow::array::{Int64Array, RecordBatch};
use tidemill_core::{Delta, Micros, Result, Watermark};

/// A piece of a running query, on one worker.
///
/// The driver owns workers, routing, watermark merging, metrics and timing; an operator knows none of it. In each epoch the
/// driver calls, in this order:
///
/// 1. [`push`](Self::push) for every delta of the epoch, on any port;
/// 2. [`advance`](Self::advance) once, with the least watermark over all inputs; it never falls;
/// 3. [`end_epoch`](Self::end_epoch) once.
///
/// What is emitted through [`Cx`] in any of the three reaches the next operators in the same epoch. An operator is a pure
/// function of what it is handed: it performs no input or output, reads no clock and draws no random number.
pub trait Operator: Send {
    /// Takes in some changes. Rows keep their order within a port.
    fn push(&mut self, port: usize, delta: Delta, cx: &mut Cx) -> Result<()>;

    /// Event time has come this far: puts out what is complete and lets go of what is over. Returns the watermark to
    /// forward: nothing emitted later may have an event time below it.
    fn advance(&mut self, watermark: Watermark, _cx: &mut Cx) -> Result<Watermark> {
        Ok(watermark)
    }

    /// The epoch's input is complete: puts out what was held back to be compacted.
    fn end_epoch(&mut self, _cx: &mut Cx) -> Result<()> {
        Ok(())
    }

    /// What it keeps now.
    fn state(&self) -> StateSize {
        StateSize::default()
    }
}

/// How much an operator keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateSize {
    /// Rows: groups of open windows, waiting rows.
    pub rows: usize,
    /// Bytes, about.
    pub bytes: usize,
    /// The oldest event time that something is kept for.
    pub oldest: Option<Micros>,
}

impl StateSize {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            bytes: self.bytes + other.bytes,
            oldest: [self.oldest, other.oldest].into_iter().flatten().min(),
        }
    }
}

/// What an operator is handed in an epoch, and where it puts what it makes.
#[derive(Debug, Default)]
pub struct Cx {
    /// The epoch's one reading of the clock: microseconds since 1970-01-01 00:00 UTC.
    pub now: Micros,
    emitted: Vec<Delta>,
    late: Vec<LateRows>,
    rejected: Vec<RejectedChanges>,
}

/// Changes that an operator could not take in: they take back rows that are not there.
#[derive(Debug, Clone)]
pub struct RejectedChanges {
    /// The rows, as they came to the operator.
    pub rows: RecordBatch,
    /// Why, for all of them.
    pub reason: String,
}

/// Rows that an operator refused because a window of theirs was over.
#[derive(Debug, Clone)]
pub struct LateRows {
    /// The rows, as they came to the operator.
    pub rows: RecordBatch,
    /// The rows' event times, in microseconds.
    pub event_time: Int64Array,
    /// The `window_end` of the last window that each row was late for, in microseconds on the wall clock.
    pub window_end: Int64Array,
    /// The watermark of its own split just before each row, in microseconds.
    pub watermark: Int64Array,
}

impl Cx {
    /// Of an epoch whose clock reads `now`.
    pub fn new(now: Micros) -> Self {
        Self { now, ..Self::default() }
    }

    /// Hands changes to the next operators. Empty ones vanish.
    pub fn emit(&mut self, delta: Delta) {
        if !delta.is_empty() {
            self.emitted.push(delta);
        }
    }

    /// Reports rows that came too late. Each row is reported once by an operator, however many windows it missed.
    pub fn late(&mut self, rows: LateRows) {
        if rows.rows.num_rows() > 0 {
            self.late.push(rows);
        }
    }

    /// Reports changes that could not be taken in.
    pub fn reject(&mut self, changes: RejectedChanges) {
        if changes.rows.num_rows() > 0 {
            self.rejected.push(changes);
        }
    }

    /// Takes what was rejected.
    pub fn take_rejected(&mut self) -> Vec<RejectedChanges> {
        std::mem::take(&mut self.rejected)
    }

    /// Takes what was emitted.
    pub fn take_emitted(&mut self) -> Vec<Delta> {
        std::mem::take(&mut self.emitted)
    }

    /// Exchanges what was emitted for `empty`: the driver keeps both vectors for the epochs to come.
    pub(crate) fn swap_emitted(&mut self, empty: &mut Vec<Delta>) {
        debug_assert!(empty.is_empty(), "what was in it would be emitted");
        std::mem::swap(&mut self.emitted, empty);
    }

    /// Takes what was late.
    pub fn take_late(&mut self) -> Vec<LateRows> {
        std::mem::take(&mut self.late)
    }
}
