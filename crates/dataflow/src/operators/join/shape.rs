//! What a join of changes is to do: made of the plan, once.

use tidemill_plan::op::{JoinOp, Unmatched};

use super::lone::Lone;

/// What a join is to do, in the terms of this operator.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Whether pairs are put out.
    pub pairs: bool,
    /// The rows of each side that are put out alone.
    pub lone: [Option<Lone>; 2],
    /// Whether rows without a partner wait until they are over.
    pub waits: bool,
    /// Whether only the keys decide, so that partners are counted by key.
    pub by_key: bool,
    /// Whether each input takes rows back.
    pub retracts: [bool; 2],
    /// Whether the output never takes a row back.
    pub append: bool,
    /// Whether it is a `NOT IN`.
    pub null_aware: bool,
}

impl Shape {
    /// Of `op` over inputs that take rows back or not.
    pub fn of(op: &JoinOp, retracts: [bool; 2], append: bool) -> Self {
        Self {
            pairs: op.pairs(),
            lone: Lone::of(op),
            waits: op.unmatched == Unmatched::WhenOver,
            by_key: op.residual.is_none() && op.bound.is_none(),
            retracts,
            append,
            null_aware: op.null_aware,
        }
    }

    /// Whether the rows of a side are kept; of others it is enough to know how many there are for each key.
    pub fn keeps(&self, side: usize) -> bool {
        self.pairs || self.lone[side].is_some() || !self.by_key
    }

    /// Whether the partners of each row of a side are counted.
    pub fn counts(&self, side: usize) -> bool {
        !self.by_key && self.lone[side].is_some()
    }

    /// Whether nothing more can be said of a row once it has a partner.
    pub(super) fn settled_by_partner(&self, side: usize) -> bool {
        let said = match self.lone[side] {
            Some(Lone::Semi | Lone::Anti) => true,
            Some(Lone::Mark) => !self.waits,
            Some(Lone::Pad) | None => false,
        };
        said && self.retracts == [false, false]
    }
}
