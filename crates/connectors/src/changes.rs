//! A delta as insertions, deletions and updates, one after the other: what `print` and formats of changes write.
//!
//! An update is a retraction and the insertion right after it, of rows with the same key.

use arrow::array::{DynComparator, make_comparator};
use arrow::compute::SortOptions;
use tidemill_core::{Delta, Result};

/// One change. Rows are places in the delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Insert(usize),
    Delete(usize),
    Update { before: usize, after: usize },
}

/// The changes of a delta, in its order. A weight of 2 is two of them.
pub(crate) struct Changes<'a> {
    weights: Option<&'a [i64]>,
    rows: usize,
    /// Whether there are updates at all, and the columns that a row and the next must have alike.
    pairs: bool,
    alike: Vec<DynComparator>,
    row: usize,
    /// How often the last change is to be repeated.
    again: i64,
}

impl<'a> Changes<'a> {
    /// With updates where the columns `key` are the same, and none without a key.
    pub(crate) fn by_key(delta: &'a Delta, key: &[usize]) -> Result<Self> {
        Self::new(delta, key, !key.is_empty())
    }

    /// With updates where the columns `key` are the same, or wherever an insertion follows a retraction if there is no key.
    pub(crate) fn by_place(delta: &'a Delta, key: &[usize]) -> Result<Self> {
        Self::new(delta, key, true)
    }

    fn new(delta: &'a Delta, key: &[usize], pairs: bool) -> Result<Self> {
        let weights = delta.weights.as_ref().map(|w| &w.values()[..]);
        // A delta of insertions has no pairs to look for.
        let alike = key.iter().filter(|_| weights.is_some()).map(|k| {
            let column = delta.batch.column(*k);
            Ok(make_comparator(column, column, SortOptions::default())?)
        });
        Ok(Self { weights, rows: delta.num_rows(), pairs, alike: alike.collect::<Result<_>>()?, row: 0, again: 0 })
    }

    fn update(&self, weights: &[i64]) -> bool {
        let (before, after) = (self.row, self.row + 1);
        self.pairs
            && weights[before] == -1
            && weights.get(after) == Some(&1)
            && self.alike.iter().all(|same| same(before, after).is_eq())
    }
}

impl Iterator for Changes<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        let row = self.row;
        if row >= self.rows {
            return None;
        }
        let Some(weights) = self.weights else {
            self.row += 1;
            return Some(Change::Insert(row));
        };
        if self.again == 0 && self.update(weights) {
            self.row += 2;
            return Some(Change::Update { before: row, after: row + 1 });
        }
        self.again += 1;
        if self.again >= weights[row].abs() {
            (self.row, self.again) = (row + 1, 0);
        }
        Some(if weights[row] > 0 { Change::Insert(row) } else { Change::Delete(row) })
    }
}
