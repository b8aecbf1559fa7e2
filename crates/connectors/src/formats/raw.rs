//! `raw`: a record is a line, and the line is the value of the one column.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use tidemill_core::format::{Decoded, Decoder, Encoder, Format, Origin};
use tidemill_core::{Error, OptionSpec, OptionValues, Result};

use super::column::{Binary, Column, Strings};
use super::fault::Fault;
use super::lines::{Records, without_carriage_return};

/// Lines as they are, as Flink's `raw` format.
#[derive(Debug)]
pub struct Raw;

impl Format for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn doc(&self) -> &'static str {
        "A line is the value of the table's one column, a STRING or BYTES. The newline is not part of it; an empty line is an \
         empty value. NULL is not written."
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[]
    }

    fn decoder(&self, schema: &SchemaRef, projection: &[usize], _options: &OptionValues) -> Result<Box<dyn Decoder>> {
        let text = is_text(schema)?;
        let keep = !projection.is_empty();
        let column: Box<dyn Column> = if text { Box::new(Strings::new(keep)) } else { Box::new(Binary::raw(keep)) };
        Ok(Box::new(RawDecoder { schema: Arc::new(schema.project(projection)?), text, column, expected: 0 }))
    }

    fn encoder(&self, schema: &SchemaRef, _options: &OptionValues) -> Result<Box<dyn Encoder>> {
        Ok(Box::new(RawEncoder { text: is_text(schema)? }))
    }

    fn infer_schema(&self, _sample: &[u8], _options: &OptionValues) -> Result<SchemaRef> {
        Ok(Arc::new(Schema::new(vec![Field::new("line", DataType::Utf8, true)])))
    }
}

/// Whether the one column is text; bytes otherwise.
fn is_text(schema: &SchemaRef) -> Result<bool> {
    match schema.fields().iter().map(|f| f.data_type()).collect::<Vec<_>>().as_slice() {
        [DataType::Utf8] => Ok(true),
        [DataType::Binary] => Ok(false),
        _ => Err(Error::statement("format 'raw' takes a table of one column, a STRING or BYTES")),
    }
}

struct RawDecoder {
    schema: SchemaRef,
    text: bool,
    column: Box<dyn Column>,
    expected: usize,
}

impl Decoder for RawDecoder {
    fn decode(&mut self, block: &Bytes, origin: &Origin) -> Result<Decoded> {
        let mut records = Records::new(block, origin, self.expected)?;
        let mut start = 0;
        while start < block.len() {
            let newline = memchr::memchr(b'\n', &block[start..]).map_or(block.len(), |i| start + i);
            let end = without_carriage_return(block, start, newline);
            let line = &block[start..end];
            let read = if self.text && simdutf8::basic::from_utf8(line).is_err() {
                Err(Fault::value("not valid UTF-8").in_field(&self.name()))
            } else {
                self.column.text(line)
            };
            match read {
                Ok(()) => records.good(start, end),
                Err(fault) => records.bad(start, end, &fault),
            }
            start = newline + 1;
        }
        let rows = records.rows();
        self.expected = rows;
        let columns = if self.schema.fields().is_empty() { vec![] } else { vec![self.column.finish()?] };
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        let (rejected, raw) = records.finish();
        Ok(Decoded { batch, weights: None, rejected, raw })
    }
}

impl RawDecoder {
    fn name(&self) -> String {
        self.schema.fields().first().map_or_else(String::new, |f| f.name().clone())
    }
}

struct RawEncoder {
    text: bool,
}

impl Encoder for RawEncoder {
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let column = batch.column(0);
        for row in (0..batch.num_rows()).filter(|row| !column.is_null(*row)) {
            let value = if self.text {
                column.as_string::<i32>().value(row).as_bytes()
            } else {
                column.as_binary::<i32>().value(row)
            };
            out.extend_from_slice(value);
            out.push(b'\n');
        }
        Ok(())
    }
}
