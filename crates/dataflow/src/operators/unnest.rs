//! `UNNEST`: a row for each element of a list, a column for each field of a struct.
//!
//! The work is done on whole columns: the elements are gathered from the list's values with one index, all other columns
//! are repeated with another. A single list without NULLs costs no gathering of the elements.

use std::sync::Arc;

use arrow::array::PrimitiveArray;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array, UInt64Array};
use arrow::compute::{nullif, take};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use tidemill_core::{Delta, Error, Result};
use tidemill_plan::op::UnnestOp;

use crate::expression::conform;
use crate::operator::{Cx, Operator};

/// Takes lists and structs apart. Weights and split watermarks go with each of a row's elements.
#[derive(Debug)]
pub struct Unnest {
    op: UnnestOp,
    schema: SchemaRef,
}

impl Unnest {
    /// As `op` says, into the columns of `schema`.
    pub fn new(op: UnnestOp, schema: SchemaRef) -> Self {
        Self { op, schema }
    }
}

impl Operator for Unnest {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let expanded = match self.op.lists.is_empty() {
            true => None,
            false => Some(Expansion::of(&delta, &self.op)?),
        };
        let rows = expanded.as_ref().map_or(delta.num_rows(), |e| e.repeat.len());
        if rows == 0 {
            return Ok(());
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        // Every column of a struct follows the one before it: how many of its fields are out already.
        let mut field = (usize::MAX, 0);
        for from in &self.op.from {
            let column = match &expanded {
                None => Arc::clone(delta.batch.column(*from)),
                Some(expanded) => expanded.column(*from, delta.batch.column(*from))?,
            };
            if !self.op.structs.contains(from) {
                columns.push(column);
                continue;
            }
            field = if field.0 == *from { (*from, field.1 + 1) } else { (*from, 0) };
            columns.push(struct_field(&column, field.1)?);
        }
        let batch = conform(&self.schema, columns, rows)?;
        let side = |a: Option<PrimitiveArray<Int64Type>>| match (a, &expanded) {
            (Some(a), Some(e)) => Ok::<_, Error>(Some(take(&a, &e.repeat, None)?.as_primitive::<Int64Type>().clone())),
            (a, _) => Ok(a),
        };
        let (weights, split_watermark) = (side(delta.weights)?, side(delta.split_watermark)?);
        cx.emit(Delta { batch, weights, split_watermark });
        Ok(())
    }
}

/// What becomes of the rows of one delta.
struct Expansion {
    /// For each output row, the input row.
    repeat: UInt32Array,
    /// The elements of each unnested column: by input column.
    elements: Vec<(usize, ArrayRef)>,
}

impl Expansion {
    fn of(delta: &Delta, op: &UnnestOp) -> Result<Self> {
        let lists = op.lists.iter().map(|i| List::of(delta.batch.column(*i))).collect::<Result<Vec<_>>>()?;
        let least = usize::from(op.preserve_nulls);
        let lengths: Vec<usize> = (0..delta.num_rows())
            .map(|row| lists.iter().map(|l| l.range(row).len()).max().unwrap_or(0).max(least))
            .collect();
        let total = lengths.iter().sum();
        let mut repeat: Vec<u32> = Vec::with_capacity(total);
        for (row, length) in lengths.iter().enumerate() {
            repeat.resize(repeat.len() + length, row as u32);
        }
        let elements = op.lists.iter().zip(&lists).map(|(i, list)| Ok((*i, list.elements(&lengths, total)?)));
        Ok(Self { elements: elements.collect::<Result<_>>()?, repeat: repeat.into() })
    }

    fn column(&self, index: usize, input: &ArrayRef) -> Result<ArrayRef> {
        match self.elements.iter().find(|(i, _)| *i == index) {
            Some((_, elements)) => Ok(Arc::clone(elements)),
            None => Ok(take(input, &self.repeat, None)?),
        }
    }
}

