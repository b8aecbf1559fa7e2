//! Aggregates of groups whose rows may be taken back.
//!
//! What an epoch brings are rows with weights. An aggregate that follows a retraction by itself keeps a few numbers of each
//! group, or its values with how often each is there; for every other function the rows of a group are kept, and the
//! groups that an epoch touches are computed anew with DataFusion's own accumulators.
//! [`Retraction`](tidemill_plan::retraction::Retraction) says which is which.
//!
//! Read in this order: [`layout`] (rows on their way from the first step), [`weighted_rows`] (distinct rows of groups with
//! weights), one file for each form: [`count`], [`sum`], [`float_sum`], [`average`], [`extreme`], [`truth`], [`xor`],
//! [`distinct`] (any of them over distinct values), [`kept_rows`] (all other functions), [`aggregates`] (all calls together).
//! Where no row is ever taken back, [`running_extreme`] and [`seen_values`] do with less.
//!
//! Weights may be anything as long as they add up: within an epoch a row may be taken back before it is there. Nothing
//! here knows of keys, windows, time or when results are wanted.

pub mod aggregates;
pub mod average;
pub mod count;
pub mod distinct;
pub mod extreme;
pub mod float_sum;
pub mod kept_rows;
pub mod layout;
pub mod running_extreme;
pub mod seen_values;
pub mod sum;
#[cfg(test)]
mod tests;
pub mod truth;
pub mod weighted_rows;
pub mod xor;

use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use tidemill_core::Result;

pub use aggregates::Aggregates;
pub use layout::RowLayout;

/// Rows with weights, and the group that each belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The arguments of a call, a value for each row.
    pub args: &'a [ArrayRef],
    /// The group of each row.
    pub ids: &'a [usize],
    /// How often each row comes (above zero) or goes (below). 0 where the call's filter does not want it.
    pub weights: &'a [i64],
    /// How many groups there are.
    pub groups: usize,
}

impl Rows<'_> {
    /// Shows `f` each row that counts and has no NULL among its arguments: the row, its group, its weight.
    fn each(&self, mut f: impl FnMut(usize, usize, i64)) {
        let rows = self.ids.iter().zip(self.weights).enumerate();
        match self.nulls() {
            None => rows.filter(|(_, (_, w))| **w != 0).for_each(|(row, (id, w))| f(row, *id, *w)),
            Some(nulls) => {
                for (row, (id, w)) in rows {
                    if *w != 0 && nulls.is_valid(row) {
                        f(row, *id, *w);
                    }
                }
            }
        }
    }

    /// The rows with a NULL among their arguments.
    fn nulls(&self) -> Option<NullBuffer> {
        let all = self.args.iter().map(|a| a.logical_nulls());
        all.fold(None, |all, one| NullBuffer::union(all.as_ref(), one.as_ref())).filter(|n| n.null_count() > 0)
    }
}

/// One aggregate of all groups, which follows changes by itself.
pub trait Changing: Send {
    /// Takes in changes.
    fn change(&mut self, rows: Rows) -> Result<()>;

    /// The results of these groups, in that order. A group that nothing is known of has the result over no rows.
    fn values(&mut self, groups: &[usize]) -> Result<ArrayRef>;

    /// Forgets all that is known of these groups.
    fn forget(&mut self, groups: &[usize]);

    /// Gives groups new numbers: `old[i]`, ascending, becomes group `i`. Nothing is known of any other.
    fn renumber(&mut self, old: &[usize]) -> Result<()>;

    /// About how many bytes are held.
    fn bytes(&self) -> usize;
}

/// Room for so many groups.
fn grow<T: Clone>(of: &mut Vec<T>, groups: usize, none: T) {
    if of.len() < groups {
        of.resize(groups, none);
    }
}

/// What is known of the group, or of none.
fn known<T: Copy>(of: &[T], group: usize, none: T) -> T {
    of.get(group).copied().unwrap_or(none)
}

/// The numbers of the groups in `old`, in that order.
fn renumbered<T: Copy>(of: &[T], old: &[usize], none: T) -> Vec<T> {
    old.iter().map(|id| known(of, *id, none)).collect()
}
