//! `ARG_MAX(x, y)` and `ARG_MIN(x, y)`: a value of the row that is first by another.
//!
//! Of rows that are equal by `y` the least `x` wins, so that a result does not depend on the order in which rows come.

use std::sync::Arc;

use datafusion::arrow::array::make_comparator;
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::{SortOptions, concat};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

/// Both functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ArgExtreme {
    greatest: bool,
    aliases: [String; 1],
    signature: Signature,
}

impl ArgExtreme {
    pub(super) fn new(greatest: bool) -> Self {
        let alias = if greatest { "max_by" } else { "min_by" };
        Self { greatest, aliases: [alias.into()], signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for ArgExtreme {
    fn name(&self) -> &str {
        if self.greatest { "arg_max" } else { "arg_min" }
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |(name, of): (&str, &FieldRef)| {
            Arc::new(Field::new(format!("{}[{name}]", args.name), of.data_type().clone(), true))
        };
        Ok(["value", "by"].into_iter().zip(args.input_fields).map(field).collect())
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let none = |f: &FieldRef| ScalarValue::try_new_null(f.data_type());
        let best = args.expr_fields.iter().take(2).map(none).collect::<Result<_>>()?;
        Ok(Box::new(Best { greatest: self.greatest, best }))
    }
}

/// The best row so far.
#[derive(Debug)]
struct Best {
    greatest: bool,
    /// The value, and what it goes by; both NULL where there is no row yet.
    best: Vec<ScalarValue>,
}

impl Accumulator for Best {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        // The best so far is a row like any other.
        let join = |(best, new): (&ScalarValue, &ArrayRef)| -> Result<ArrayRef> {
            Ok(concat(&[best.to_array()?.as_ref(), new.as_ref()])?)
        };
        let columns = self.best.iter().zip(values).map(join).collect::<Result<Vec<_>>>()?;
        let (value, by) = (&columns[0], &columns[1]);
        let by_value = make_comparator(value, value, SortOptions::default())?;
        let by_key = make_comparator(by, by, SortOptions { descending: self.greatest, nulls_first: false })?;
        let nulls = [value, by].map(|c| c.logical_nulls());
        let counts = |row: &usize| nulls.iter().flatten().all(|n| n.is_valid(*row));
        let order = |a: &usize, b: &usize| by_key(*a, *b).then_with(|| by_value(*a, *b));
        let best = (0..value.len()).filter(counts).min_by(order);
        if let Some(row) = best.filter(|row| *row > 0) {
            self.best = columns.iter().map(|c| ScalarValue::try_from_array(c, row)).collect::<Result<_>>()?;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.best[0].clone())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.best.clone())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.best.iter().map(ScalarValue::size).sum::<usize>()
    }
}
