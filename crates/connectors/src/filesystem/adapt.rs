//! Makes the columns of a Parquet or Arrow file those that the table declares: by name, cast without loss, and with
//! the rows set aside that lack a value where there must be one.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, RecordBatch, RecordBatchOptions, StructArray, new_null_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{CastOptions, cast_with_options, filter_record_batch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use bytes::Bytes;
use tidemill_core::source::{Position, RawRows, RejectedRow};
use tidemill_core::{Error, Result};

use super::archive::position;
use crate::formats::sql_type;

/// Where a declared column comes from.
#[derive(Debug)]
enum From {
    /// The file: the number of the column among those that are read.
    File(usize),
    /// It is missing there: NULL.
    Nowhere,
}

/// Adapts the batches of one file.
#[derive(Debug)]
pub(crate) struct Adapter {
    file: Arc<str>,
    /// The columns of the file to read, ascending.
    pub(crate) read: Vec<usize>,
    /// The wanted columns.
    schema: SchemaRef,
    from: Vec<From>,
    /// Columns that must not be NULL and may be: name, and number among those that are read.
    checks: Vec<(String, usize)>,
}

impl Adapter {
    /// For `file` with columns `has`, where `records` are the declared columns and `wanted` those that are asked for.
    /// `may_be_null` tells of a column of the file whether a NULL in it is possible.
    pub(crate) fn new(
        file: &Arc<str>,
        has: &Schema,
        records: &Schema,
        wanted: &[usize],
        may_be_null: impl Fn(usize) -> bool,
    ) -> Result<Self> {
        let mut checks = vec![];
        for field in records.fields().iter().filter(|f| !f.is_nullable()) {
            match find(has.fields(), field.name()) {
                Some(i) if may_be_null(i) => checks.push((field.name().clone(), i)),
                Some(_) => {}
                None => {
                    let names = has.fields().iter().map(|f| f.name().as_str());
                    let message = format!("file '{file}' has no column '{}', which is NOT NULL", field.name());
                    return Err(Error::data(message).with_nearest(field.name(), names));
                }
            }
        }
        let sources: Vec<Option<usize>> = wanted.iter().map(|w| find(has.fields(), records.field(*w).name())).collect();
        // A rejected row is kept whole, so where there may be one all columns are read.
        let mut read: Vec<usize> = if checks.is_empty() {
            sources.iter().flatten().copied().collect()
        } else {
            (0..has.fields().len()).collect()
        };
        read.sort_unstable();
        read.dedup();
        let place = |column: usize| read.binary_search(&column).ok();
        let from = sources.iter().map(|s| s.and_then(place).map_or(From::Nowhere, From::File)).collect();
        checks.iter_mut().for_each(|(_, i)| *i = place(*i).unwrap_or(*i));
        let fields: Vec<FieldRef> = wanted.iter().map(|w| records.fields()[*w].clone()).collect();
        Ok(Self { file: file.clone(), read, schema: Arc::new(Schema::new(fields)), from, checks })
    }

    /// The wanted columns of the rows that are right, and the rows that are not. `row` is the first row's number in the file.
    pub(crate) fn adapt(&self, batch: RecordBatch, row: u64) -> Result<(RecordBatch, Vec<RejectedRow>, Arc<Rows>)> {
        let (kept, rejected, numbers) = match self.bad_rows(&batch) {
            None => (batch, vec![], None),
            Some(bad) => {
                let rejected = bad.set_indices().map(|i| self.reject(&batch, i, row)).collect();
                let good = BooleanArray::new(!&bad, None);
                let numbers = good.values().set_indices().map(|i| i as u64).collect();
                (filter_record_batch(&batch, &good)?, rejected, Some(numbers))
            }
        };
        let columns = (self.from.iter().zip(self.schema.fields()))
            .map(|(from, field)| match from {
                From::File(i) => convert(kept.column(*i), field).map_err(|e| self.cannot(field, kept.column(*i), e)),
                From::Nowhere => Ok(new_null_array(field.data_type(), kept.num_rows())),
            })
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(kept.num_rows()));
        let adapted = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|e| Error::data(format!("file '{}': {e}", self.file)).caused_by(e))?;
        let raw = Rows { batch: kept, file: self.file.clone(), first: row, numbers };
        Ok((adapted, rejected, Arc::new(raw)))
    }

    /// The rows with a NULL where there must be none; `None` if there is no such row.
    fn bad_rows(&self, batch: &RecordBatch) -> Option<BooleanBuffer> {
        let mut bad: Option<BooleanBuffer> = None;
        for (_, column) in &self.checks {
            let Some(nulls) = batch.column(*column).logical_nulls().filter(|n| n.null_count() > 0) else { continue };
            let nulls = !nulls.inner();
            bad = Some(bad.map_or(nulls.clone(), |b| &b | &nulls));
        }
        bad
    }

    fn reject(&self, batch: &RecordBatch, i: usize, row: u64) -> RejectedRow {
        let column = self.checks.iter().find(|(_, c)| batch.column(*c).is_null(i));
        let name = column.map_or("?", |(name, _)| name);
        RejectedRow {
            raw: json(batch, i),
            position: position(&self.file, row + i as u64),
            reason: format!("field '{name}' is NULL and must not be"),
        }
    }

    fn cannot(&self, field: &Field, column: &ArrayRef, e: Error) -> Error {
        let (name, from, to) = (field.name(), sql_type(column.data_type()), sql_type(field.data_type()));
        Error::data(format!("file '{}': column '{name}' cannot be read as {to}: {}", self.file, e.message()))
            .with_hint(format!("In the file it is {from}."))
            .caused_by(e)
    }
}

