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
    column: Box<dyn Column>,
}

impl CsvDecoder {
    pub(super) fn new(table: &SchemaRef, projection: &[usize], dialect: Dialect) -> Result<Self> {
        let fields = table.fields().iter().enumerate().filter_map(|(i, field)| {
            Some(Field {
                name: field.name().clone(),
                nullable: field.is_nullable(),
                empty_is_null: *field.data_type() != DataType::Utf8,
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

    /// Reads the record at `start` as row `row`: the position after it, and what is wrong with it.
    #[inline]
    fn record(&mut self, bytes: &[u8], start: usize, row: usize, ends: &mut Ends) -> (usize, Read<()>) {
        let mut read = Ok(());
        let mut count = 0;
        let mut pos = start;
        loop {
            let Some(place) = self.dialect.field(bytes, pos, ends) else {
                let line = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |i| start + i);
                ends.go_to(bytes, line + 1);
                return (line, Err(Fault::syntax("not valid CSV: the quotes of a field are broken")));
            };
            if read.is_ok()
                && let Some(Some(column)) = self.order.get(count)
            {
                read = self.fields[*column].read(bytes, &place, row, &self.dialect);
            }
            count += 1;
            if place.next >= bytes.len() || bytes[place.next] == b'\n' {
                if count != self.order.len() || !self.absent.is_empty() {
                    read = read.and_then(|()| self.fill(count));
                }
                return (place.next, read);
            }
            pos = place.next + 1;
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

impl Field {
    #[inline]
    fn read(&mut self, bytes: &[u8], place: &Place, row: usize, dialect: &Dialect) -> Read<()> {
        let raw = &bytes[place.start..place.end];
        let null = !place.quoted
            && ((raw.is_empty() && self.empty_is_null) || dialect.null_literal.as_ref().is_some_and(|n| n == raw));
        let fault = if null {
            if self.nullable {
                self.column.nulls(1);
                return Ok(());
            }
            Fault::value("NULL in a column that is NOT NULL")
        } else {
            match self.column.text(&place.text(bytes, dialect)) {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            }
        };
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
            let (end, mut read) = self.record(block, start, row, &mut ends);
            if !all_utf8 && simdutf8::basic::from_utf8(&block[start..end]).is_err() {
                read = Err(Fault::syntax("not valid UTF-8"));
            }
            let own = without_carriage_return(block, start, end);
            match read {
                Ok(()) => records.good(start, own),
                Err(fault) => {
                    self.fields.iter_mut().for_each(|f| f.column.truncate(row));
                    records.bad(start, own, &fault);
                }
            }
            start = end + 1;
        }
        let rows = records.rows();
        self.expected = rows;
        let columns: Vec<ArrayRef> =
            self.projection.iter().map(|i| self.fields[*i].column.finish()).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        let (rejected, raw) = records.finish();
        Ok(Decoded { batch, rejected, raw })
    }
}
