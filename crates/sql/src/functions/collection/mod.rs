//! Arrays and maps, where Flink means something else than DataFusion.
//!
//! `elements`: functions of an array and one value. `arranged`: arrays made of others. `maps`: maps made of others. `fit`: rows and
//! arrays of them, made to fit by place.

mod arranged;
mod elements;
mod fit;
mod maps;

use arrow::array::{Array, AsArray, Int32Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::exec_err;

use super::declaration::{Function, Types};

pub(super) use arranged::{ARRAY_CONCAT, ARRAY_SLICE, ARRAY_SORT};
pub(super) use elements::{ARRAY_APPEND, ARRAY_CONTAINS, ARRAY_POSITION, ARRAY_PREPEND, ARRAY_REMOVE};
pub(super) use maps::{MAP_FROM_ARRAYS, MAP_UNION, MAP_VALUE, key_type};

fn element_type(array: &DataType) -> Option<&DataType> {
    match array {
        DataType::List(field) => Some(field.data_type()),
        _ => None,
    }
}

pub(super) static CARDINALITY: Function = Function {
    names: &["cardinality"],
    usage: "CARDINALITY(array or map)",
    about: "How many elements an array, or entries a map, has.",
    examples: &[
        ("cardinality(split('a,b', ','))", "2"),
        ("cardinality(str_to_map('a=1,b=2,c=3'))", "3"),
        ("cardinality(split(CAST(NULL AS STRING), ','))", "NULL"),
    ],
    types: |args| match args {
        [DataType::List(_) | DataType::Map(..)] => Some(Types { args: args.to_vec(), result: DataType::Int32 }),
        _ => None,
    },
    compute: |call| {
        let array = call.array(0)?;
        let count = |row: usize| match array.data_type() {
            DataType::Map(..) => array.as_map().value_length(row),
            _ => array.as_list::<i32>().value_length(row),
        };
        call.collected::<i32, Int32Array>(|row| Ok(array.is_valid(row).then(|| count(row))))
    },
    ..Function::PLAIN
};

pub(super) static ELEMENT: Function = Function {
    names: &["element"],
    usage: "ELEMENT(array)",
    about: "The only element of an array; NULL if there is none, an error if there are several.",
    examples: &[("element(split('a', ','))", "a"), ("element(regexp_extract_all('a', 'b', 0))", "NULL")],
    types: |args| match args {
        [array] => Some(Types { args: args.to_vec(), result: element_type(array)?.clone() }),
        _ => None,
    },
    compute: |call| {
        let array = call.list(0)?;
        let mut places = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            places.push(match array.range(row) {
                None => None,
                Some((_, 0)) => None,
                Some((start, 1)) => Some(start),
                Some((_, count)) => return exec_err!("ELEMENT was given an array of {count} elements"),
            });
        }
        Ok(take(array.values(), &UInt32Array::from(places), None)?)
    },
    ..Function::PLAIN
};
