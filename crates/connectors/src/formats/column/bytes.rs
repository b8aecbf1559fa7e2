//! Columns of values of any length: strings and bytes.

use std::sync::Arc;

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{ArrayRef, BinaryArray, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tidemill_core::Result;

use super::{Column, mismatch};
use crate::formats::fault::{Fault, Read};
use crate::formats::json::scan::Text;

/// Values end to end, and where each ends.
struct Runs {
    keep: bool,
    data: Vec<u8>,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Runs {
    fn new(keep: bool) -> Self {
        Self { keep, data: vec![], offsets: vec![0], nulls: NullBufferBuilder::new(0) }
    }

    #[inline(always)]
    fn push(&mut self, value: &[u8]) {
        if self.keep {
            self.data.extend_from_slice(value);
            self.end();
        }
    }

    /// Ends the value whose bytes are in `data` already.
    #[inline(always)]
    fn end(&mut self) {
        // A block is below 2 GB, and no value is longer than its text.
        self.offsets.push(self.data.len() as i32);
        self.nulls.append_non_null();
    }

    fn nulls(&mut self, n: usize) {
        if self.keep {
            self.offsets.resize(self.offsets.len() + n, self.data.len() as i32);
            self.nulls.append_n_nulls(n);
        }
    }

    fn truncate(&mut self, len: usize) {
        self.offsets.truncate(len + 1);
        // The bytes of a value that was refused half way go too.
        self.data.truncate(self.offsets.last().map_or(0, |o| *o as usize));
        self.nulls.truncate(len);
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Buffer, Option<NullBuffer>) {
        let mut next = Vec::with_capacity(self.offsets.len());
        next.push(0);
        let offsets = std::mem::replace(&mut self.offsets, next);
        let next = Vec::with_capacity(self.data.len());
        let data = std::mem::replace(&mut self.data, next);
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(data), self.nulls.finish())
    }
}

/// `STRING`. A number or truth value in JSON becomes its text as written, an object or array its text without the
/// white space.
pub(crate) struct Strings(Runs);

impl Strings {
    pub(crate) fn new(keep: bool) -> Self {
        Self(Runs::new(keep))
    }

    /// The value of row `row`.
    pub(crate) fn value(&self, row: usize) -> &[u8] {
        &self.0.data[self.0.offsets[row] as usize..self.0.offsets[row + 1] as usize]
    }
}

impl Column for Strings {
    #[inline]
    fn json(&mut self, text: &Text<'_>, pos: usize) -> Read<usize> {
        let runs = &mut self.0;
        if text.bytes[pos] == b'"' {
            let (close, escaped) = text.string(pos)?;
            if escaped {
                let begin = runs.data.len();
                text.unescape(pos, close, &mut runs.data)?;
                if runs.keep {
                    runs.end();
                } else {
                    runs.data.truncate(begin);
                }
            } else {
                runs.push(&text.bytes[pos + 1..close]);
            }
            return Ok(close + 1);
        }
        let end = text.skip(pos)?;
        if runs.keep {
            text.compact(pos, end, &mut runs.data);
            runs.end();
        }
        Ok(end)
    }

    fn text(&mut self, text: &[u8]) -> Read<()> {
        self.0.push(text);
        Ok(())
    }

    fn text_within(&mut self, bytes: &[u8], start: usize, end: usize) -> Read<()> {
        self.0.push(&bytes[start..end]);
        Ok(())
    }

    fn nulls(&mut self, n: usize) {
        self.0.nulls(n);
    }

    fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let (offsets, data, nulls) = self.0.finish();
        // SAFETY: every value is UTF-8: a decoder lets only records through that are UTF-8 as a whole, a value is cut
        // from its record at ASCII characters (quotes, separators), and unescaping writes whole characters.
        Ok(Arc::new(unsafe { StringArray::new_unchecked(offsets, data, nulls) }))
    }
}

/// `BYTES`: base64 in JSON and CSV, as in Flink.
pub(crate) struct Binary {
    runs: Runs,
    /// Takes the bytes as they are.
    raw: bool,
}

impl Binary {
    pub(crate) fn new(keep: bool) -> Self {
        Self { runs: Runs::new(keep), raw: false }
    }

    pub(crate) fn raw(keep: bool) -> Self {
        Self { runs: Runs::new(keep), raw: true }
    }
}

impl Column for Binary {
    fn json(&mut self, text: &Text<'_>, pos: usize) -> Read<usize> {
        if text.bytes[pos] != b'"' {
            return Err(mismatch(text, pos, &DataType::Binary));
        }
        let (close, _) = text.string(pos)?;
        self.text(&text.unescaped(pos, close)?)?;
        Ok(close + 1)
    }

    fn text(&mut self, text: &[u8]) -> Read<()> {
        if self.raw {
            self.runs.push(text);
            return Ok(());
        }
        let begin = self.runs.data.len();
        if BASE64_STANDARD.decode_vec(text, &mut self.runs.data).is_err() {
            self.runs.data.truncate(begin);
            return Err(Fault::value(format!(
                "'{}' is not base64",
                String::from_utf8_lossy(&text[..text.len().min(60)])
            )));
        }
        if self.runs.keep {
            self.runs.end();
        } else {
            self.runs.data.truncate(begin);
        }
        Ok(())
    }

    fn nulls(&mut self, n: usize) {
        self.runs.nulls(n);
    }

    fn truncate(&mut self, len: usize) {
        self.runs.truncate(len);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let (offsets, data, nulls) = self.runs.finish();
        Ok(Arc::new(BinaryArray::try_new(offsets, data, nulls)?))
    }
}
