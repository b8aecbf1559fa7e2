//! `PERCENTILE_DISC(p) WITHIN GROUP (ORDER BY x)`: a percentile that is one of the values.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, make_comparator};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, ColumnarValue, Signature, Volatility};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::scalar::ScalarValue;

use super::ordered_values::{OrderedValues, state_fields};

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct PercentileDisc {
    descending: bool,
    signature: Signature,
}

impl PercentileDisc {
    /// Over values in the order that `WITHIN GROUP` says; or, with `OVER`, where there is none, in that which the name says.
    pub(super) fn new(descending: bool) -> Self {
        Self { descending, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for PercentileDisc {
    fn name(&self) -> &str {
        if self.descending { "percentile_disc_descending" } else { "percentile_disc" }
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
        let (share, distinct) = (share(&args.exprs[1])?, args.is_distinct);
        let pick = move |sorted: &ArrayRef| {
            let mut places: Vec<usize> = (0..sorted.len()).collect();
            if distinct {
                let compare = make_comparator(sorted, sorted, SortOptions::default())?;
                places.dedup_by(|a, b| compare(*a, *b).is_eq());
            }
            let at = (share * places.len() as f64).ceil() as usize;
            Ok(places[at.saturating_sub(1).min(places.len() - 1)])
        };
        Ok(Box::new(OrderedValues::of_call(&args, self.descending, Box::new(pick))))
    }
}

/// The share, which is the same in each row.
fn share(expr: &Arc<dyn PhysicalExpr>) -> Result<f64> {
    let no_columns = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &no_columns)?;
    let value = match expr.evaluate(&row) {
        Ok(ColumnarValue::Scalar(value)) => value.cast_to(&DataType::Float64).ok(),
        _ => None,
    };
    match value {
        Some(ScalarValue::Float64(Some(share))) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => plan_err!("PERCENTILE_DISC needs a constant from 0 to 1"),
    }
}
