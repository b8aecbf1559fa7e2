//! Functions of an array and one value: whether, and where, it is among the elements; the array with it, and without.
//!
//! NULL is an element like any other, as in Flink: an array contains it, and it can be removed.

use std::sync::Arc;

use arrow::array::make_comparator;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, ListArray, Scalar, UInt32Array};
use arrow::buffer::{BooleanBuffer, OffsetBuffer};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{SortOptions, filter, take};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions_nested::array_has::array_has_udf;
use datafusion::functions_nested::concat::{array_append_udf, array_prepend_udf};
use datafusion::functions_nested::position::array_position_udf;
use datafusion::functions_nested::remove::array_remove_udf;

use super::super::call::Call;
use super::super::declaration::{Function, Types};
use super::arranged::Assembly;
use super::element_type;
use super::fit::{coerced, common, fitted, list_of};

/// An array, and a value that can be one of its elements.
fn types(args: &[DataType], result: impl FnOnce(&DataType) -> DataType) -> Option<Types> {
    let [array, value] = args else { return None };
    let element = element_type(array)?;
    let common = common(element, value)?;
    let array = if common == *element { array.clone() } else { list_of(common.clone()) };
    let result = result(&array);
    Some(Types { args: vec![array, coerced(value, &common)], result })
}

/// The arrays of a call, one a row, and of each of their elements whether it is the value of its row.
struct Found {
    lists: ListArray,
    /// Of the elements from the first one on that a list has.
    equal: BooleanBuffer,
}

impl Found {
    fn new(call: &Call) -> Result<Self> {
        let lists = call.array(0)?.as_list::<i32>().clone();
        let (first, last) = (lists.value_offsets()[0] as usize, lists.value_offsets()[lists.len()] as usize);
        let elements = lists.values().slice(first, last - first);
        let value = fitted(&call.array(1)?, lists.values().data_type())?;
        let nested = elements.data_type().is_nested();
        if call.is_constant(1) && !nested && !value.is_empty() {
            let equal = not_distinct(&elements, &Scalar::new(value.slice(0, 1)))?;
            return Ok(Self { lists, equal: equal.values().clone() });
        }
        let rows = (0..lists.len()).flat_map(|row| std::iter::repeat_n(row as u32, lists.value_length(row) as usize));
        let wanted = take(&value, &UInt32Array::from_iter_values(rows), None)?;
        let equal = if nested {
            let compare = make_comparator(&elements, &wanted, SortOptions::default())?;
            BooleanBuffer::collect_bool(elements.len(), |i| compare(i, i).is_eq())
        } else {
            not_distinct(&elements, &wanted)?.values().clone()
        };
        Ok(Self { lists, equal })
    }

    /// Which elements of a row are equal to its value, in their order.
    fn of(&self, row: usize) -> BooleanBuffer {
        let start = (self.lists.value_offsets()[row] - self.lists.value_offsets()[0]) as usize;
        self.equal.slice(start, self.lists.value_length(row) as usize)
    }
}

pub(in super::super) static ARRAY_CONTAINS: Function = Function {
    names: &["array_contains"],
    usage: "ARRAY_CONTAINS(array, element)",
    about: "Whether there is such an element; NULL may be one.",
    examples: &[
        ("array_contains(split('a,b', ','), 'b')", "true"),
        ("array_contains(split('a,b', ','), 'c')", "false"),
        ("array_contains(make_array(1, 2), 2.5)", "false"),
        ("array_contains(split('a', ','), CAST(NULL AS STRING))", "false"),
    ],
    types: |args| types(args, |_| DataType::Boolean),
    compute: |call| {
        let found = Found::new(call)?;
        call.collected::<bool, BooleanArray>(|row| {
            Ok(found.lists.is_valid(row).then(|| found.of(row).count_set_bits() > 0))
        })
    },
    otherwise: Some(array_has_udf),
    ..Function::PLAIN
};

