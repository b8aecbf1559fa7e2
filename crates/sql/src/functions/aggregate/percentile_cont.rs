//! `PERCENTILE_CONT(p) WITHIN GROUP (ORDER BY x [DESC])`: the value at a place between two, exactly.
//!
//! DataFusion's own rounds the place to millionths: 33.99976 for 34. Types and arguments are its own.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, ListArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::functions_aggregate::percentile_cont::PercentileCont;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature};

/// The function, to be registered over DataFusion's.
pub(super) fn percentile_cont() -> AggregateUDF {
    AggregateUDF::new_from_impl(Percentile { theirs: PercentileCont::new(), descending: false })
}

/// The function over values in descending order: with `OVER` it has no order of its own.
pub(super) fn percentile_cont_descending() -> AggregateUDF {
    AggregateUDF::new_from_impl(Percentile { theirs: PercentileCont::new(), descending: true })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Percentile {
    theirs: PercentileCont,
    descending: bool,
}

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &str {
        if self.descending { "percentile_cont_descending" } else { self.theirs.name() }
    }

    fn aliases(&self) -> &[String] {
        if self.descending { &[] } else { self.theirs.aliases() }
    }

    fn signature(&self) -> &Signature {
        self.theirs.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.theirs.return_type(arg_types)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let values = DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)));
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "values"), values, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let no_rows = RecordBatch::new_empty(Arc::new(Schema::empty()));
        let share = match args.exprs.get(1).map(|e| e.evaluate(&no_rows)) {
            Some(Ok(ColumnarValue::Scalar(share))) => share.cast_to(&DataType::Float64)?,
            _ => return plan_err!("PERCENTILE_CONT needs a number for its share, not an expression over columns"),
        };
        let ScalarValue::Float64(Some(share)) = share else {
            return plan_err!("PERCENTILE_CONT needs a number for its share, not NULL");
        };
        if !(0.0..=1.0).contains(&share) {
            return plan_err!("PERCENTILE_CONT takes a share from 0 to 1, not {share}");
        }
        let descending = self.descending || args.order_bys.first().is_some_and(|by| by.options.descending);
        let result = args.return_field.data_type().clone();
        Ok(Box::new(Values { values: vec![], share, descending, distinct: args.is_distinct, result }))
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Values {
    values: Vec<f64>,
    share: f64,
    descending: bool,
    distinct: bool,
    result: DataType,
}

impl Values {
    fn value(&mut self) -> Option<f64> {
        self.values.sort_unstable_by(f64::total_cmp);
        let mut distinct;
        let values = match self.distinct {
            true => {
                distinct = self.values.clone();
                distinct.dedup_by(|a, b| a.total_cmp(b).is_eq());
                &distinct
            }
            false => &self.values,
        };
        let last = values.len().checked_sub(1)?;
        let place = self.share * last as f64;
        let at = |i: usize| if self.descending { values[last - i.min(last)] } else { values[i.min(last)] };
        let (before, after) = (at(place.floor() as usize), at(place.ceil() as usize));
        let fraction = place - place.floor();
        // Also where both are infinite.
        if fraction == 0.0 || before == after {
            return Some(before);
        }
        Some(before + (after - before) * fraction)
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = cast(&values[0], &DataType::Float64)?;
        self.values.extend(values.as_primitive::<Float64Type>().iter().flatten());
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = cast(&values[0], &DataType::Float64)?;
        let mut gone: HashMap<u64, usize> = HashMap::new();
        values.as_primitive::<Float64Type>().iter().flatten().for_each(|v| *gone.entry(v.to_bits()).or_default() += 1);
        self.values.retain(|v| match gone.get_mut(&v.to_bits()) {
            Some(n) if *n > 0 => {
                *n -= 1;
                false
            }
            _ => true,
        });
        match gone.values().all(|n| *n == 0) {
            true => Ok(()),
            false => internal_err!("PERCENTILE_CONT was to forget values that it does not have"),
        }
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            self.update_batch(&[list])?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = Float64Array::from(self.values.clone());
        let offsets = OffsetBuffer::from_lengths([values.len()]);
        let field = Arc::new(Field::new_list_field(DataType::Float64, true));
        Ok(vec![ScalarValue::List(Arc::new(ListArray::new(field, offsets, Arc::new(values), None)))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::Float64(self.value()).cast_to(&self.result)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<f64>()
    }
}
