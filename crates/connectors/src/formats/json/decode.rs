//! Blocks of lines into batches: each line a record, each record a row or a rejected row.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use bytes::Bytes;
use std::sync::Arc;
use tidemill_core::format::{Decoded, Decoder, Origin};
use tidemill_core::{Error, Result};

use super::list::Lists;
use super::map::Maps;
use super::object::{Object, Rows};
use super::scan::{PADDING, Text};
use crate::formats::column::{self, Column, Other};
use crate::formats::fault::{Fault, Read, sql_type};
use crate::formats::lines::{Records, without_carriage_return};

/// What the options say about records that are not quite right.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    /// A value that does not fit is NULL.
    pub(crate) ignore_errors: bool,
    /// A missing field rejects its record.
    pub(crate) fail_on_missing: bool,
}

/// What is wanted of a column. Whatever it is, all of it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Nothing.
    None,
    /// All of it.
    All,
    /// Of a `ROW`: something of each of its fields.
    Fields(Vec<Keep>),
}

impl Keep {
    /// Whether there is anything to build.
    fn any(&self) -> bool {
        *self != Self::None
    }

    fn field(&self, i: usize) -> Self {
        match self {
            Self::Fields(fields) => fields[i].clone(),
            other => other.clone(),
        }
    }

    /// `field` with the fields that are kept.
    fn of(&self, field: &FieldRef) -> FieldRef {
        let (Self::Fields(keep), DataType::Struct(fields)) = (self, field.data_type()) else { return field.clone() };
        let kept = fields.iter().zip(keep).filter(|(_, keep)| keep.any()).map(|(f, keep)| keep.of(f)).collect();
        Arc::new(field.as_ref().clone().with_data_type(DataType::Struct(kept)))
    }
}

/// Decodes the columns of one table.
pub(crate) struct JsonDecoder {
    /// The wanted columns.
    schema: SchemaRef,
    projection: Vec<usize>,
    /// Whether a line that is `null` is no record at all.
    skip_null: bool,
    record: Object,
    /// The last lines of a block, copied to where there is room behind them.
    tail: Vec<u8>,
    /// Rows of the last block, as a guess for the next.
    expected: usize,
}

impl JsonDecoder {
    pub(crate) fn new(schema: &SchemaRef, projection: &[usize], rules: Rules) -> Result<Self> {
        let keep = |i| if projection.contains(&i) { Keep::All } else { Keep::None };
        Self::keeping(schema, &(0..schema.fields().len()).map(keep).collect::<Vec<_>>(), rules)
    }

    /// The same, with what is wanted of each column of `schema`.
    pub(crate) fn keeping(schema: &SchemaRef, keep: &[Keep], rules: Rules) -> Result<Self> {
        let fields = schema.fields().iter().zip(keep).map(|(field, keep)| {
            let column = column(field, keep, rules)?;
            Ok((field.name().clone(), field.is_nullable(), column))
        });
        let projection: Vec<usize> = (0..keep.len()).filter(|i| keep[*i].any()).collect();
        let kept: Vec<FieldRef> = projection.iter().map(|i| keep[*i].of(&schema.fields()[*i])).collect();
        Ok(Self {
            schema: Arc::new(Schema::new(kept)),
            projection,
            skip_null: false,
            record: Object::new(fields.collect::<Result<_>>()?, rules),
            tail: vec![],
            expected: 0,
        })
    }

    /// Passes over lines that are `null`.
    pub(crate) fn skipping_null(self) -> Self {
        Self { skip_null: true, ..self }
    }

