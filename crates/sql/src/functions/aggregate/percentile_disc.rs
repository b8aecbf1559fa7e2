//! `PERCENTILE_DISC(p) WITHIN GROUP (ORDER BY x)`: a percentile that is one of the values.

use std::sync::Arc;

use datafusion::arrow::array::make_comparator;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{SortOptions, concat, filter, is_not_null, sort_to_indices, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, ColumnarValue, Signature, Volatility};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::scalar::ScalarValue;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct PercentileDisc {
    signature: Signature,
}

impl PercentileDisc {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for PercentileDisc {
    fn name(&self) -> &str {
        "percentile_disc"
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
        let list = DataType::List(item(args.input_fields[0].data_type()));
        Ok(vec![Arc::new(Field::new(format!("{}[values]", args.name), list, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Values {
            share: share(&args.exprs[1])?,
            descending: args.order_bys.first().is_some_and(|o| o.options.descending),
            distinct: args.is_distinct,
            of: args.expr_fields[0].data_type().clone(),
            parts: vec![],
        }))
    }
}

fn item(of: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(of.clone(), true))
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

/// All values that are not NULL.
#[derive(Debug)]
struct Values {
    share: f64,
    descending: bool,
    distinct: bool,
    of: DataType,
    parts: Vec<ArrayRef>,
}

impl Values {
    fn all(&mut self) -> Result<Option<ArrayRef>> {
        if self.parts.len() > 1 {
            let parts: Vec<&dyn Array> = self.parts.iter().map(|p| p.as_ref()).collect();
            self.parts = vec![concat(&parts)?];
        }
        Ok(self.parts.first().cloned())
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = filter(&values[0], &is_not_null(&values[0])?)?;
        if !values.is_empty() {
            self.parts.push(values);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        (0..lists.len()).filter(|row| lists.is_valid(*row)).try_for_each(|row| self.update_batch(&[lists.value(row)]))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let Some(values) = self.all()? else { return ScalarValue::try_new_null(&self.of) };
        let options = SortOptions { descending: self.descending, nulls_first: false };
        let sorted = take(&values, &sort_to_indices(&values, Some(options), None)?, None)?;
        let mut places: Vec<usize> = (0..sorted.len()).collect();
        if self.distinct {
            let compare = make_comparator(&sorted, &sorted, SortOptions::default())?;
            places.dedup_by(|a, b| compare(*a, *b).is_eq());
        }
        let at = (self.share * places.len() as f64).ceil() as usize;
        ScalarValue::try_from_array(&sorted, places[at.saturating_sub(1).min(places.len() - 1)])
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Some(values) = self.all()? else {
            return Ok(vec![ScalarValue::try_new_null(&DataType::List(item(&self.of)))?]);
        };
        let offsets = OffsetBuffer::from_lengths([values.len()]);
        Ok(vec![ScalarValue::List(Arc::new(ListArray::try_new(item(&self.of), offsets, values, None)?))])
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.parts.iter().map(|p| p.get_array_memory_size()).sum::<usize>()
    }
}
