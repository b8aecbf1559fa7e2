//! `AVG` of decimals: a sum and a count, divided by the function's own accumulator, so that digits, rounding and overflow are
//! its own. `AVG` of integers is planned over a cast to floats; see [`float_sum`](super::float_sum).

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion_expr::{EmitTo, GroupsAccumulator};
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;
use tidemill_core::Result;

use super::sum::Sum;
use super::{Changing, Rows, known};
use crate::expression::data_error;

/// A sum for each group, and what divides it.
pub struct Average<T: ArrowPrimitiveType> {
    sum: Sum<T>,
    sum_type: DataType,
    divide: Box<dyn GroupsAccumulator>,
}

impl<T: ArrowPrimitiveType> Average<T> {
    /// Of `function`, which sums in `sum_type`.
    pub fn try_new(function: &AggregateFunctionExpr, sum_type: &DataType) -> Result<Self> {
        let divide = function.create_groups_accumulator().map_err(data_error)?;
        Ok(Self { sum: Sum::new(sum_type), sum_type: sum_type.clone(), divide })
    }
}

impl<T: ArrowPrimitiveType> Changing for Average<T> {
    fn change(&mut self, rows: Rows) -> Result<()> {
        let values = cast(&rows.args[0], &self.sum_type)?;
        self.sum.change(Rows { args: &[values], ..rows })
    }

    fn values(&mut self, groups: &[usize]) -> Result<ArrayRef> {
        let count = |g: &usize| Some(known(&self.sum.counts, *g, 0)).filter(|c| *c != 0).map(|c| c as u64);
        let counts: UInt64Array = groups.iter().map(count).collect();
        let states: [ArrayRef; 2] = [Arc::new(counts), Arc::new(self.sum.array(groups))];
        let each: Vec<usize> = (0..groups.len()).collect();
        self.divide.merge_batch(&states, &each, groups.len()).map_err(data_error)?;
        self.divide.evaluate(EmitTo::All).map_err(data_error)
    }

    fn forget(&mut self, groups: &[usize]) {
        self.sum.forget(groups);
    }

    fn renumber(&mut self, old: &[usize]) -> Result<()> {
        self.sum.renumber(old)
    }

    fn bytes(&self) -> usize {
        self.sum.bytes()
    }
}
