//! What is kept of each group, whatever that is: the side of an updating aggregation that knows rows and aggregates, while
//! [`merge`](super::merge) knows when results are wanted and groups are over.

use arrow::array::ArrayRef;
use tidemill_core::{Delta, Result};

/// The groups that an epoch touched.
#[derive(Debug, Default)]
pub struct Touched {
    /// Their numbers, each once.
    pub groups: Vec<usize>,
    /// The keys of each.
    pub keys: Vec<ArrayRef>,
}

/// Groups by dense numbers, with all that is known of them.
pub trait GroupStates: Send {
    /// Takes in what an epoch brought.
    fn absorb(&mut self, deltas: Vec<Delta>) -> Result<Touched>;

    /// How many numbers are given out.
    fn size(&self) -> usize;

    /// Whether a group has a result: rows of it are there.
    fn lives(&self, group: usize) -> bool;

    /// Whether there is nothing left to know of a group that does not live.
    fn empty(&self, group: usize) -> bool;

    /// The keys of groups, all of them known.
    fn keys(&mut self, groups: &[usize]) -> Result<Vec<ArrayRef>>;

    /// The results of groups that live.
    fn values(&mut self, groups: &[usize]) -> Result<Vec<ArrayRef>>;

    /// Forgets groups.
    fn remove(&mut self, groups: &[usize]);

    /// Forgets the keys of groups that were removed, once there are many. Then group `i` is the one that was `old[i]`.
    fn renumber(&mut self) -> Result<Option<Vec<usize>>>;

    /// How many groups are known.
    fn known(&self) -> usize;

    /// About how many bytes are held.
    fn bytes(&self) -> usize;
}
