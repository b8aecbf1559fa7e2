//! `COUNT(DISTINCT ..)`, `SUM(DISTINCT ..)` and the like: a value counts once for as long as it is there at all.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::DataType;
use tidemill_core::Result;

use super::weighted_rows::{Touched, WeightedRows};
use super::{Changing, Rows};

/// The distinct values of each group, and what is made of them.
pub struct Distinct {
    values: WeightedRows,
    inner: Box<dyn Changing>,
    touched: Vec<Touched>,
}

impl Distinct {
    /// `inner` over distinct values of these types. NULL is no value.
    pub fn try_new(columns: &[DataType], inner: Box<dyn Changing>) -> Result<Self> {
        Ok(Self { values: WeightedRows::try_new(columns)?, inner, touched: vec![] })
    }
}

impl Changing for Distinct {
    fn change(&mut self, rows: Rows) -> Result<()> {
        let (mut picks, mut ids, mut weights) = (vec![], vec![], vec![]);
        rows.each(|row, id, weight| {
            picks.push(row as u32);
            ids.push(id);
            weights.push(weight);
        });
        let values = match picks.len() == rows.ids.len() {
            true => rows.args.to_vec(),
            false => take_arrays(rows.args, &UInt32Array::from(picks), None)?,
        };
        let counted = Rows { args: &values, ids: &ids, weights: &weights, groups: rows.groups };
        self.values.change(counted, &mut self.touched)?;
        let (mut picks, mut groups, mut weights) = (vec![], vec![], vec![]);
        for t in &self.touched {
            let (before, after) = (t.before > 0, t.after > 0);
            if before != after {
                picks.push(t.row);
                groups.push(ids[t.row as usize]);
                weights.push(if after { 1 } else { -1 });
            }
        }
        let values = take_arrays(&values, &UInt32Array::from(picks), None)?;
        self.inner.change(Rows { args: &values, ids: &groups, weights: &weights, groups: rows.groups })?;
        self.values.compact().map(|_| ())
    }

    fn values(&mut self, groups: &[usize]) -> Result<ArrayRef> {
        self.inner.values(groups)
    }

    fn forget(&mut self, groups: &[usize]) {
        groups.iter().for_each(|g| self.values.forget(*g, |_| {}));
        self.inner.forget(groups);
    }

    fn renumber(&mut self, old: &[usize]) -> Result<()> {
        self.values.renumber(old)?;
        self.inner.renumber(old)
    }

    fn bytes(&self) -> usize {
        self.values.bytes() + self.inner.bytes()
    }
}
