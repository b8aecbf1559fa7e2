//! `COUNT(..)`: the weights of rows without a NULL, added up.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use tidemill_core::Result;

use super::{Changing, Rows, grow, known, renumbered};

/// One number for each group.
#[derive(Debug, Default)]
pub struct Count {
    counts: Vec<i64>,
}

impl Changing for Count {
    fn change(&mut self, rows: Rows) -> Result<()> {
        grow(&mut self.counts, rows.groups, 0);
        rows.each(|_, id, weight| self.counts[id] += weight);
        Ok(())
    }

    fn values(&mut self, groups: &[usize]) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from_iter_values(groups.iter().map(|g| known(&self.counts, *g, 0)))))
    }

    fn forget(&mut self, groups: &[usize]) {
        groups.iter().for_each(|g| self.counts[*g] = 0);
    }

    fn renumber(&mut self, old: &[usize]) -> Result<()> {
        self.counts = renumbered(&self.counts, old, 0);
        Ok(())
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.counts[..])
    }
}
