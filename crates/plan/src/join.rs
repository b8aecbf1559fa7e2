//! Joins: what is matched, when a row is taken to be without a partner, and how time bounds it.

use datafusion_common::JoinType;
use tidemill_core::Micros;

use crate::op::Expr;
use crate::window::Window;

/// Matches the rows of two inputs. Output columns: those of the left input, then those of the right one; of a semi-join or
/// an anti-join, those of the side that is asked about; of a mark join, those and whether there is a partner.
#[derive(Debug, Clone)]
pub struct JoinOp {
    /// Which rows and pairs of rows are put out.
    pub join_type: JoinType,
    /// The columns of the left and of the right input that have to be equal.
    pub keys: Vec<(usize, usize)>,
    /// Whether a NULL in a key is equal to a NULL: `IS NOT DISTINCT FROM`, `INTERSECT`, `EXCEPT`.
    pub nulls_match: bool,
    /// `NOT IN`, for an anti-join of the left side with one key: a NULL on the right leaves nothing, and a NULL on the left
    /// is let through only where the right side is empty.
    pub null_aware: bool,
    /// What else a pair has to meet, over the columns of the left input and then those of the right one.
    pub residual: Option<Expr>,
    /// When a row is taken to be without a partner.
    pub unmatched: Unmatched,
    /// What removes rows as time goes on.
    pub bound: Option<TimeBound>,
    /// How much later than its time a row may still come, where time bounds the join.
    pub allowed_lateness: Micros,
}

/// When a row of an outer join, an anti-join or a mark join is taken to be without a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    /// At the end of each epoch. It is taken back when a partner comes.
    EachEpoch,
    /// Once, when no partner can come any more: its time is over, or the input has ended.
    WhenOver,
}

/// How time bounds a join.
#[derive(Debug, Clone)]
pub enum TimeBound {
    /// The time of a pair's left row less that of its right row is between `least` and `most`. Both inputs are append.
    Interval {
        /// The time columns of the left and of the right input, of which their watermarks speak.
        times: (usize, usize),
        /// In microseconds. Without it, rows of the right side are kept for ever.
        least: Option<Micros>,
        /// In microseconds. Without it, rows of the left side are kept for ever.
        most: Option<Micros>,
    },
    /// Rows meet within a window, and go when the watermark passes its end.
    Window {
        /// The columns of `window_end`.
        ends: (usize, usize),
        /// The window, for its zone.
        window: Window,
    },
}

impl JoinOp {
    /// Whether pairs are put out, and not only rows of one side.
    pub fn pairs(&self) -> bool {
        matches!(self.join_type, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full)
    }

    /// Whether rows of both inputs only meet on one worker.
    pub fn on_one_worker(&self) -> bool {
        self.keys.is_empty() || self.null_aware
    }
}
