//! An aggregate over distinct values, for functions that do not find them by themselves.
//!
//! Values are handed to the function in their order, so that a result does not depend on how they came.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::Result;
use datafusion::logical_expr::function::StateFieldsArgs;
use datafusion::logical_expr::{Accumulator, AggregateUDF};
use datafusion::scalar::ScalarValue;

use super::anew::Make;

/// Functions that find distinct values themselves, or to which it makes no difference how often a value is there.
const BY_THEMSELVES: &[&str] = &[
    "approx_distinct",
    "arg_max",
    "arg_min",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bool_and",
    "bool_or",
    "count",
    "first_value",
    "last_value",
    "max",
    "median",
    "min",
    "percentile_cont",
    "percentile_disc",
    "sum",
];

/// Whether `function(DISTINCT ..)` of so many arguments needs help.
pub(super) fn is_wanted(function: &AggregateUDF, args: usize) -> bool {
    !BY_THEMSELVES.contains(&function.name()) || (function.name() == "count" && args > 1)
}

/// The columns of the partial state: for each argument, a list with the distinct rows' values.
pub(super) fn state_fields(args: &StateFieldsArgs<'_>) -> Vec<FieldRef> {
    let field = |(i, f): (usize, &FieldRef)| {
        let list = DataType::List(item(f.data_type()));
        Arc::new(Field::new(format!("{}[distinct {i}]", args.name), list, true))
    };
    args.input_fields.iter().enumerate().map(field).collect()
}

fn item(of: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(of.clone(), true))
}

/// The distinct rows of arguments, and what makes an accumulator for them.
pub(super) struct DistinctValues {
    make: Make,
    types: Vec<DataType>,
    converter: RowConverter,
    rows: BTreeSet<OwnedRow>,
    bytes: usize,
}

impl fmt::Debug for DistinctValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DistinctValues").field("types", &self.types).finish_non_exhaustive()
    }
}

impl DistinctValues {
    /// No values yet, of these types.
    ///
    /// # Errors
    /// If there is no such accumulator, or values cannot be compared.
    pub(super) fn try_new(types: Vec<DataType>, make: Make) -> Result<Self> {
        make()?;
        let converter = RowConverter::new(types.iter().cloned().map(SortField::new).collect())?;
        Ok(Self { make, types, converter, rows: BTreeSet::new(), bytes: 0 })
    }

    fn columns(&self) -> Result<Vec<ArrayRef>> {
        Ok(self.converter.convert_rows(self.rows.iter().map(OwnedRow::row))?)
    }
}

impl Accumulator for DistinctValues {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for row in &self.converter.convert_columns(values)? {
            let row = row.owned();
            let bytes = row.as_ref().len() + size_of::<OwnedRow>();
            if self.rows.insert(row) {
                self.bytes += bytes;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut inner = (self.make)()?;
        if !self.rows.is_empty() {
            inner.update_batch(&self.columns()?)?;
        }
        inner.evaluate()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = |(values, of): (ArrayRef, &DataType)| {
            let offsets = OffsetBuffer::from_lengths([values.len()]);
            Ok(ScalarValue::List(Arc::new(ListArray::try_new(item(of), offsets, values, None)?)))
        };
        self.columns()?.into_iter().zip(&self.types).map(list).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for row in 0..states.first().map_or(0, |s| s.len()) {
            let values: Vec<ArrayRef> =
                states.iter().filter(|s| s.is_valid(row)).map(|s| s.as_list::<i32>().value(row)).collect();
            if values.len() == states.len() {
                self.update_batch(&values)?;
            }
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.bytes
    }
}
