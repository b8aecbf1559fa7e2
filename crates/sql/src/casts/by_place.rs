//! Casts of rows, arrays and maps: fields go by place, as in Flink, and not by name.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use tidemill_plan::window::Zone;

use super::whole::{is_whole, whole};
use super::written::written;

/// Whether a cast is one of these. DataFusion looks for fields by name, and gives NULL for those it does not find.
pub(super) fn is_by_place(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (from, to) if from == to => false,
        (DataType::Interval(_), DataType::Utf8) => true,
        // Two that Arrow does not have.
        (DataType::Boolean, DataType::Decimal128(..)) => true,
        (DataType::Time32(_) | DataType::Time64(_), DataType::Timestamp(_, None)) => true,
        (DataType::Utf8, to) => is_whole(to),
        (DataType::List(_) | DataType::Map(..) | DataType::Struct(_), DataType::Utf8) => true,
        (DataType::List(_), DataType::List(_)) | (DataType::Map(..), DataType::Map(..)) => true,
        (DataType::Struct(from), DataType::Struct(to)) => from.len() == to.len(),
        _ => false,
    }
}

/// A cast to a type.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ByPlace {
    to: DataType,
    /// What cannot be cast is NULL, and no error.
    safe: bool,
    zone: Zone,
    signature: Signature,
}

impl ByPlace {
    pub(super) fn new(to: DataType, safe: bool, zone: Zone) -> Self {
        Self { to, safe, zone, signature: Signature::any(1, Volatility::Immutable) }
    }

    pub(super) fn call(self, value: Expr) -> Expr {
        ScalarUDF::new_from_impl(self).call(vec![value])
    }

    fn cast(&self, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
        let nulls = array.nulls().cloned();
        Ok(match (array.data_type(), to) {
            (from, to) if from == to => Arc::clone(array),
            (from, DataType::Utf8)
                if from.is_nested() || from.is_temporal() || matches!(from, DataType::Interval(_)) =>
            {
                written(array, self.zone)?
            }
            (DataType::Boolean, DataType::Decimal128(..)) => self.cast(&cast(array, &DataType::Int8)?, to)?,
            // A time of day is one of the first day there is.
            (DataType::Time32(_) | DataType::Time64(_), DataType::Timestamp(..)) => {
                let micros = cast(&cast(array, &DataType::Time64(TimeUnit::Microsecond))?, &DataType::Int64)?;
                cast(&cast(&micros, &DataType::Timestamp(TimeUnit::Microsecond, None))?, to)?
            }
            (DataType::Utf8, to) if is_whole(to) => whole(array.as_string(), to, self.safe)?,
            (DataType::Struct(from), DataType::Struct(fields)) if from.len() == fields.len() => {
                let columns = array.as_struct().columns().iter().zip(fields);
                let columns = columns.map(|(c, f)| self.cast(c, f.data_type())).collect::<Result<Vec<_>>>()?;
                Arc::new(StructArray::try_new(fields.clone(), columns, nulls)?)
            }
            (DataType::List(_), DataType::List(field)) => {
                let list = array.as_list::<i32>();
                let values = self.cast(list.values(), field.data_type())?;
                Arc::new(ListArray::try_new(Arc::clone(field), list.offsets().clone(), values, nulls)?)
            }
            (DataType::Map(..), DataType::Map(field, sorted)) => {
                let map = array.as_map();
                let entries: ArrayRef = Arc::new(map.entries().clone());
                let entries = self.cast(&entries, field.data_type())?.as_struct().clone();
                Arc::new(MapArray::try_new(Arc::clone(field), map.offsets().clone(), entries, nulls, *sorted)?)
            }
            (_, to) => cast_with_options(array, to, &CastOptions { safe: self.safe, ..Default::default() })?,
        })
    }
}

impl ScalarUDFImpl for ByPlace {
    fn name(&self) -> &str {
        "cast_by_place"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.first() {
            Some(ColumnarValue::Scalar(value)) => {
                let cast = self.cast(&value.to_array()?, &self.to)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&cast, 0)?))
            }
            Some(ColumnarValue::Array(array)) => Ok(ColumnarValue::Array(self.cast(array, &self.to)?)),
            None => datafusion::common::internal_err!("a cast needs a value"),
        }
    }
}
