//! `BOOL_AND` and `BOOL_OR`: how often each of the two values is there.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use tidemill_core::Result;

use super::{Changing, Rows, grow, known, renumbered};

/// For each group how many are false and how many are true.
#[derive(Debug)]
pub struct Truth {
    /// Which value decides: false for `BOOL_AND`, true for `BOOL_OR`.
    decides: bool,
    counts: Vec<[i64; 2]>,
}

impl Truth {
    /// `BOOL_AND`, or `BOOL_OR`.
    pub fn new(or: bool) -> Self {
        Self { decides: or, counts: vec![] }
    }
}

impl Changing for Truth {
    fn change(&mut self, rows: Rows) -> Result<()> {
        grow(&mut self.counts, rows.groups, [0; 2]);
        let values = rows.args[0].as_boolean().values();
        rows.each(|row, id, weight| self.counts[id][usize::from(values.value(row))] += weight);
        Ok(())
    }

    fn values(&mut self, groups: &[usize]) -> Result<ArrayRef> {
        let value = |g: &usize| match known(&self.counts, *g, [0; 2]) {
            [0, 0] => None,
            counts if counts[usize::from(self.decides)] > 0 => Some(self.decides),
            _ => Some(!self.decides),
        };
        Ok(Arc::new(groups.iter().map(value).collect::<BooleanArray>()))
    }

    fn forget(&mut self, groups: &[usize]) {
        groups.iter().for_each(|g| self.counts[*g] = [0; 2]);
    }

    fn renumber(&mut self, old: &[usize]) -> Result<()> {
        self.counts = renumbered(&self.counts, old, [0; 2]);
        Ok(())
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.counts[..])
    }
}