/// A list column: where each row's elements stand among all of them.
struct List<'a> {
    array: &'a ArrayRef,
    values: ArrayRef,
    offsets: Offsets<'a>,
}

enum Offsets<'a> {
    Small(&'a [i32]),
    Large(&'a [i64]),
    Fixed(usize),
}

impl<'a> List<'a> {
    fn of(array: &'a ArrayRef) -> Result<Self> {
        let (values, offsets) = match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                (Arc::clone(list.values()), Offsets::Small(list.value_offsets()))
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                (Arc::clone(list.values()), Offsets::Large(list.value_offsets()))
            }
            DataType::FixedSizeList(_, size) => {
                (Arc::clone(array.as_fixed_size_list().values()), Offsets::Fixed(*size as usize))
            }
            DataType::Map(_, _) => {
                let map = array.as_map();
                (Arc::new(map.entries().clone()) as ArrayRef, Offsets::Small(map.value_offsets()))
            }
            other => return Err(Error::internal(format!("UNNEST of a column of type {other}"))),
        };
        Ok(Self { array, values, offsets })
    }

    /// Where the elements of `row` stand; nowhere if it is NULL, whatever lies beneath.
    fn range(&self, row: usize) -> std::ops::Range<usize> {
        if self.array.is_null(row) {
            return 0..0;
        }
        match &self.offsets {
            Offsets::Small(o) => o[row] as usize..o[row + 1] as usize,
            Offsets::Large(o) => o[row] as usize..o[row + 1] as usize,
            Offsets::Fixed(size) => row * size..(row + 1) * size,
        }
    }

    /// The elements of all rows, each row's filled up with NULLs to its length in `lengths`.
    fn elements(&self, lengths: &[usize], total: usize) -> Result<ArrayRef> {
        let rows = self.array.len();
        if rows > 0 && self.array.null_count() == 0 {
            let (first, last) = (self.range(0).start, self.range(rows - 1).end);
            // As many elements as asked for, and no row asked for less than it has: nothing to fill up.
            if last - first == total {
                return Ok(self.values.slice(first, total));
            }
        }
        let mut indices = UInt64Array::builder(total);
        for (row, length) in lengths.iter().enumerate() {
            let range = self.range(row);
            let missing = length - range.len();
            range.for_each(|i| indices.append_value(i as u64));
            indices.append_nulls(missing);
        }
        Ok(take(&self.values, &indices.finish(), None)?)
    }
}

