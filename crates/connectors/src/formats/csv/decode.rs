//! Blocks of delimited records into batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use bytes::Bytes;
use tidemill_core::Result;
use tidemill_core::format::{Decoded, Decoder, Origin};

use super::records::{BYTE_ORDER_MARK, Dialect, Ends, Place, columns_of};
use crate::formats::column::{self, Column};
use crate::formats::fault::{Fault, Read};
use crate::formats::lines::{Records, without_carriage_return};

/// Decodes the columns of one table.
pub(super) struct CsvDecoder {
    table: SchemaRef,
    /// The wanted columns.
    schema: SchemaRef,
    projection: Vec<usize>,
    dialect: Dialect,
    fields: Vec<Field>,
    /// The column of each field of a record.
    order: Vec<Option<usize>>,
    /// Columns that no field of a record belongs to.
    absent: Vec<usize>,
    /// The head that `order` was made of.
    head: Vec<u8>,
    expected: usize,
}

struct Field {
    name: String,
    nullable: bool,
    /// An empty field is NULL.
    empty_is_null: bool,
    /// Nobody wants it, and any text would do.
    idle: bool,
    column: Box<dyn Column>,
}

impl CsvDecoder {
    pub(super) fn new(table: &SchemaRef, projection: &[usize], dialect: Dialect) -> Result<Self> {
        let fields = table.fields().iter().enumerate().filter_map(|(i, field)| {
            Some(Field {
                name: field.name().clone(),
                nullable: field.is_nullable(),
                empty_is_null: *field.data_type() != DataType::Utf8,
                idle: *field.data_type() == DataType::Utf8 && !projection.contains(&i),
                column: column::scalar(field.data_type(), projection.contains(&i))?,
            })
        });
        let fields: Vec<_> = fields.collect();
        Ok(Self {
            schema: Arc::new(table.project(projection)?),
            projection: projection.to_vec(),
            dialect,
            order: (0..fields.len()).map(Some).collect(),
            absent: vec![],
            head: vec![],
            fields,
            table: table.clone(),
            expected: 0,
        })
    }

    /// Finds the columns by the names in `head`.
    fn set_head(&mut self, head: &[u8]) {
        if self.head == head {
            return;
        }
        self.head = head.to_vec();
        self.order = columns_of(&self.table, &self.dialect.names(head));
        self.absent = (0..self.fields.len()).filter(|c| !self.order.contains(&Some(*c))).collect();
    }

    /// Reads the record at `start` as row `row`: the position after it.
    #[inline(never)]
    fn record(&mut self, bytes: &[u8], start: usize, row: usize, ends: &mut Ends) -> Read<usize> {
        let Self { fields, order, dialect, absent, .. } = self;
        let mut pos = start;
        for (i, column) in order.iter().enumerate() {
            let Some(place) = dialect.field(bytes, pos, ends) else { return Err(broken_quotes()) };
            if let Some(column) = column {
                fields[*column].read(bytes, &place, row, dialect)?;
            }
            if place.last {
                if i + 1 < order.len() || !absent.is_empty() {
                    self.fill(i + 1)?;
                }
                return Ok(place.next);
            }
            pos = place.next + 1;
        }
        self.too_many(bytes, start, ends)
    }

    /// The record at `start` has more fields than columns, and all the columns are read.
    #[cold]
    fn too_many(&mut self, bytes: &[u8], start: usize, ends: &mut Ends) -> Read<usize> {
        let (end, count) = self.dialect.record_end(bytes, start);
        ends.go_to(bytes, end + 1);
        self.fill(count.ok_or_else(broken_quotes)?)?;
        Ok(end)
    }

    /// The end of a record that is rejected for `fault`, and why it is.
    #[cold]
    fn rejected(&self, bytes: &[u8], start: usize, fault: Fault) -> (usize, Fault) {
        match self.dialect.record_end(bytes, start) {
            (end, Some(_)) => (end, fault),
            (end, None) => (end, broken_quotes()),
        }
    }

    /// In a block that is not UTF-8 as a whole: whether this record is.
    #[cold]
    fn check_utf8(&self, bytes: &[u8], start: usize, read: Read<usize>) -> Read<usize> {
        let end = read.as_ref().map_or_else(|_| self.dialect.record_end(bytes, start).0, |end| *end);
        match simdutf8::basic::from_utf8(&bytes[start..end]) {
            Ok(_) => read,
            Err(_) => Err(Fault::syntax("not valid UTF-8")),
        }
    }

