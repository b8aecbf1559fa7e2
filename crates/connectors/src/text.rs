//! Rows as text, value by value, for people: what `print` writes.

use std::fmt::Write;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use tidemill_core::Result;

/// How values are shown: as in SQL.
const FORMAT: FormatOptions<'static> = FormatOptions::new()
    .with_null("NULL")
    .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
    .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.fZ"));

/// Writes rows of a batch as `[a, b, c]`.
pub(crate) struct RowText<'a> {
    columns: Vec<ArrayFormatter<'a>>,
}

impl<'a> RowText<'a> {
    /// Of the rows of `batch`.
    pub(crate) fn new(batch: &'a RecordBatch) -> Result<Self> {
        let columns = batch.columns().iter().map(|c| Ok(ArrayFormatter::try_new(c.as_ref(), &FORMAT)?));
        Ok(Self { columns: columns.collect::<Result<_>>()? })
    }

    /// Appends row `row`.
    pub(crate) fn write(&self, row: usize, out: &mut String) {
        out.push('[');
        for (i, column) in self.columns.iter().enumerate() {
            if i > 0 {
                out.push_str(", ");
            }
            // Writing to a string fails only where the value cannot be shown.
            if write!(out, "{}", column.value(row)).is_err() {
                out.push('?');
            }
        }
        out.push(']');
    }
}
