//! The values of a column as text, one by one: the way out that the formats share.
//!
//! A column is looked at once a batch, for its type, and then asked row by row. Quotes and escapes are the format's.

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::*;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::value::{decimal, float, integer, time};

/// Appends the text of a row's value, which is not NULL.
pub(crate) type Write<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// How values are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Between date and time of day.
    pub(crate) separator: u8,
    /// Decimals never with an exponent.
    pub(crate) plain_decimal: bool,
}

/// The values of a column without parts, as plain text.
pub(crate) enum Cell<'a> {
    /// Numbers and truth values: JSON has them bare.
    Bare(Write<'a>),
    /// Floating point numbers: bare where they are finite.
    Float(Write<'a>, Box<dyn Fn(usize) -> bool + 'a>),
    /// Times and bytes: letters and digits that need quotes and no escapes.
    Plain(Write<'a>),
    /// Anything at all.
    Text(Box<dyn Fn(usize) -> &'a [u8] + 'a>),
}

/// The cells of `array`; `None` where its type has parts.
pub(crate) fn cell<'a>(array: &'a ArrayRef, look: Look) -> Option<Cell<'a>> {
    Some(match array.data_type() {
        DataType::Boolean => {
            let array = array.as_boolean();
            Cell::Bare(Box::new(|row, out| out.extend_from_slice(if array.value(row) { b"true" } else { b"false" })))
        }
        DataType::Int8 => whole::<Int8Type>(array),
        DataType::Int16 => whole::<Int16Type>(array),
        DataType::Int32 => whole::<Int32Type>(array),
        DataType::Int64 => whole::<Int64Type>(array),
        DataType::UInt8 => whole::<UInt8Type>(array),
        DataType::UInt16 => whole::<UInt16Type>(array),
        DataType::UInt32 => whole::<UInt32Type>(array),
        DataType::UInt64 => whole::<UInt64Type>(array),
        DataType::Float32 => {
            let values: &PrimitiveArray<Float32Type> = array.as_primitive();
            Cell::Float(
                primitive::<Float32Type>(array, float::write_f32),
                Box::new(|row| values.value(row).is_finite()),
            )
        }
        DataType::Float64 => {
            let values: &PrimitiveArray<Float64Type> = array.as_primitive();
            Cell::Float(
                primitive::<Float64Type>(array, float::write_f64),
                Box::new(|row| values.value(row).is_finite()),
            )
        }
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            Cell::Bare(primitive::<Decimal128Type>(array, move |n, out| {
                decimal::write(i256::from_i128(n), scale, look.plain_decimal, out);
            }))
        }
        DataType::Decimal256(_, scale) => {
            let scale = *scale;
            Cell::Bare(primitive::<Decimal256Type>(array, move |n, out| {
                decimal::write(n, scale, look.plain_decimal, out)
            }))
        }
        DataType::Date32 => Cell::Plain(primitive::<Date32Type>(array, |d, out| time::write_date(d.into(), out))),
        DataType::Time32(TimeUnit::Second) => time_of_day::<Time32SecondType>(array, TimeUnit::Second),
        DataType::Time32(unit) => time_of_day::<Time32MillisecondType>(array, *unit),
        DataType::Time64(TimeUnit::Nanosecond) => time_of_day::<Time64NanosecondType>(array, TimeUnit::Nanosecond),
        DataType::Time64(unit) => time_of_day::<Time64MicrosecondType>(array, *unit),
        DataType::Timestamp(unit, zone) => {
            let zoned = zone.is_some();
            match unit {
                TimeUnit::Second => timestamp::<TimestampSecondType>(array, zoned, look),
                TimeUnit::Millisecond => timestamp::<TimestampMillisecondType>(array, zoned, look),
                TimeUnit::Microsecond => timestamp::<TimestampMicrosecondType>(array, zoned, look),
                TimeUnit::Nanosecond => timestamp::<TimestampNanosecondType>(array, zoned, look),
            }
        }
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            Cell::Text(Box::new(|row| array.value(row).as_bytes()))
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            Cell::Text(Box::new(|row| array.value(row).as_bytes()))
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            Cell::Text(Box::new(|row| array.value(row).as_bytes()))
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            base64(|row| array.value(row))
        }
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            base64(|row| array.value(row))
        }
        DataType::BinaryView => {
            let array = array.as_binary_view();
            base64(|row| array.value(row))
        }
        _ => return None,
    })
}

fn primitive<'a, T: ArrowPrimitiveType>(
    array: &'a ArrayRef,
    write: impl Fn(T::Native, &mut Vec<u8>) + 'a,
) -> Write<'a> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    Box::new(move |row, out| write(array.value(row), out))
}

fn whole<T: ArrowPrimitiveType>(array: &ArrayRef) -> Cell<'_>
where
    T::Native: Into<i128>,
{
    Cell::Bare(primitive::<T>(array, |n, out| integer::write(n.into(), out)))
}

fn time_of_day<T: ArrowPrimitiveType>(array: &ArrayRef, unit: TimeUnit) -> Cell<'_>
where
    T::Native: Into<i64>,
{
    Cell::Plain(primitive::<T>(array, move |t, out| time::write_time(t.into(), unit, out)))
}

fn timestamp<T: ArrowTimestampType>(array: &ArrayRef, zoned: bool, look: Look) -> Cell<'_> {
    Cell::Plain(primitive::<T>(array, move |t, out| {
        time::write_timestamp(t, T::UNIT, look.separator, out);
        if zoned {
            out.push(b'Z');
        }
    }))
}

fn base64<'a>(value: impl Fn(usize) -> &'a [u8] + 'a) -> Cell<'a> {
    Cell::Plain(Box::new(move |row, out| out.extend_from_slice(BASE64_STANDARD.encode(value(row)).as_bytes())))
}
