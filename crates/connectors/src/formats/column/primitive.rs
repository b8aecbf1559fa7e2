//! Columns of values of one fixed width.

use std::sync::Arc;

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{ArrayRef, PrimitiveArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::DataType;
use tidemill_core::Result;

use super::{Column, mismatch, trimmed};
use crate::formats::fault::{Fault, Read};
use crate::formats::json::scan::Text;
use crate::formats::value::{Native, Scalar};

/// Numbers, dates and times.
pub(crate) struct Primitive<S: Scalar> {
    scalar: S,
    data_type: DataType,
    keep: bool,
    values: Vec<Native<S>>,
    nulls: NullBufferBuilder,
}

impl<S: Scalar> Primitive<S> {
    pub(crate) fn new(scalar: S, data_type: &DataType, keep: bool) -> Self {
        Self { scalar, data_type: data_type.clone(), keep, values: vec![], nulls: NullBufferBuilder::new(0) }
    }

    #[inline(always)]
    fn push(&mut self, value: Native<S>) {
        if self.keep {
            self.values.push(value);
            self.nulls.append_non_null();
        }
    }
}

impl<S: Scalar> Primitive<S> {
    /// A text that may have white space around its value.
    #[cold]
    fn spaced(&mut self, text: &[u8]) -> Read<()> {
        let value = self.scalar.text(trimmed(text));
        self.push(value.ok_or_else(|| Fault::mismatch(text, &self.data_type))?);
        Ok(())
    }
}

impl<S: Scalar> Column for Primitive<S> {
    #[inline]
    fn json(&mut self, text: &Text<'_>, pos: usize) -> Read<usize> {
        let (value, end) = match text.bytes[pos] {
            b'-' | b'0'..=b'9' => {
                if let Some((value, end)) = self.scalar.quick(text.bytes, pos) {
                    self.push(value);
                    return Ok(end);
                }
                let end = text.number(pos)?;
                (self.scalar.number(&text.bytes[pos..end]), end)
            }
            b'"' => {
                let (close, escaped) = text.string(pos)?;
                let raw = &text.bytes[pos + 1..close];
                let value = if escaped {
                    self.scalar.text(trimmed(&text.unescaped(pos, close)?))
                } else {
                    self.scalar.text(raw).or_else(|| self.scalar.text(trimmed(raw)))
                };
                (value, close + 1)
            }
            _ => return Err(mismatch(text, pos, &self.data_type)),
        };
        match value {
            Some(value) => self.push(value),
            None => return Err(Fault::mismatch(text.unquoted(pos, end), &self.data_type)),
        }
        Ok(end)
    }

    fn text(&mut self, text: &[u8]) -> Read<()> {
        match self.scalar.text(text) {
            Some(value) => self.push(value),
            None => return self.spaced(text),
        }
        Ok(())
    }

    #[inline]
    fn text_within(&mut self, bytes: &[u8], start: usize, end: usize) -> Read<()> {
        match self.scalar.quick(bytes, start) {
            Some((value, at)) if at == end => self.push(value),
            _ => return self.text(&bytes[start..end]),
        }
        Ok(())
    }

    fn nulls(&mut self, n: usize) {
        if self.keep {
            self.values.resize(self.values.len() + n, Native::<S>::default());
            self.nulls.append_n_nulls(n);
        }
    }

    fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
        self.nulls.truncate(len);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let next = Vec::with_capacity(self.values.len());
        let values = ScalarBuffer::from(std::mem::replace(&mut self.values, next));
        let array = PrimitiveArray::<S::Arrow>::try_new(values, self.nulls.finish())?;
        Ok(Arc::new(array.with_data_type(self.data_type.clone())))
    }
}
