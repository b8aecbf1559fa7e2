//! Arrays made of others: put together, cut, and sorted.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, ListArray, MutableArrayData, UInt32Array, make_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{SortOptions, sort_to_indices, take};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::functions_nested::concat::array_concat_udf;
use datafusion::functions_nested::extract::array_slice_udf;
use datafusion::functions_nested::sort::array_sort_udf;

use super::super::declaration::{Function, Types};
use super::element_type;
use super::fit::{coerced, common, fitted, list_of};

/// A column of arrays that is put together of pieces of others, whose elements are of its type.
pub(super) struct Assembly {
    data: Vec<ArrayData>,
    pieces: Vec<(usize, usize, usize)>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
    length: usize,
}

impl Assembly {
    pub(super) fn new(elements: &[ArrayRef], rows: usize) -> Self {
        Self {
            data: elements.iter().map(|e| e.to_data()).collect(),
            pieces: Vec::with_capacity(rows),
            lengths: Vec::with_capacity(rows),
            valid: Vec::with_capacity(rows),
            length: 0,
        }
    }

    /// Goes on with `count` elements of a source.
    pub(super) fn extend(&mut self, source: usize, start: usize, count: usize) {
        self.length += count;
        match self.pieces.last_mut() {
            // What stands together is copied together.
            Some((last, _, end)) if *last == source && *end == start => *end += count,
            _ if count > 0 => self.pieces.push((source, start, start + count)),
            _ => {}
        }
    }

    /// Ends the array of a row.
    pub(super) fn end(&mut self, valid: bool) {
        self.lengths.push(std::mem::take(&mut self.length));
        self.valid.push(valid);
    }

    /// The column, which is of the type `list`.
    pub(super) fn finish(self, list: &DataType) -> Result<ArrayRef> {
        let DataType::List(field) = list else { return internal_err!("{list} is no array") };
        let total = self.lengths.iter().sum();
        let mut values = MutableArrayData::new(self.data.iter().collect(), false, total);
        for (source, start, end) in self.pieces {
            values.try_extend(source, start, end)?;
        }
        let (values, offsets) = (make_array(values.freeze()), OffsetBuffer::from_lengths(self.lengths));
        Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, values, Some(NullBuffer::from(self.valid)))?))
    }
}

pub(in super::super) static ARRAY_CONCAT: Function = Function {
    names: &["array_concat"],
    usage: "ARRAY_CONCAT(array, ...)",
    about: "The elements of all arrays, one after the other; NULL if one of the arrays is NULL.",
    examples: &[
        ("array_concat(split('a,b', ','), split('c', ','))", "[a, b, c]"),
        ("array_concat(split('a', ','), split(CAST(NULL AS STRING), ','))", "NULL"),
    ],
    types: |args| {
        let (first, rest) = args.split_first()?;
        let element = rest.iter().try_fold(element_type(first)?.clone(), |element, list| {
            // Arrays of arrays take an array as one of their elements: that is DataFusion's.
            common(&element, element_type(list)?).filter(|common| common.is_nested() == element.is_nested())
        })?;
        let result = list_of(element);
        Some(Types { args: args.iter().map(|list| coerced(list, &result)).collect(), result })
    },
    compute: |call| {
        let lists = (0..call.len()).map(|i| call.list(i)).collect::<Result<Vec<_>>>()?;
        let DataType::List(field) = call.result_type() else { return internal_err!("ARRAY_CONCAT gives an array") };
        let elements = lists.iter().map(|list| fitted(list.values(), field.data_type())).collect::<Result<Vec<_>>>()?;
        let mut assembly = Assembly::new(&elements, call.rows);
        for row in 0..call.rows {
            let ranges: Option<Vec<_>> = lists.iter().map(|list| list.range(row)).collect();
            for (source, (start, count)) in ranges.iter().flatten().enumerate() {
                assembly.extend(source, *start as usize, *count);
            }
            assembly.end(ranges.is_some());
        }
        assembly.finish(call.result_type())
    },
    otherwise: Some(array_concat_udf),
    ..Function::PLAIN
};

