//! What a normalization puts out: rows from what is kept and from what came in, side by side.

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result};

use crate::expression::conform;
use crate::operator::Cx;

/// Rows to put out, in their order.
#[derive(Debug, Default)]
pub(super) struct Out {
    /// From which side, and which row of it.
    picks: Vec<(usize, usize)>,
    weights: Vec<i64>,
    /// The watermark that a row is below.
    below: Vec<Option<i64>>,
}

/// A row that was kept before the epoch.
pub(in crate::operators) const OLD: usize = 0;
/// A row that came in with it.
pub(in crate::operators) const NEW: usize = 1;

impl Out {
    /// Adds row `row` of a side.
    pub(super) fn push(&mut self, side: usize, row: usize, weight: i64, below: Option<i64>) {
        self.picks.push((side, row));
        self.weights.push(weight);
        self.below.push(below);
    }

    /// Emits them, as rows of `schema`.
    pub(super) fn emit(self, schema: &SchemaRef, old: &[ArrayRef], new: &[ArrayRef], cx: &mut Cx) -> Result<()> {
        if self.picks.is_empty() {
            return Ok(());
        }
        let columns = new.iter().enumerate().map(|(i, new)| {
            // Without old rows there is no old column either.
            let old = old.get(i).map_or_else(|| new.slice(0, 0), ArrayRef::clone);
            Ok(interleave(&[old.as_ref(), new.as_ref()], &self.picks)?)
        });
        let batch = conform(schema, columns.collect::<Result<_>>()?, self.picks.len())?;
        let weights = self.weights.iter().any(|w| *w != 1).then(|| Int64Array::from(self.weights));
        let split_watermark = self.below.iter().any(Option::is_some).then(|| Int64Array::from(self.below));
        cx.emit(Delta { batch, weights, split_watermark });
        Ok(())
    }
}

/// The event times of some rows, as far as they have any.
pub(super) struct Times(pub(super) Option<Int64Array>);

impl Times {
    /// `watermark`, if row `row` is below it.
    pub(super) fn below(&self, row: usize, watermark: Option<i64>) -> Option<i64> {
        let times = self.0.as_ref().filter(|t| t.is_valid(row))?;
        watermark.filter(|w| times.value(row) < *w)
    }
}
