//! Batches into delimited records.
//!
//! NULL is `csv.null-literal`, or an empty field. A text is quoted where it would be read back as something else.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use tidemill_core::format::Encoder;
use tidemill_core::{Error, Result};

use super::records::{Dialect, Header};
use crate::formats::cell::{Cell, Look, cell};
use crate::formats::column::unsupported;

/// Writes rows of one schema.
pub(super) struct CsvEncoder {
    schema: SchemaRef,
    dialect: Dialect,
}

impl CsvEncoder {
    pub(super) fn new(schema: SchemaRef, dialect: Dialect) -> Self {
        Self { schema, dialect }
    }
}

impl Encoder for CsvEncoder {
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let look = Look { separator: b' ', plain_decimal: true };
        let columns = batch.columns().iter().zip(batch.schema_ref().fields());
        let cells =
            columns.map(|(array, field)| Ok((array, cell(array, look).ok_or_else(|| unsupported("csv", field))?)));
        let cells: Vec<_> = cells.collect::<Result<_>>()?;
        let null = self.dialect.null_literal.as_deref().unwrap_or(b"");
        for row in 0..batch.num_rows() {
            for (i, (array, cell)) in cells.iter().enumerate() {
                if i > 0 {
                    out.push(self.dialect.delimiter);
                }
                if array.is_null(row) {
                    out.extend_from_slice(null);
                    continue;
                }
                match cell {
                    Cell::Text(value) => self.dialect.write_text(value(row), cells.len() == 1, out)?,
                    Cell::Bare(write) | Cell::Float(write, _) | Cell::Plain(write) => {
                        // A time holds a colon, a number a point: either may be the delimiter.
                        let begin = out.len();
                        write(row, out);
                        if out[begin..].contains(&self.dialect.delimiter) {
                            let text = out.split_off(begin);
                            self.dialect.write_text(&text, false, out)?;
                        }
                    }
                }
            }
            out.push(b'\n');
        }
        Ok(())
    }

    fn header(&self, out: &mut Vec<u8>) {
        if self.dialect.header != Header::Yes {
            return;
        }
        for (i, field) in self.schema.fields().iter().enumerate() {
            if i > 0 {
                out.push(self.dialect.delimiter);
            }
            // A name that cannot be written in this dialect is left empty: it cannot be found by name anyway.
            let begin = out.len();
            if self.dialect.write_text(field.name().as_bytes(), false, out).is_err() {
                out.truncate(begin);
            }
        }
        out.push(b'\n');
    }
}

impl Dialect {
    /// Appends a text, quoted or escaped where it has to be. `alone`: it is all of its record.
    fn write_text(&self, text: &[u8], alone: bool, out: &mut Vec<u8>) -> Result<()> {
        let special = |b: &u8| {
            *b == self.delimiter || matches!(b, b'\n' | b'\r') || Some(*b) == self.quote || Some(*b) == self.escape
        };
        let odd = text.iter().any(special)
            || self.null_literal.as_deref() == Some(text)
            || (self.comments && text.first() == Some(&b'#'))
            || (alone && text.is_empty());
        if !odd {
            out.extend_from_slice(text);
            return Ok(());
        }
        let Some(quote) = self.quote else {
            return match self.escape {
                Some(escape) if !text.contains(&b'\n') && !text.contains(&b'\r') => {
                    for b in text {
                        if special(b) {
                            out.push(escape);
                        }
                        out.push(*b);
                    }
                    Ok(())
                }
                _ if !text.iter().any(special) => {
                    out.extend_from_slice(text);
                    Ok(())
                }
                _ => Err(Error::data(format!("'{}' cannot be written without quotes", String::from_utf8_lossy(text)))
                    .with_hint("Set 'csv.disable-quote-character' to 'false'.")),
            };
        };
        out.push(quote);
        for b in text {
            if *b == quote || Some(*b) == self.escape {
                out.push(*b);
            }
            out.push(*b);
        }
        out.push(quote);
        Ok(())
    }
}
