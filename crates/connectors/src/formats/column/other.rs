//! Columns of the types that SQL does not declare but a Rust program may: arrow-json reads them, value by value.

use arrow::array::{ArrayRef, new_empty_array, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{FieldRef, Schema};
use arrow::json::ReaderBuilder;
use std::sync::Arc;
use tidemill_core::Result;

use super::Column;
use crate::formats::fault::{Fault, Read, sql_type};
use crate::formats::json::scan::Text;

/// Slow and complete: a decoder of arrow-json for each value.
pub(crate) struct Other {
    field: FieldRef,
    keep: bool,
    values: Vec<ArrayRef>,
}

impl Other {
    /// Of the type of `field`, if arrow-json knows it.
    pub(crate) fn new(field: &FieldRef, keep: bool) -> Result<Self> {
        let field = Arc::new(field.as_ref().clone().with_nullable(true));
        ReaderBuilder::new_with_field(field.clone()).build_decoder()?;
        Ok(Self { field, keep, values: vec![] })
    }
}

impl Column for Other {
    fn json(&mut self, text: &Text<'_>, pos: usize) -> Read<usize> {
        let end = text.skip(pos)?;
        let value = &text.bytes[pos..end];
        let name = self.field.name().clone();
        let schema = Arc::new(Schema::new(vec![self.field.clone()]));
        let read = || {
            let mut record = b"{".to_vec();
            super::super::json::encode::write_string(name.as_bytes(), &mut record);
            record.push(b':');
            record.extend_from_slice(value);
            record.push(b'}');
            let mut decoder = ReaderBuilder::new(schema).build_decoder()?;
            decoder.decode(&record)?;
            decoder.flush()
        };
        match read() {
            Ok(Some(batch)) if self.keep => self.values.push(batch.column(0).clone()),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return Err(Fault::mismatch(value, self.field.data_type())),
        }
        Ok(end)
    }

    fn text(&mut self, text: &[u8]) -> Read<()> {
        Err(Fault::value(format!(
            "{} has no form as plain text: '{}'",
            sql_type(self.field.data_type()),
            String::from_utf8_lossy(text)
        )))
    }

    fn nulls(&mut self, n: usize) {
        if self.keep {
            self.values.extend((0..n).map(|_| new_null_array(self.field.data_type(), 1)));
        }
    }

    fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let values = std::mem::take(&mut self.values);
        let values: Vec<_> = values.iter().map(AsRef::as_ref).collect();
        if values.is_empty() {
            return Ok(new_empty_array(self.field.data_type()));
        }
        Ok(concat(&values)?)
    }
}
