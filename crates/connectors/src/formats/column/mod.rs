//! Columns being built from values that arrive one by one, straight into Arrow buffers.
//!
//! A column that a query does not want is made with `keep = false`: it checks its values as strictly as any other and
//! stores none. So what becomes of a record depends on the table, never on the query.

mod boolean;
mod bytes;
mod other;
mod primitive;

use arrow::array::ArrayRef;
use arrow::datatypes::*;
use tidemill_core::{Error, Result};

use super::fault::{Fault, Read, sql_type};
use super::json::scan::Text;
use super::value::decimal::Decimal;
use super::value::float::Float;
use super::value::integer::Integer;
use super::value::time::{Date, Time, Timestamp};

pub(crate) use boolean::Booleans;
pub(crate) use bytes::{Binary, Strings};
pub(crate) use other::Other;
pub(crate) use primitive::Primitive;

/// One column of the batch that is being built.
///
/// A value that is refused leaves the column in disorder behind its last whole row: the caller then goes back to that
/// row with [`truncate`](Self::truncate).
pub(crate) trait Column: Send {
    /// Appends the JSON value at `pos`, which is not `null` and has no white space before it; the position after it.
    fn json(&mut self, text: &Text<'_>, pos: usize) -> Read<usize>;

    /// Appends the value of a whole text.
    fn text(&mut self, text: &[u8]) -> Read<()>;

    /// Appends the value of the text from `start` to `end`, where it helps to look beyond its end.
    fn text_within(&mut self, bytes: &[u8], start: usize, end: usize) -> Read<()> {
        self.text(&bytes[start..end])
    }

    /// Appends `n` NULLs.
    fn nulls(&mut self, n: usize);

    /// Forgets all rows from `len` on.
    fn truncate(&mut self, len: usize);

    /// The rows as an array. The column is empty afterwards.
    fn finish(&mut self) -> Result<ArrayRef>;
}

/// The column of a type without parts; `None` for the others.
pub(crate) fn scalar(data_type: &DataType, keep: bool) -> Option<Box<dyn Column>> {
    macro_rules! primitive {
        ($scalar:expr) => {
            Box::new(Primitive::new($scalar, data_type, keep))
        };
    }
    Some(match data_type {
        DataType::Boolean => Box::new(Booleans::new(keep)),
        DataType::Int8 => primitive!(Integer::<Int8Type>::new()),
        DataType::Int16 => primitive!(Integer::<Int16Type>::new()),
        DataType::Int32 => primitive!(Integer::<Int32Type>::new()),
        DataType::Int64 => primitive!(Integer::<Int64Type>::new()),
        DataType::UInt8 => primitive!(Integer::<UInt8Type>::new()),
        DataType::UInt16 => primitive!(Integer::<UInt16Type>::new()),
        DataType::UInt32 => primitive!(Integer::<UInt32Type>::new()),
        DataType::UInt64 => primitive!(Integer::<UInt64Type>::new()),
        DataType::Float32 => primitive!(Float::<Float32Type>::new()),
        DataType::Float64 => primitive!(Float::<Float64Type>::new()),
        DataType::Decimal128(p, s) => primitive!(Decimal::<Decimal128Type>::new(*p, *s)),
        DataType::Decimal256(p, s) => primitive!(Decimal::<Decimal256Type>::new(*p, *s)),
        DataType::Date32 => primitive!(Date),
        DataType::Time32(u @ TimeUnit::Second) => primitive!(Time::<Time32SecondType>::new(*u)),
        DataType::Time32(u) => primitive!(Time::<Time32MillisecondType>::new(*u)),
        DataType::Time64(u @ TimeUnit::Nanosecond) => primitive!(Time::<Time64NanosecondType>::new(*u)),
        DataType::Time64(u) => primitive!(Time::<Time64MicrosecondType>::new(*u)),
        DataType::Timestamp(TimeUnit::Second, _) => primitive!(Timestamp::<TimestampSecondType>::new()),
        DataType::Timestamp(TimeUnit::Millisecond, _) => primitive!(Timestamp::<TimestampMillisecondType>::new()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => primitive!(Timestamp::<TimestampMicrosecondType>::new()),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => primitive!(Timestamp::<TimestampNanosecondType>::new()),
        DataType::Utf8 => Box::new(Strings::new(keep)),
        DataType::Binary => Box::new(Binary::new(keep)),
        _ => return None,
    })
}

/// The error for a column whose type a format cannot hold.
pub(crate) fn unsupported(format: &str, field: &Field) -> Error {
    Error::unsupported(format!(
        "column '{}' is {}, which format '{format}' cannot hold",
        field.name(),
        sql_type(field.data_type())
    ))
}

/// A text without the white space around it.
pub(crate) fn trimmed(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

/// The fault of a JSON value that is not of the column's type, or of its syntax if that is wrong too.
#[cold]
pub(crate) fn mismatch(text: &Text<'_>, pos: usize, data_type: &DataType) -> Fault {
    match text.skip(pos) {
        Ok(end) => Fault::mismatch(text.unquoted(pos, end), data_type),
        Err(syntax) => syntax,
    }
}