/// The field called `name`: exactly, or else without case if that is one only.
pub(crate) fn find(fields: &[FieldRef], name: &str) -> Option<usize> {
    if let Some(i) = fields.iter().position(|f| f.name() == name) {
        return Some(i);
    }
    let mut close = fields.iter().enumerate().filter(|(_, f)| f.name().eq_ignore_ascii_case(name));
    match (close.next(), close.next()) {
        (Some((i, _)), None) => Some(i),
        _ => None,
    }
}

/// `array` as the type of `field`; fields of rows are matched by name, on every level.
fn convert(array: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    let to = field.data_type();
    if array.data_type() == to {
        return Ok(array.clone());
    }
    match (array.data_type(), to) {
        (DataType::Struct(has), DataType::Struct(wants)) => {
            let row = array.as_struct();
            let columns = (wants.iter())
                .map(|want| match find(has, want.name()) {
                    Some(i) => convert(row.column(i), want),
                    None => Ok(new_null_array(want.data_type(), row.len())),
                })
                .collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(wants.clone(), columns, row.nulls().cloned(), row.len())?))
        }
        (DataType::List(_), DataType::List(item)) => {
            let list: &ListArray = array.as_list();
            let values = convert(list.values(), item)?;
            Ok(Arc::new(ListArray::try_new(item.clone(), list.offsets().clone(), values, list.nulls().cloned())?))
        }
        _ => Ok(cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() })?),
    }
}

/// The rows behind a piece of a file that has no text of its own: shown as JSON.
#[derive(Debug)]
pub(crate) struct Rows {
    batch: RecordBatch,
    file: Arc<str>,
    /// Number in the file of the row 0 that was read.
    first: u64,
    /// Number, counted from `first`, of each row of `batch`; absent if no row was left out.
    numbers: Option<Vec<u64>>,
}

impl RawRows for Rows {
    fn record(&self, row: usize) -> (Bytes, Position) {
        let number = self.numbers.as_ref().map_or(row as u64, |n| n[row]);
        (json(&self.batch, row), position(&self.file, self.first + number))
    }
}

/// One row as a JSON object.
fn json(batch: &RecordBatch, row: usize) -> Bytes {
    let mut out = Vec::new();
    let mut writer = tidemill_core::json::sparse(&mut out);
    if let Err(e) = writer.write(&batch.slice(row, 1)).and_then(|()| writer.finish()) {
        return Bytes::from(format!("(cannot be shown: {e})"));
    }
    out.pop_if(|b| *b == b'\n');
    out.into()
}

/// The engine's type for a column of a file whose columns were not declared.
pub(crate) fn engine_field(field: &Field) -> Field {
    // Another file of the table may lack what this one has, so no column is NOT NULL unless somebody says so.
    Field::new(field.name(), engine_type(field.data_type()), true)
}

fn engine_type(file: &DataType) -> DataType {
    use DataType::{
        Binary, BinaryView, Decimal128, Dictionary, FixedSizeBinary, FixedSizeList, Float16, Float32, Int16, Int32,
        Int64, LargeBinary, LargeList, LargeListView, LargeUtf8, List, ListView, Map, Null, RunEndEncoded, Struct,
        Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    let item = |f: &FieldRef| Arc::new(Field::new("item", engine_type(f.data_type()), true));
    match file {
        Utf8View | LargeUtf8 | Null => Utf8,
        BinaryView | LargeBinary | FixedSizeBinary(_) => Binary,
        UInt8 => Int16,
        UInt16 => Int32,
        UInt32 => Int64,
        UInt64 => Decimal128(20, 0),
        Float16 => Float32,
        Dictionary(_, value) => engine_type(value),
        RunEndEncoded(_, values) => engine_type(values.data_type()),
        Timestamp(unit, Some(_)) => Timestamp(*unit, Some("UTC".into())),
        List(f) | LargeList(f) | FixedSizeList(f, _) | ListView(f) | LargeListView(f) => List(item(f)),
        Struct(fields) => Struct(fields.iter().map(|f| engine_field(f)).collect()),
        Map(entries, sorted) => match entries.data_type() {
            Struct(kv) if kv.len() == 2 => {
                let key = Field::new(kv[0].name(), engine_type(kv[0].data_type()), false);
                let kv = Struct(vec![key, engine_field(&kv[1])].into());
                Map(Arc::new(Field::new(entries.name(), kv, false)), *sorted)
            }
            _ => file.clone(),
        },
        _ => file.clone(),
    }
}
