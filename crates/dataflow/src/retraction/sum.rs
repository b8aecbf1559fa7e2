//! `SUM` of integers and decimals. It wraps around where it overflows, as DataFusion's does, so that what was taken back
//! leaves nothing behind.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{ArrowNativeType, DataType};
use tidemill_core::Result;

use super::{Changing, Rows, grow, known, renumbered};

/// For each group the sum and how many values there are.
#[derive(Debug)]
pub struct Sum<T: ArrowPrimitiveType> {
    of: DataType,
    pub(super) sums: Vec<T::Native>,
    pub(super) counts: Vec<i64>,
}

impl<T: ArrowPrimitiveType> Sum<T> {
    /// With results of type `of`.
    pub fn new(of: &DataType) -> Self {
        Self { of: of.clone(), sums: vec![], counts: vec![] }
    }

    /// The sums of these groups; NULL where there is no value.
    pub(super) fn array(&self, groups: &[usize]) -> PrimitiveArray<T> {
        let sum = |g: &usize| (known(&self.counts, *g, 0) != 0).then(|| self.sums[*g]);
        groups.iter().map(sum).collect::<PrimitiveArray<T>>().with_data_type(self.of.clone())
    }
}

/// `value`, `weight` times.
fn times<N: ArrowNativeTypeOp + ArrowNativeType>(value: N, weight: i64) -> N {
    match weight {
        1 => value,
        -1 => N::ZERO.sub_wrapping(value),
        _ => {
            let product = value.mul_wrapping(N::usize_as(weight.unsigned_abs() as usize));
            if weight < 0 { N::ZERO.sub_wrapping(product) } else { product }
        }
    }
}

impl<T: ArrowPrimitiveType> Changing for Sum<T> {
    fn change(&mut self, rows: Rows) -> Result<()> {
        grow(&mut self.sums, rows.groups, T::Native::ZERO);
        grow(&mut self.counts, rows.groups, 0);
        let values = rows.args[0].as_primitive::<T>().values();
        rows.each(|row, id, weight| {
            self.sums[id] = self.sums[id].add_wrapping(times(values[row], weight));
            self.counts[id] += weight;
        });
        Ok(())
    }

    fn values(&mut self, groups: &[usize]) -> Result<ArrayRef> {
        Ok(Arc::new(self.array(groups)))
    }

    fn forget(&mut self, groups: &[usize]) {
        for g in groups {
            (self.sums[*g], self.counts[*g]) = (T::Native::ZERO, 0);
        }
    }

    fn renumber(&mut self, old: &[usize]) -> Result<()> {
        self.sums = renumbered(&self.sums, old, T::Native::ZERO);
        self.counts = renumbered(&self.counts, old, 0);
        Ok(())
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.sums[..]) + size_of_val(&self.counts[..])
    }
}
