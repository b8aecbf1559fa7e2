//! `AVG`: DataFusion's, but that an average of decimals is rounded.
//!
//! DataFusion's own sums and counts do the work, so that partial states and digits are its own; only the last division
//! is done here.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal256Type, DecimalType, FieldRef, UInt64Type, i256};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};
use datafusion_functions_aggregate::average::avg_udaf;

use crate::decimal::{Quotient, digits, divide};

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Average {
    inner: Arc<AggregateUDF>,
}

/// `AVG`, to be registered in place of DataFusion's.
pub fn average() -> AggregateUDF {
    AggregateUDF::new_from_impl(Average { inner: avg_udaf() })
}

impl AggregateUDFImpl for Average {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let (of, distinct) = (args.return_field.data_type().clone(), args.is_distinct);
        let inner = self.inner.accumulator(args)?;
        if digits(&of).is_none() {
            return Ok(inner);
        }
        Ok(Box::new(Rounded { inner, of, distinct }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let of = args.return_field.data_type().clone();
        let inner = self.inner.create_groups_accumulator(args)?;
        if digits(&of).is_none() {
            return Ok(inner);
        }
        Ok(Box::new(RoundedGroups { inner, of }))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// One average.
#[derive(Debug)]
struct Rounded {
    inner: Box<dyn Accumulator>,
    of: DataType,
    /// The state is a list of the distinct values, not a count and a sum.
    distinct: bool,
}

impl Rounded {
    /// How many values there are, and their sum with its scale.
    fn total(&mut self) -> Result<(u64, Option<i256>, i8)> {
        let state = self.inner.state()?;
        if self.distinct {
            let [ScalarValue::List(values)] = &state[..] else { return internal_err!("AVG(DISTINCT) without a list") };
            let values = values.values();
            let Some((_, scale)) = digits(values.data_type()) else { return internal_err!("AVG of no decimals") };
            let wide = cast(values, &DataType::Decimal256(Decimal256Type::MAX_PRECISION, scale))?;
            let sum = arrow::compute::sum(wide.as_primitive::<Decimal256Type>());
            return Ok(((wide.len() - wide.null_count()) as u64, sum, scale));
        }
        let [ScalarValue::UInt64(count), sum] = &state[..] else { return internal_err!("AVG without a count") };
        let (sum, scale) = match sum {
            ScalarValue::Decimal32(sum, _, scale) => (sum.map(|s| i256::from_i128(s.into())), *scale),
            ScalarValue::Decimal64(sum, _, scale) => (sum.map(|s| i256::from_i128(s.into())), *scale),
            ScalarValue::Decimal128(sum, _, scale) => (sum.map(i256::from_i128), *scale),
            ScalarValue::Decimal256(sum, _, scale) => (*sum, *scale),
            other => return internal_err!("AVG sums {}", other.data_type()),
        };
        Ok((count.unwrap_or(0), sum, scale))
    }
}

impl Accumulator for Rounded {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(values)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let (count, Some(sum), scale) = self.total()? else { return ScalarValue::try_new_null(&self.of) };
        let Some((precision, to)) = digits(&self.of).filter(|_| count > 0) else {
            return ScalarValue::try_new_null(&self.of);
        };
        let quotient = Quotient::<Decimal256Type>::new(scale, 0, precision, to);
        let value = quotient.of(sum, i256::from_i128(count.into()))?;
        // It has no more digits than the type, so that it fits.
        let narrow = || value.to_i128().map(|v| v as i64);
        Ok(match self.of {
            DataType::Decimal32(p, s) => ScalarValue::Decimal32(narrow().map(|v| v as i32), p, s),
            DataType::Decimal64(p, s) => ScalarValue::Decimal64(narrow(), p, s),
            DataType::Decimal128(p, s) => ScalarValue::Decimal128(value.to_i128(), p, s),
            _ => ScalarValue::Decimal256(Some(value), precision, to),
        })
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.inner.size()
    }
}

/// An average for each group.
struct RoundedGroups {
    inner: Box<dyn GroupsAccumulator>,
    of: DataType,
}

impl GroupsAccumulator for RoundedGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.inner.update_batch(values, groups, filter, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let state = self.inner.state(emit_to)?;
        let ([counts, sums], Some((precision, scale))) = (&state[..], digits(&self.of)) else {
            return internal_err!("AVG without a count and a sum");
        };
        // A group without values has no average; its count must not divide.
        let counts = counts.as_primitive::<UInt64Type>();
        let counts: UInt64Array = counts.iter().map(|c| c.filter(|c| *c > 0)).collect();
        let by = match sums.data_type() {
            DataType::Decimal32(..) => DataType::Decimal32(9, 0),
            DataType::Decimal64(..) => DataType::Decimal64(18, 0),
            DataType::Decimal128(..) => DataType::Decimal128(38, 0),
            _ => DataType::Decimal256(76, 0),
        };
        let averages = divide(sums, &cast(&counts, &by)?, precision, scale)?;
        Ok(cast(&averages, &self.of)?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit_to)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.inner.merge_batch(states, groups, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}
