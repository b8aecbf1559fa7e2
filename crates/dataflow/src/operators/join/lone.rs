//! Rows of one side that are put out without a row of the other: which ones, and how often.

use datafusion_common::JoinType;
use tidemill_plan::op::JoinOp;

/// What becomes of the rows of a side by whether they have a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lone {
    /// Put out with NULLs for the other side, without a partner.
    Pad,
    /// Put out with a partner.
    Semi,
    /// Put out without a partner.
    Anti,
    /// Put out with the word whether there is one.
    Mark,
}

impl Lone {
    /// Of the left and of the right side of a join.
    pub fn of(op: &JoinOp) -> [Option<Self>; 2] {
        match op.join_type {
            JoinType::Inner => [None, None],
            JoinType::Left => [Some(Self::Pad), None],
            JoinType::Right => [None, Some(Self::Pad)],
            JoinType::Full => [Some(Self::Pad), Some(Self::Pad)],
            JoinType::LeftSemi => [Some(Self::Semi), None],
            JoinType::RightSemi => [None, Some(Self::Semi)],
            JoinType::LeftAnti => [Some(Self::Anti), None],
            JoinType::RightAnti => [None, Some(Self::Anti)],
            JoinType::LeftMark => [Some(Self::Mark), None],
            JoinType::RightMark => [None, Some(Self::Mark)],
        }
    }

    /// How often a row is put out that is there `weight` times: with the mark `false` (or without one), and with `true`.
    pub fn shown(self, weight: i64, partnered: bool) -> [i64; 2] {
        match (self, partnered) {
            (Self::Pad | Self::Anti, false) | (Self::Semi, true) | (Self::Mark, false) => [weight, 0],
            (Self::Mark, true) => [0, weight],
            (Self::Pad | Self::Anti, true) | (Self::Semi, false) => [0, 0],
        }
    }
}

/// Rows of one side to put out.
#[derive(Debug, Default)]
pub struct LoneRows {
    /// Their slots.
    pub slots: Vec<u32>,
    /// How often each, never 0.
    pub weights: Vec<i64>,
    /// Whether each has a partner, for [`Lone::Mark`].
    pub marks: Vec<bool>,
}

impl LoneRows {
    /// From what is shown of a row before to what is shown of it now.
    pub fn change(&mut self, slot: u32, before: [i64; 2], now: [i64; 2]) {
        for mark in [false, true] {
            let weight = now[usize::from(mark)] - before[usize::from(mark)];
            if weight != 0 {
                self.slots.push(slot);
                self.weights.push(weight);
                self.marks.push(mark);
            }
        }
    }
}
