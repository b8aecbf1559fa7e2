//! Values made to fit a type by place: the fields of a row have names, which rows that are written in a query do not know.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::logical_expr::type_coercion::binary::type_union_resolution;

/// The type of a list.
pub(super) fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

/// The type that an element of a list and a value are both made to fit, if there is one.
///
/// A number that stands in a query is a `BIGINT`, and arrays of other whole numbers stay what they are.
pub(super) fn common(element: &DataType, given: &DataType) -> Option<DataType> {
    match (element, given) {
        (DataType::Null, given) => Some(given.clone()),
        (element, DataType::Null) => Some(element.clone()),
        (element, given) if fits(given, element) => Some(element.clone()),
        (element, given) if element.is_integer() && given.is_integer() => Some(element.clone()),
        (element, given) => type_union_resolution(&[element.clone(), given.clone()]),
    }
}

/// Whether values of one type are values of the other but for the names of fields, and for the widths of numbers in them.
fn fits(given: &DataType, wanted: &DataType) -> bool {
    match (given, wanted) {
        (DataType::Struct(given), DataType::Struct(wanted)) => {
            given.len() == wanted.len()
                && given.iter().zip(wanted).all(|(g, w)| {
                    let (given, wanted) = (g.data_type(), w.data_type());
                    fits(given, wanted) || given.is_null() || (given.is_numeric() && wanted.is_numeric())
                })
        }
        (DataType::List(given), DataType::List(wanted)) => {
            let (given, wanted) = (given.data_type(), wanted.data_type());
            fits(given, wanted) || given.is_null() || (given.is_integer() && wanted.is_integer())
        }
        (DataType::Map(given, _), DataType::Map(wanted, _)) => fits(given.data_type(), wanted.data_type()),
        (given, wanted) => given == wanted,
    }
}

/// What a call has to coerce an argument of such a type to: nothing where [`fitted`] does it.
pub(super) fn coerced(given: &DataType, wanted: &DataType) -> DataType {
    if fits(given, wanted) { given.clone() } else { wanted.clone() }
}

/// The array as one of a type that it [`fits`].
pub(super) fn fitted(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    if array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    let nulls = array.nulls().cloned();
    Ok(match (array.data_type(), wanted) {
        (DataType::Struct(given), DataType::Struct(fields)) if given.len() == fields.len() => {
            let columns = array.as_struct().columns().iter().zip(fields);
            let columns =
                columns.map(|(column, field)| fitted(column, field.data_type())).collect::<Result<Vec<_>>>()?;
            Arc::new(StructArray::try_new(fields.clone(), columns, nulls)?)
        }
        (DataType::List(_), DataType::List(field)) => {
            let list = array.as_list::<i32>();
            let values = fitted(list.values(), field.data_type())?;
            Arc::new(ListArray::try_new(Arc::clone(field), list.offsets().clone(), values, nulls)?)
        }
        (DataType::Map(..), DataType::Map(field, sorted)) => {
            let map = array.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            let entries = fitted(&entries, field.data_type())?.as_struct().clone();
            Arc::new(MapArray::try_new(Arc::clone(field), map.offsets().clone(), entries, nulls, *sorted)?)
        }
        _ => cast(array, wanted)?,
    })
}