    /// NULL for the columns that the record has no field for, if that is allowed.
    fn fill(&mut self, count: usize) -> Read<()> {
        if count != self.order.len() && !self.dialect.ignore_errors {
            let s = if count == 1 { "" } else { "s" };
            return Err(Fault::syntax(format!("not valid CSV: {count} field{s} where {} should be", self.order.len())));
        }
        let missing = self.order.iter().skip(count).flatten();
        for column in missing.chain(&self.absent) {
            let field = &mut self.fields[*column];
            if !field.nullable {
                return Err(Fault::value("missing, and the column is NOT NULL").in_field(&field.name));
            }
            field.column.nulls(1);
        }
        Ok(())
    }
}

#[cold]
fn broken_quotes() -> Fault {
    Fault::syntax("not valid CSV: the quotes of a field are broken")
}

impl Field {
    #[inline(always)]
    fn read(&mut self, bytes: &[u8], place: &Place, row: usize, dialect: &Dialect) -> Read<()> {
        let empty = place.start == place.end;
        if (empty && self.empty_is_null && !place.quoted) || dialect.null_literal.is_some() || place.escaped {
            return self.read_special(bytes, place, row, dialect);
        }
        if self.idle {
            return Ok(());
        }
        match self.column.text_within(bytes, place.start, place.end) {
            Ok(()) => Ok(()),
            Err(fault) => self.bad(row, dialect, fault),
        }
    }

    /// The same for a field that may be NULL, or is not written as it is.
    #[inline(never)]
    fn read_special(&mut self, bytes: &[u8], place: &Place, row: usize, dialect: &Dialect) -> Read<()> {
        let raw = &bytes[place.start..place.end];
        let empty = raw.is_empty() && self.empty_is_null;
        let null = (empty || dialect.null_literal.as_ref().is_some_and(|n| n == raw)) && !place.quoted;
        let read = match (null, self.nullable) {
            (true, true) => {
                self.column.nulls(1);
                Ok(())
            }
            (true, false) => Err(Fault::value("NULL in a column that is NOT NULL")),
            (false, _) => self.column.text(&place.text(bytes, dialect)),
        };
        read.or_else(|fault| self.bad(row, dialect, fault))
    }

    /// A value that does not fit: NULL where the options say so, otherwise the end of the record.
    #[cold]
    fn bad(&mut self, row: usize, dialect: &Dialect, fault: Fault) -> Read<()> {
        if dialect.ignore_errors && self.nullable {
            self.column.truncate(row);
            self.column.nulls(1);
            return Ok(());
        }
        Err(fault.in_field(&self.name))
    }
}

impl Decoder for CsvDecoder {
    fn decode(&mut self, block: &Bytes, origin: &Origin) -> Result<Decoded> {
        let mut records = Records::new(block, origin, self.expected)?;
        let all_utf8 = simdutf8::basic::from_utf8(block).is_ok();
        let mut start = 0;
        if origin.offset == 0 && origin.head.is_empty() {
            // The head may still be on the block: in a stream that was not asked for one, or a file that is one line.
            start = self.dialect.head_len(block, &self.table, true).unwrap_or(0);
            self.set_head(&block[..start]);
            if start == 0 && block.starts_with(BYTE_ORDER_MARK) {
                start = BYTE_ORDER_MARK.len();
            }
        } else {
            self.set_head(&origin.head);
        }
        let mut ends = self.dialect.ends(block, start);
        while start < block.len() {
            if self.dialect.skips(block, start) {
                start = memchr::memchr(b'\n', &block[start..]).map_or(block.len(), |i| start + i + 1);
                ends.go_to(block, start);
                continue;
            }
            let row = records.rows();
            let mut read = self.record(block, start, row, &mut ends);
            if !all_utf8 {
                read = self.check_utf8(block, start, read);
            }
            let end = match read {
                Ok(end) => {
                    records.good(start, without_carriage_return(block, start, end));
                    end
                }
                Err(fault) => {
                    let (end, fault) = self.rejected(block, start, fault);
                    self.fields.iter_mut().for_each(|f| f.column.truncate(row));
                    records.bad(start, without_carriage_return(block, start, end), &fault);
                    ends.go_to(block, end + 1);
                    end
                }
            };
            start = end + 1;
        }
        let rows = records.rows();
        self.expected = rows;
        let columns: Vec<ArrayRef> =
            self.projection.iter().map(|i| self.fields[*i].column.finish()).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        let (rejected, raw) = records.finish();
        Ok(Decoded { batch, weights: None, rejected, raw })
    }
}
