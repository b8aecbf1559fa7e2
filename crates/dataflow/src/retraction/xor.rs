//! `BIT_XOR`: a value that is there an even number of times cancels itself, so that taking back is adding.

use std::ops::BitXor;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, PrimitiveArray};
use tidemill_core::Result;

use super::{Changing, Rows, grow, known, renumbered};

/// For each group the result and how many values there are.
#[derive(Debug)]
pub struct Xor<T: ArrowPrimitiveType> {
    bits: Vec<T::Native>,
    counts: Vec<i64>,
}

impl<T: ArrowPrimitiveType> Default for Xor<T> {
    fn default() -> Self {
        Self { bits: vec![], counts: vec![] }
    }
}

impl<T: ArrowPrimitiveType> Changing for Xor<T>
where
    T::Native: BitXor<Output = T::Native>,
{
    fn change(&mut self, rows: Rows) -> Result<()> {
        grow(&mut self.bits, rows.groups, T::Native::ZERO);
        grow(&mut self.counts, rows.groups, 0);
        let values = rows.args[0].as_primitive::<T>().values();
        rows.each(|row, id, weight| {
            if weight & 1 != 0 {
                self.bits[id] = self.bits[id] ^ values[row];
            }
            self.counts[id] += weight;
        });
        Ok(())
    }

    fn values(&mut self, groups: &[usize]) -> Result<ArrayRef> {
        let value = |g: &usize| (known(&self.counts, *g, 0) != 0).then(|| self.bits[*g]);
        Ok(Arc::new(groups.iter().map(value).collect::<PrimitiveArray<T>>()))
    }

    fn forget(&mut self, groups: &[usize]) {
        for g in groups {
            (self.bits[*g], self.counts[*g]) = (T::Native::ZERO, 0);
        }
    }

    fn renumber(&mut self, old: &[usize]) -> Result<()> {
        self.bits = renumbered(&self.bits, old, T::Native::ZERO);
        self.counts = renumbered(&self.counts, old, 0);
        Ok(())
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.bits[..]) + size_of_val(&self.counts[..])
    }
}
