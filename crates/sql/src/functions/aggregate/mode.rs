//! `MODE(x)` and `MODE() WITHIN GROUP (ORDER BY x [DESC])`: the value that is there most often.
//!
//! Of values that are there equally often it is the first in the order, so that a result does not depend on how rows come.

use datafusion::arrow::array::{Array, ArrayRef, make_comparator};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

use super::ordered_values::{OrderedValues, state_fields};

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Mode {
    descending: bool,
    signature: Signature,
}

impl Mode {
    /// Over values in the order that `WITHIN GROUP` says; or, with `OVER`, where there is none, in that which the name says.
    pub(super) fn new(descending: bool) -> Self {
        Self { descending, signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Mode {
    fn name(&self) -> &str {
        if self.descending { "mode_descending" } else { "mode" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(state_fields(&args))
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OrderedValues::of_call(&args, self.descending, Box::new(most_frequent))))
    }
}

/// The place of the first value of the longest run.
fn most_frequent(sorted: &ArrayRef) -> Result<usize> {
    let compare = make_comparator(sorted, sorted, SortOptions::default())?;
    let (mut best, mut longest, mut begin) = (0, 0, 0);
    for at in 1..=sorted.len() {
        if at == sorted.len() || compare(begin, at).is_ne() {
            if at - begin > longest {
                (best, longest) = (begin, at - begin);
            }
            begin = at;
        }
    }
    Ok(best)
}