    /// Reads the line from `start` to `end`; `false` if it is blank.
    #[inline]
    fn line(&mut self, bytes: &[u8], start: usize, end: usize, row: usize) -> Read<bool> {
        let text = Text::new(bytes, end);
        let pos = text.space(start);
        if pos == end {
            return Ok(false);
        }
        if bytes[pos] != b'{' {
            if self.skip_null && text.literal(pos, b"null").is_ok_and(|after| text.space(after) == end) {
                return Ok(false);
            }
            return Err(text.unexpected(pos, "an object"));
        }
        let after = text.space(self.record.read(&text, pos, row)?);
        if after != end {
            return Err(text.unexpected(after, "the end of the line"));
        }
        Ok(true)
    }

    /// Reads a line for which there is no room to look behind its end.
    fn last_line(&mut self, line: &[u8], row: usize) -> Read<bool> {
        let mut tail = std::mem::take(&mut self.tail);
        tail.clear();
        tail.extend_from_slice(line);
        tail.resize(line.len() + PADDING, b'\n');
        let read = self.line(&tail, 0, line.len(), row);
        self.tail = tail;
        read
    }
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, block: &Bytes, origin: &Origin) -> Result<Decoded> {
        const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
        let mut records = Records::new(block, origin, self.expected)?;
        // One fast look at the whole block; the lines are looked at one by one only if something is wrong.
        let all_utf8 = simdutf8::basic::from_utf8(block).is_ok();
        let mut start =
            if origin.offset == 0 && block.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        while start < block.len() {
            let end = memchr::memchr(b'\n', &block[start..]).map_or(block.len(), |i| start + i);
            let row = records.rows();
            let read = if !all_utf8 && simdutf8::basic::from_utf8(&block[start..end]).is_err() {
                Err(Fault::syntax("not valid UTF-8"))
            } else if end + PADDING <= block.len() {
                self.line(block, start, end, row)
            } else {
                self.last_line(&block[start..end], row)
            };
            match read {
                Ok(true) => records.good(start, without_carriage_return(block, start, end)),
                Ok(false) => {}
                Err(fault) => {
                    self.record.truncate(row);
                    records.bad(start, without_carriage_return(block, start, end), &fault);
                }
            }
            start = end + 1;
        }
        let rows = records.rows();
        self.expected = rows;
        let fields = self.record.fields();
        let columns: Vec<ArrayRef> =
            self.projection.iter().map(|i| fields[*i].column.finish()).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        let (rejected, raw) = records.finish();
        Ok(Decoded { batch, weights: None, rejected, raw })
    }
}

/// A column for `field`.
fn column(field: &FieldRef, wanted: &Keep, rules: Rules) -> Result<Box<dyn Column>> {
    let keep = wanted.any();
    if let Some(scalar) = column::scalar(field.data_type(), keep) {
        return Ok(scalar);
    }
    Ok(match field.data_type() {
        DataType::Struct(fields) => {
            let inner = fields.iter().enumerate().map(|(i, f)| {
                let column = column(f, &wanted.field(i), rules)?;
                Ok((f.name().clone(), f.is_nullable(), column))
            });
            let object = Object::new(inner.collect::<Result<_>>()?, rules);
            let kept = (0..fields.len()).filter(|i| wanted.field(*i).any()).collect();
            let DataType::Struct(fields) = wanted.of(field).data_type().clone() else {
                return Err(Error::internal("a ROW without its fields"));
            };
            Box::new(Rows::new(object, fields, kept, keep))
        }
        DataType::List(item) => Box::new(Lists::new(item, column(item, wanted, rules)?, rules, keep)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 && *pair[0].data_type() == DataType::Utf8 => {
                Box::new(Maps::new(entries, column(&pair[1], wanted, rules)?, rules, keep))
            }
            DataType::Struct(pair) if pair.len() == 2 => {
                return Err(Error::unsupported(format!(
                    "column '{}' is a MAP with keys of type {}: in format 'json' keys are STRING",
                    field.name(),
                    sql_type(pair[0].data_type())
                )));
            }
            _ => return Err(column::unsupported("json", field)),
        },
        _ => Box::new(Other::new(field, keep).map_err(|_| column::unsupported("json", field))?),
    })
}
