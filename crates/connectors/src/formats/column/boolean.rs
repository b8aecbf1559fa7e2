//! Columns of truth values.

use std::sync::Arc;

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{ArrayRef, BooleanArray, BooleanBufferBuilder};
use arrow::datatypes::DataType;
use tidemill_core::Result;

use super::{Column, mismatch, trimmed};
use crate::formats::fault::{Fault, Read};
use crate::formats::json::scan::Text;

/// `true` and `false`, also as text, whatever its case.
pub(crate) struct Booleans {
    keep: bool,
    values: BooleanBufferBuilder,
    nulls: NullBufferBuilder,
}

impl Booleans {
    pub(crate) fn new(keep: bool) -> Self {
        Self { keep, values: BooleanBufferBuilder::new(0), nulls: NullBufferBuilder::new(0) }
    }

    fn push(&mut self, value: bool) {
        if self.keep {
            self.values.append(value);
            self.nulls.append_non_null();
        }
    }

    fn parse(text: &[u8]) -> Option<bool> {
        let text = trimmed(text);
        match () {
            () if text.eq_ignore_ascii_case(b"true") => Some(true),
            () if text.eq_ignore_ascii_case(b"false") => Some(false),
            () => None,
        }
    }
}

impl Column for Booleans {
    fn json(&mut self, text: &Text<'_>, pos: usize) -> Read<usize> {
        let (value, end) = match text.bytes[pos] {
            b't' => (true, text.literal(pos, b"true")?),
            b'f' => (false, text.literal(pos, b"false")?),
            b'"' => {
                let (close, _) = text.string(pos)?;
                let value = Self::parse(&text.unescaped(pos, close)?);
                (value.ok_or_else(|| mismatch(text, pos, &DataType::Boolean))?, close + 1)
            }
            _ => return Err(mismatch(text, pos, &DataType::Boolean)),
        };
        self.push(value);
        Ok(end)
    }

    fn text(&mut self, text: &[u8]) -> Read<()> {
        self.push(Self::parse(text).ok_or_else(|| Fault::mismatch(text, &DataType::Boolean))?);
        Ok(())
    }

    fn nulls(&mut self, n: usize) {
        if self.keep {
            self.values.append_n(n, false);
            self.nulls.append_n_nulls(n);
        }
    }

    fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
        self.nulls.truncate(len);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(BooleanArray::new(self.values.finish(), self.nulls.finish())))
    }
}
