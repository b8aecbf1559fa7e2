//! An aggregate that cannot let go of rows, in a frame that does: the rows of the frame are kept, and each result is
//! computed anew over them.
//!
//! Rows go in the order in which they came, as a frame moves. Knows no function.

use std::fmt;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::concat;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

/// What makes an accumulator that has seen nothing yet.
pub(super) type Make = Box<dyn Fn() -> Result<Box<dyn Accumulator>> + Send + Sync>;

/// The rows of a frame, and what makes an accumulator for them.
pub(super) struct Anew {
    make: Make,
    /// The columns of the arguments, in parts, in the order in which the rows came.
    parts: Vec<Vec<ArrayRef>>,
}

impl fmt::Debug for Anew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anew").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

impl Anew {
    /// No rows yet.
    ///
    /// # Errors
    /// If there is no such accumulator.
    pub(super) fn try_new(make: Make) -> Result<Self> {
        make()?;
        Ok(Self { make, parts: vec![] })
    }

    /// An accumulator that has seen the rows of the frame.
    fn computed(&mut self) -> Result<Box<dyn Accumulator>> {
        let mut accumulator = (self.make)()?;
        if let [first, _, ..] = &self.parts[..] {
            let column = |c: usize| concat(&self.parts.iter().map(|p| p[c].as_ref() as &dyn Array).collect::<Vec<_>>());
            self.parts = vec![(0..first.len()).map(column).collect::<Result<_, _>>()?];
        }
        if let Some(rows) = self.parts.first() {
            accumulator.update_batch(rows)?;
        }
        Ok(accumulator)
    }
}

impl Accumulator for Anew {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if values.first().is_some_and(|v| !v.is_empty()) {
            self.parts.push(values.to_vec());
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut gone = values.first().map_or(0, |v| v.len());
        while gone > 0 {
            let Some(first) = self.parts.first_mut() else {
                return internal_err!("a frame lets go of rows that it did not have");
            };
            let rows = first[0].len();
            if rows <= gone {
                self.parts.remove(0);
                gone -= rows;
            } else {
                first.iter_mut().for_each(|column| *column = column.slice(gone, rows - gone));
                gone = 0;
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.computed()?.evaluate()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.computed()?.state()
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> Result<()> {
        internal_err!("a frame is not put together from parts")
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.parts.iter().flatten().map(|a| a.get_array_memory_size()).sum::<usize>()
    }
}