pub(in super::super) static ARRAY_POSITION: Function = Function {
    names: &["array_position"],
    usage: "ARRAY_POSITION(array, element)",
    about: "The place of the first such element, counted from 1; 0 if there is none.",
    examples: &[
        ("array_position(split('a,b,c', ','), 'b')", "2"),
        ("array_position(split('a,b,c', ','), 'x')", "0"),
        ("array_position(split('a,b,c', ','), CAST(NULL AS STRING))", "NULL"),
    ],
    types: |args| types(args, |_| DataType::Int32),
    compute: |call| {
        let found = Found::new(call)?;
        let value = call.array(1)?.logical_nulls();
        call.collected::<i32, Int32Array>(|row| {
            let known = found.lists.is_valid(row) && value.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            Ok(known.then(|| found.of(row).set_indices().next().map_or(0, |place| place as i32 + 1)))
        })
    },
    otherwise: Some(array_position_udf),
    ..Function::PLAIN
};

pub(in super::super) static ARRAY_REMOVE: Function = Function {
    names: &["array_remove"],
    usage: "ARRAY_REMOVE(array, element)",
    about: "The array without all such elements; NULL may be one.",
    examples: &[
        ("array_remove(split('a,b,a', ','), 'a')", "[b]"),
        ("array_remove(split('a', ','), 'x')", "[a]"),
        ("array_remove(make_array(1, NULL, 2), CAST(NULL AS INT))", "[1, 2]"),
    ],
    types: |args| types(args, DataType::clone),
    compute: |call| {
        let Found { lists, equal } = Found::new(call)?;
        let first = lists.value_offsets()[0] as usize;
        let elements = lists.values().slice(first, equal.len());
        let mut at = 0;
        let lengths = (0..lists.len()).map(|row| {
            let length = lists.value_length(row) as usize;
            let gone = equal.slice(at, length).count_set_bits();
            at += length;
            length - gone
        });
        let offsets = OffsetBuffer::from_lengths(lengths);
        let values = filter(&elements, &BooleanArray::new(!&equal, None))?;
        let DataType::List(field) = lists.data_type() else { unreachable!("a list array is of a list type") };
        Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, values, lists.nulls().cloned())?))
    },
    otherwise: Some(array_remove_udf),
    ..Function::PLAIN
};

/// The arrays with a value before or after their elements.
fn joined(call: &Call, before: bool) -> Result<ArrayRef> {
    let lists = call.list(0)?;
    let value = fitted(&call.array(1)?, lists.values().data_type())?;
    let mut assembly = Assembly::new(&[Arc::clone(lists.values()), value], call.rows);
    for row in 0..call.rows {
        let Some((start, count)) = lists.range(row) else {
            assembly.end(false);
            continue;
        };
        if before {
            assembly.extend(1, row, 1);
        }
        assembly.extend(0, start as usize, count);
        if !before {
            assembly.extend(1, row, 1);
        }
        assembly.end(true);
    }
    assembly.finish(call.result_type())
}

pub(in super::super) static ARRAY_APPEND: Function = Function {
    names: &["array_append"],
    usage: "ARRAY_APPEND(array, element)",
    about: "The array with an element after the others.",
    examples: &[
        ("array_append(split('a,b', ','), 'c')", "[a, b, c]"),
        ("array_append(make_array(1, 2), CAST(NULL AS INT))", "[1, 2, ]"),
        ("array_append(split(CAST(NULL AS STRING), ','), 'c')", "NULL"),
    ],
    types: |args| types(args, DataType::clone),
    compute: |call| joined(call, false),
    otherwise: Some(array_append_udf),
    ..Function::PLAIN
};

pub(in super::super) static ARRAY_PREPEND: Function = Function {
    names: &["array_prepend"],
    usage: "ARRAY_PREPEND(array, element)",
    about: "The array with an element before the others. DataFusion's order of the arguments is taken as well.",
    examples: &[("array_prepend(split('b,c', ','), 'a')", "[a, b, c]")],
    types: |args| types(args, DataType::clone),
    compute: |call| joined(call, true),
    otherwise: Some(array_prepend_udf),
    ..Function::PLAIN
};