/// A field of a struct column: NULL where the struct is.
fn struct_field(column: &ArrayRef, field: usize) -> Result<ArrayRef> {
    let Some(column) = column.as_struct_opt() else {
        return Err(Error::internal(format!("the fields of a column of type {}", column.data_type())));
    };
    let Some(child) = column.columns().get(field) else {
        return Err(Error::internal(format!("field {field} of a struct of {}", column.num_columns())));
    };
    match column.nulls() {
        Some(nulls) if nulls.null_count() > 0 => Ok(nullif(child, &BooleanArray::new(!nulls.inner(), None))?),
        _ => Ok(Arc::clone(child)),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{FixedSizeListArray, Int64Array, LargeListArray, ListArray, RecordBatch, StructArray};
    use arrow::datatypes::{Field, Schema};
    use expect_test::{Expect, expect};

    use super::*;
    use crate::testing::{picture, run};

    fn check(columns: Vec<(&str, ArrayRef)>, weights: Option<Vec<i64>>, op: UnnestOp, expected: Expect) {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let element = |t: &DataType| match t {
            DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => f.data_type().clone(),
            other => other.clone(),
        };
        let mut nth = (usize::MAX, 0);
        let fields: Vec<Field> = op
            .from
            .iter()
            .map(|i| {
                let schema = batch.schema();
                let field = schema.field(*i);
                let mut data_type = field.data_type().clone();
                if op.lists.contains(i) {
                    data_type = element(&data_type);
                }
                match (&data_type, op.structs.contains(i)) {
                    (DataType::Struct(fields), true) => {
                        nth = if nth.0 == *i { (*i, nth.1 + 1) } else { (*i, 0) };
                        fields[nth.1].as_ref().clone().with_nullable(true)
                    }
                    _ => Field::new(field.name(), data_type, true),
                }
            })
            .collect();
        let mut delta = Delta::insert(batch);
        delta.weights = weights.map(Int64Array::from);
        expected.assert_eq(&picture(&run(Unnest::new(op, Arc::new(Schema::new(fields))), vec![delta])));
    }

    fn ids() -> ArrayRef {
        Arc::new(Int64Array::from(vec![1, 2, 3, 4]))
    }

    fn lists() -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
            Some(vec![Some(10), Some(11)]),
            None,
            Some(vec![]),
            Some(vec![Some(40)]),
        ]))
    }

    fn op(lists: Vec<usize>, structs: Vec<usize>, preserve_nulls: bool, from: Vec<usize>) -> UnnestOp {
        UnnestOp { lists, structs, preserve_nulls, from }
    }

    #[test]
    fn a_row_for_each_element_with_its_weight() {
        let columns = || vec![("id", ids()), ("l", lists())];
        check(
            columns(),
            Some(vec![1, 1, 1, -1]),
            op(vec![1], vec![], false, vec![0, 1]),
            expect![[r#"
            +----+----+--------+
            | id | l  | weight |
            +----+----+--------+
            | 1  | 10 | 1      |
            | 1  | 11 | 1      |
            | 4  | 40 | -1     |
            +----+----+--------+"#]],
        );
        check(
            columns(),
            None,
            op(vec![1], vec![], true, vec![0, 1]),
            expect![[r#"
            +----+----+
            | id | l  |
            +----+----+
            | 1  | 10 |
            | 1  | 11 |
            | 2  |    |
            | 3  |    |
            | 4  | 40 |
            +----+----+"#]],
        );
    }

    #[test]
    fn lists_side_by_side_are_filled_up() {
        let large: ArrayRef = Arc::new(LargeListArray::from_iter_primitive::<Int64Type, _, _>(vec![
            Some(vec![Some(1)]),
            Some(vec![Some(2), None]),
            None,
            Some(vec![Some(4)]),
        ]));
        let fixed: ArrayRef = Arc::new(FixedSizeListArray::from_iter_primitive::<Int64Type, _, _>(
            vec![Some(vec![Some(7)]), None, Some(vec![Some(8)]), Some(vec![Some(9)])],
            1,
        ));
        check(
            vec![("l", lists()), ("large", large), ("fixed", fixed), ("id", ids())],
            None,
            op(vec![0, 1, 2], vec![], false, vec![3, 0, 1, 2]),
            expect![[r#"
                +----+----+-------+-------+
                | id | l  | large | fixed |
                +----+----+-------+-------+
                | 1  | 10 | 1     | 7     |
                | 1  | 11 |       |       |
                | 2  |    | 2     |       |
                | 2  |    |       |       |
                | 3  |    |       | 8     |
                | 4  | 40 | 4     | 9     |
                +----+----+-------+-------+"#]],
        );
    }

    #[test]
    fn a_null_struct_has_null_fields() {
        let a: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
        let b: ArrayRef = Arc::new(Int64Array::from(vec![Some(5), Some(6), None, Some(8)]));
        let fields = vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Int64, true)];
        let nulls = vec![true, false, true, true].into();
        let s: ArrayRef = Arc::new(StructArray::new(fields.into(), vec![a, b], Some(nulls)));
        check(
            vec![("id", ids()), ("s", s)],
            None,
            op(vec![], vec![1], false, vec![0, 1, 1]),
            expect![[r#"
            +----+---+---+
            | id | a | b |
            +----+---+---+
            | 1  | 1 | 5 |
            | 2  |   |   |
            | 3  | 3 |   |
            | 4  | 4 | 8 |
            +----+---+---+"#]],
        );
    }
}