pub(in super::super) static ARRAY_SLICE: Function = Function {
    names: &["array_slice"],
    usage: "ARRAY_SLICE(array, start[, end])",
    about: "The elements from one place to another, both included and counted from 1, or to the last. A negative place counts from \
            the end; 0 is the same as 1.",
    examples: &[
        ("array_slice(split('a,b,c,d', ','), 2, 3)", "[b, c]"),
        ("array_slice(split('a,b,c,d', ','), -2)", "[c, d]"),
        ("array_slice(split('a,b,c,d', ','), -9, 2)", "[a, b]"),
        ("array_slice(split('a,b', ','), 1, 0)", "[a]"),
        ("array_slice(split('a,b', ','), 2, 1)", "[]"),
        ("array_slice(split('a,b', ','), 5, 9)", "[]"),
        ("array_slice(split('a,b', ','), CAST(NULL AS INT))", "NULL"),
    ],
    types: |args| {
        let (list, places) = args.split_first()?;
        element_type(list)?;
        let whole = places.iter().all(|t| t.is_integer() || t.is_null());
        (matches!(places.len(), 1 | 2) && whole).then(|| {
            let places = places.iter().map(|_| DataType::Int64);
            Types { args: [list.clone()].into_iter().chain(places).collect(), result: list.clone() }
        })
    },
    compute: |call| {
        let (lists, start) = (call.list(0)?, call.int(1)?);
        let end = if call.len() > 2 { Some(call.int(2)?) } else { None };
        let mut assembly = Assembly::new(&[Arc::clone(lists.values())], call.rows);
        for row in 0..call.rows {
            let end = end.as_ref().map_or(Some(-1), |end| end.at(row));
            let (Some((first, count)), Some(start), Some(end)) = (lists.range(row), start.at(row), end) else {
                assembly.end(false);
                continue;
            };
            let count = count as i64;
            let place = |place: i64| match place {
                0 => 1,
                place if place < 0 => place.saturating_add(count + 1),
                place => place,
            };
            let (start, end) = (place(start).max(1), place(end).min(count));
            if start <= end {
                assembly.extend(0, first as usize + start as usize - 1, (end - start + 1) as usize);
            }
            assembly.end(true);
        }
        assembly.finish(call.result_type())
    },
    otherwise: Some(array_slice_udf),
    ..Function::PLAIN
};

pub(in super::super) static ARRAY_SORT: Function = Function {
    names: &["array_sort"],
    usage: "ARRAY_SORT(array[, ascending[, nulls_first]])",
    about: "The elements in order: ascending if nothing else is said, with NULLs first where it is ascending and last where it is \
            not, if nothing else is said. DataFusion's words, 'DESC' and 'NULLS LAST', are taken as well.",
    examples: &[
        ("array_sort(split('b,a,c', ','))", "[a, b, c]"),
        ("array_sort(split('b,a,c', ','), FALSE)", "[c, b, a]"),
        ("array_sort(make_array(2, NULL, 1), FALSE)", "[2, 1, ]"),
        ("array_sort(make_array(2, NULL, 1), TRUE, FALSE)", "[1, 2, ]"),
        ("array_sort(make_array(2, NULL, 1), FALSE, TRUE)", "[, 2, 1]"),
        ("array_sort(make_array(2, 1), CAST(NULL AS BOOLEAN))", "NULL"),
    ],
    types: |args| {
        let (list, flags) = args.split_first()?;
        element_type(list)?;
        let boolean = flags.iter().all(|t| matches!(t, DataType::Boolean | DataType::Null));
        (matches!(flags.len(), 1 | 2) && boolean).then(|| {
            let flags = flags.iter().map(|_| DataType::Boolean);
            Types { args: [list.clone()].into_iter().chain(flags).collect(), result: list.clone() }
        })
    },
    compute: |call| {
        let (lists, ascending) = (call.list(0)?, call.bool(1)?);
        let nulls_first = if call.len() > 2 { Some(call.bool(2)?) } else { None };
        let (mut places, mut lengths, mut valid) = (vec![], vec![], vec![]);
        for row in 0..call.rows {
            let ascending = ascending.at(row);
            let nulls_first = nulls_first.as_ref().map_or(ascending, |flag| flag.at(row));
            let sorted = match (lists.range(row), ascending, nulls_first) {
                (Some((start, count)), Some(ascending), Some(nulls_first)) => {
                    let options = SortOptions { descending: !ascending, nulls_first };
                    let elements = lists.values().slice(start as usize, count);
                    let order = sort_to_indices(&elements, Some(options), None)?;
                    places.extend(order.values().iter().map(|place| start + place));
                    Some(count)
                }
                _ => None,
            };
            lengths.push(sorted.unwrap_or(0));
            valid.push(sorted.is_some());
        }
        let values = take(lists.values(), &UInt32Array::from(places), None)?;
        let DataType::List(field) = call.result_type() else { return internal_err!("ARRAY_SORT gives an array") };
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, values, Some(NullBuffer::from(valid)))?))
    },
    otherwise: Some(array_sort_udf),
    ..Function::PLAIN
};
