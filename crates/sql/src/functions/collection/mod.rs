//! Arrays and maps, where Flink means something else than DataFusion.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Int32Array, ListArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, interleave, take};
use arrow::datatypes::{DataType, Field};
use datafusion::common::exec_err;
use datafusion::functions_nested::concat::array_prepend_udf;
use datafusion::functions_nested::map::map_udf;
use datafusion::functions_nested::position::array_position_udf;
use datafusion::functions_nested::remove::array_remove_all_udf;
use datafusion::logical_expr::ReturnFieldArgs;

use super::declaration::{Function, Types};

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

/// An array, and a value of the type of its elements.
fn array_and_element(args: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    let [array, _] = args else { return None };
    let element = element_type(array)?.clone();
    Some((vec![array.clone(), element], array.clone()))
}

pub(super) static ARRAY_POSITION: Function = Function {
    names: &["array_position"],
    usage: "ARRAY_POSITION(array, element)",
    about: "The place of the first such element, counted from 1; 0 if there is none.",
    examples: &[
        ("array_position(split('a,b,c', ','), 'b')", "2"),
        ("array_position(split('a,b,c', ','), 'x')", "0"),
        ("array_position(split('a,b,c', ','), CAST(NULL AS STRING))", "NULL"),
    ],
    types: |args| array_and_element(args).map(|(args, _)| Types { args, result: DataType::Int32 }),
    compute: |call| {
        let field = Arc::new(Field::new("position", DataType::UInt64, true));
        let positions = cast(&call.delegate_as(&array_position_udf(), field)?, &DataType::Int32)?;
        let positions = positions.as_primitive::<arrow::datatypes::Int32Type>();
        let (array, element) = (call.array(0)?, call.array(1)?);
        let (array, element) = (array.logical_nulls(), element.logical_nulls());
        let known = |row| ![&array, &element].into_iter().flatten().any(|nulls| nulls.is_null(row));
        call.collected::<i32, Int32Array>(|row| {
            Ok(known(row).then(|| if positions.is_valid(row) { positions.value(row) } else { 0 }))
        })
    },
    ..Function::PLAIN
};

pub(super) static ARRAY_REMOVE: Function = Function {
    names: &["array_remove"],
    usage: "ARRAY_REMOVE(array, element)",
    about: "The array without all such elements.",
    examples: &[("array_remove(split('a,b,a', ','), 'a')", "[b]"), ("array_remove(split('a', ','), 'x')", "[a]")],
    types: |args| array_and_element(args).map(|(args, result)| Types { args, result }),
    compute: |call| call.delegate(&array_remove_all_udf()),
    ..Function::PLAIN
};

pub(super) static ARRAY_PREPEND: Function = Function {
    names: &["array_prepend"],
    usage: "ARRAY_PREPEND(array, element)",
    about: "The array with an element before the others. DataFusion's order of the arguments is taken as well.",
    examples: &[("array_prepend(split('b,c', ','), 'a')", "[a, b, c]")],
    types: |args| array_and_element(args).map(|(args, result)| Types { args, result }),
    compute: |call| {
        let (lists, element) = (call.list(0)?, call.array(1)?);
        let (mut picks, mut lengths, mut valid) = (vec![], vec![], vec![]);
        for row in 0..call.rows {
            let range = lists.range(row);
            valid.push(range.is_some());
            let (start, count) = range.unwrap_or((0, 0));
            if range.is_some() {
                picks.push((0, row));
            }
            picks.extend((0..count).map(|i| (1, start as usize + i)));
            lengths.push(count + usize::from(range.is_some()));
        }
        let values = interleave(&[element.as_ref(), lists.values().as_ref()], &picks)?;
        let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths(lengths);
        let array = ListArray::try_new(field, offsets, values, Some(NullBuffer::from(valid)))?;
        Ok(cast(&array, call.result_type())?)
    },
    otherwise: Some(array_prepend_udf),
    ..Function::PLAIN
};

pub(super) static MAP_FROM_ARRAYS: Function = Function {
    names: &["map_from_arrays"],
    usage: "MAP_FROM_ARRAYS(keys, values)",
    about: "The map of an array of keys and an array, of the same length, of their values.",
    examples: &[("map_from_arrays(split('a,b', ','), split('1,2', ','))", "{a: 1, b: 2}")],
    types: |args| {
        let fields: Vec<_> = args.iter().map(|t| Arc::new(Field::new("array", t.clone(), true))).collect();
        let values = vec![None; args.len()];
        (args.len() == 2 && args.iter().all(|t| element_type(t).is_some())).then_some(())?;
        let field = map_udf()
            .return_field_from_args(ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &values })
            .ok()?;
        Some(Types { args: args.to_vec(), result: field.data_type().clone() })
    },
    compute: |call| call.delegate(&map_udf()),
    ..Function::PLAIN
};
