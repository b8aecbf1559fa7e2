//! JSON arrays into `ARRAY` columns.

use std::sync::Arc;

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{ArrayRef, ListArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef};
use tidemill_core::Result;

use super::decode::Rules;
use super::scan::Text;
use crate::formats::column::{Column, mismatch};
use crate::formats::fault::{Fault, Read};

/// An `ARRAY` column.
pub(crate) struct Lists {
    item: FieldRef,
    values: Box<dyn Column>,
    rules: Rules,
    keep: bool,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Lists {
    pub(crate) fn new(item: &FieldRef, values: Box<dyn Column>, rules: Rules, keep: bool) -> Self {
        Self { item: item.clone(), values, rules, keep, offsets: vec![0], nulls: NullBufferBuilder::new(0) }
    }

    fn last(&self) -> usize {
        self.offsets.last().map_or(0, |o| *o as usize)
    }

    /// Appends the element at `pos`, the `index`th of its list, as row `row` of the values.
    fn element(&mut self, text: &Text<'_>, pos: usize, row: usize, index: usize) -> Read<usize> {
        let fault = if text.bytes[pos] == b'n' {
            let end = text.literal(pos, b"null")?;
            if self.item.is_nullable() {
                self.values.nulls(1);
                return Ok(end);
            }
            Fault::value("NULL where the type says NOT NULL")
        } else {
            match self.values.json(text, pos) {
                Ok(end) => return Ok(end),
                Err(fault) => fault,
            }
        };
        if fault.is_value() && self.rules.ignore_errors && self.item.is_nullable() {
            self.values.truncate(if self.keep { row } else { 0 });
            self.values.nulls(1);
            return text.skip(pos);
        }
        Err(if fault.is_value() { fault.in_element(index + 1) } else { fault })
    }
}

impl Column for Lists {
    fn json(&mut self, text: &Text<'_>, pos: usize) -> Read<usize> {
        if text.bytes[pos] != b'[' {
            return Err(mismatch(text, pos, &DataType::List(self.item.clone())));
        }
        let first = self.last();
        let mut count = 0;
        let mut pos = text.space(pos + 1);
        if text.bytes[pos] == b']' {
            pos += 1;
        } else {
            loop {
                pos = self.element(text, pos, first + count, count)?;
                count += 1;
                pos = text.space(pos);
                match text.bytes[pos] {
                    b',' => pos = text.space(pos + 1),
                    b']' => {
                        pos += 1;
                        break;
                    }
                    _ => return Err(text.unexpected(pos, "',' or ']'")),
                }
            }
        }
        if self.keep {
            self.offsets.push((first + count) as i32);
            self.nulls.append_non_null();
        }
        Ok(pos)
    }

    fn text(&mut self, _text: &[u8]) -> Read<()> {
        Err(Fault::value("ARRAY has no form as plain text"))
    }

    fn nulls(&mut self, n: usize) {
        if self.keep {
            self.offsets.resize(self.offsets.len() + n, self.last() as i32);
            self.nulls.append_n_nulls(n);
        }
    }

    fn truncate(&mut self, len: usize) {
        self.offsets.truncate(len + 1);
        self.values.truncate(self.last());
        self.nulls.truncate(len);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(&mut self.offsets, vec![0])));
        let values = self.values.finish()?;
        Ok(Arc::new(ListArray::try_new(self.item.clone(), offsets, values, self.nulls.finish())?))
    }
}
