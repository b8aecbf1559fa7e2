//! Values of simple types: random between limits, or in sequence.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryBuilder, BooleanArray, Decimal128Array, Decimal256Array, Int64Array,
    PrimitiveArray, StringBuilder,
};
use arrow::compute::kernels::cast_utils::parse_decimal;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, i256,
};
use tidemill_core::time::from_micros;
use tidemill_core::{Error, Micros, Result};

use super::fields::Values;
use crate::formats::sql_type;
use crate::random::Random;

/// What was said about a random value.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    pub(crate) min: Option<String>,
    pub(crate) max: Option<String>,
    pub(crate) length: u64,
    pub(crate) var_len: bool,
    pub(crate) max_past: Micros,
}

impl Limits {
    /// Both limits as numbers, the type's own where they were not given.
    fn pair<T: std::str::FromStr + PartialOrd + Copy>(&self, min: T, max: T, prefix: &str) -> Result<(T, T)> {
        let parse = |text: &Option<String>, default: T, which: &str| match text {
            None => Ok(default),
            Some(text) => text.trim().parse().map_err(|_| {
                Error::statement(format!("option '{prefix}.{which}' is '{text}', which the column's type cannot hold"))
            }),
        };
        let (min, max) = (parse(&self.min, min, "min")?, parse(&self.max, max, "max")?);
        if min > max {
            return Err(Error::statement(format!("option '{prefix}.min' is above '{prefix}.max'")));
        }
        Ok((min, max))
    }
}

/// Random values of `of`.
pub(crate) fn random(of: &DataType, random: Random, limits: &Limits, prefix: &str) -> Result<Arc<dyn Values>> {
    macro_rules! int {
        ($arrow:ty, $native:ty) => {{
            let (min, max) = limits.pair(<$native>::MIN, <$native>::MAX, prefix)?;
            let (min, span) = (i128::from(min), (i128::from(max) - i128::from(min) + 1) as u128);
            Arc::new(Primitive::<$arrow, _>::new(of, move |row, _| {
                // The product of two 64-bit numbers fits; only the full range of 64 bits needs none.
                let offset = if span > u128::from(u64::MAX) {
                    random.at(row).into()
                } else {
                    u128::from(random.below(row, span as u64))
                };
                (min + offset as i128) as $native
            }))
        }};
    }
    macro_rules! time {
        ($arrow:ty, $unit:expr) => {{
            let past = limits.max_past.max(0).cast_unsigned();
            Arc::new(Primitive::<$arrow, _>::new(of, move |row, now| {
                let back = if past == 0 { 0 } else { random.below(row, past.saturating_add(1)).cast_signed() };
                from_micros(now.saturating_sub(back), $unit)
            }))
        }};
    }
    Ok(match of {
        DataType::Boolean => Arc::new(Booleans(random)),
        DataType::Int8 => int!(Int8Type, i8),
        DataType::Int16 => int!(Int16Type, i16),
        DataType::Int32 => int!(Int32Type, i32),
        DataType::Int64 => int!(Int64Type, i64),
        DataType::Float32 => {
            let (min, max) = limits.pair(f32::MIN, f32::MAX, prefix)?;
            Arc::new(Primitive::<Float32Type, _>::new(of, move |row, _| {
                let u = random.unit(row);
                (f64::from(min) * (1.0 - u) + f64::from(max) * u) as f32
            }))
        }
        DataType::Float64 => {
            let (min, max) = limits.pair(f64::MIN, f64::MAX, prefix)?;
            Arc::new(Primitive::<Float64Type, _>::new(of, move |row, _| {
                let u = random.unit(row);
                min * (1.0 - u) + max * u
            }))
        }
        DataType::Decimal128(p, s) => decimal(random, limits, (*p, *s), of, prefix)?,
        DataType::Decimal256(_, s) => decimal(random, limits, (38, *s), of, prefix)?,
        DataType::Utf8 => Arc::new(Texts { random, length: limits.length, var_len: limits.var_len }),
        DataType::Binary => Arc::new(Bytes { random, length: limits.length, var_len: limits.var_len }),
        DataType::Date32 => {
            Arc::new(Primitive::<Date32Type, _>::new(of, |_, now| now.div_euclid(86_400_000_000) as i32))
        }
        DataType::Time32(TimeUnit::Millisecond) => {
            Arc::new(Primitive::<Time32MillisecondType, _>::new(of, |_, now| {
                (now.rem_euclid(86_400_000_000) / 1_000) as i32
            }))
        }
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => time!(TimestampSecondType, TimeUnit::Second),
            TimeUnit::Millisecond => time!(TimestampMillisecondType, TimeUnit::Millisecond),
            TimeUnit::Microsecond => time!(TimestampMicrosecondType, TimeUnit::Microsecond),
            TimeUnit::Nanosecond => time!(TimestampNanosecondType, TimeUnit::Nanosecond),
        },
        other => return Err(cannot(other, prefix)),
    })
}

/// `start`, `start + 1`, ... as `of`.
pub(crate) fn sequence(of: &DataType, start: i64, prefix: &str) -> Result<Arc<dyn Values>> {
    if of.is_numeric() || *of == DataType::Utf8 {
        return Ok(Arc::new(Sequence { of: of.clone(), start, prefix: prefix.into() }));
    }
    Err(cannot(of, prefix).with_hint("A sequence is a number or a text."))
}

fn cannot(of: &DataType, prefix: &str) -> Error {
    let name = prefix.trim_start_matches("fields.");
    Error::unsupported(format!("connector 'datagen' cannot make values of type {} for '{name}'", sql_type(of)))
}

fn decimal(
    random: Random,
    limits: &Limits,
    (precision, scale): (u8, i8),
    of: &DataType,
    prefix: &str,
) -> Result<Arc<dyn Values>> {
    let parse = |text: &Option<String>, default: i128, which: &str| match text {
        None => Ok(default),
        Some(text) => parse_decimal::<Decimal128Type>(text.trim(), precision, scale).map_err(|_| {
            Error::statement(format!("option '{prefix}.{which}' is '{text}', which the column's type cannot hold"))
        }),
    };
    let most = 10i128.checked_pow(u32::from(precision)).map_or(i128::MAX, |p| p - 1);
    let (min, max) = (parse(&limits.min, -most, "min")?, parse(&limits.max, most, "max")?);
    if min > max {
        return Err(Error::statement(format!("option '{prefix}.min' is above '{prefix}.max'")));
    }
    Ok(Arc::new(Decimals { random, min, span: max.abs_diff(min).saturating_add(1), of: of.clone() }))
}

/// Values of a fixed width, each a function of the row and its time.
struct Primitive<T, F> {
    of: DataType,
    value: F,
    kind: std::marker::PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType, F: Fn(u64, Micros) -> T::Native> Primitive<T, F> {
    fn new(of: &DataType, value: F) -> Self {
        Self { of: of.clone(), value, kind: std::marker::PhantomData }
    }
}

impl<T, F> std::fmt::Debug for Primitive<T, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Primitive").field("of", &self.of).finish_non_exhaustive()
    }
}

impl<T: ArrowPrimitiveType, F: Fn(u64, Micros) -> T::Native + Send + Sync> Values for Primitive<T, F> {
    fn values(&self, rows: &[u64], times: &[Micros]) -> Result<ArrayRef> {
        let values = rows.iter().zip(times).map(|(row, time)| (self.value)(*row, *time));
        let values = PrimitiveArray::<T>::from_iter_values(values);
        Ok(Arc::new(values.with_data_type(self.of.clone())))
    }
}

#[derive(Debug)]
struct Booleans(Random);

impl Values for Booleans {
    fn values(&self, rows: &[u64], _: &[Micros]) -> Result<ArrayRef> {
        Ok(Arc::new(rows.iter().map(|r| Some(self.0.at(*r) >> 63 == 1)).collect::<BooleanArray>()))
    }
}

#[derive(Debug)]
struct Decimals {
    random: Random,
    min: i128,
    span: u128,
    of: DataType,
}

impl Values for Decimals {
    fn values(&self, rows: &[u64], _: &[Micros]) -> Result<ArrayRef> {
        let low = self.random.named("low");
        let values = rows.iter().map(|row| {
            let bits = (u128::from(self.random.at(*row)) << 64) | u128::from(low.at(*row));
            self.min.wrapping_add((bits % self.span).cast_signed())
        });
        Ok(match &self.of {
            DataType::Decimal256(p, s) => {
                let values = Decimal256Array::from_iter_values(values.map(i256::from_i128));
                Arc::new(values.with_precision_and_scale(*p, *s)?)
            }
            of => Arc::new(Decimal128Array::from_iter_values(values).with_data_type(of.clone())),
        })
    }
}

/// The length of value `row`.
fn length(random: Random, row: u64, length: u64, var_len: bool) -> u64 {
    if var_len && length > 0 { 1 + random.named("length").below(row, length) } else { length }
}

/// Hexadecimal digits, as in Flink.
#[derive(Debug)]
struct Texts {
    random: Random,
    length: u64,
    var_len: bool,
}

impl Values for Texts {
    fn values(&self, rows: &[u64], _: &[Micros]) -> Result<ArrayRef> {
        let mut out = StringBuilder::with_capacity(rows.len(), rows.len() * self.length as usize);
        let mut text = String::new();
        for row in rows {
            text.clear();
            let stream = self.random.stream(*row);
            for i in 0..length(self.random, *row, self.length, self.var_len) {
                let digit = (stream.at(i / 16) >> (4 * (i % 16))) & 15;
                text.push(char::from(b"0123456789abcdef"[digit as usize]));
            }
            out.append_value(&text);
        }
        Ok(Arc::new(out.finish()))
    }
}

#[derive(Debug)]
struct Bytes {
    random: Random,
    length: u64,
    var_len: bool,
}

impl Values for Bytes {
    fn values(&self, rows: &[u64], _: &[Micros]) -> Result<ArrayRef> {
        let mut out = BinaryBuilder::with_capacity(rows.len(), rows.len() * self.length as usize);
        let mut bytes = Vec::new();
        for row in rows {
            bytes.clear();
            let stream = self.random.stream(*row);
            bytes.extend((0..length(self.random, *row, self.length, self.var_len)).map(|i| stream.at(i) as u8));
            out.append_value(&bytes);
        }
        Ok(Arc::new(out.finish()))
    }
}

#[derive(Debug)]
struct Sequence {
    of: DataType,
    start: i64,
    prefix: Arc<str>,
}

impl Values for Sequence {
    fn values(&self, rows: &[u64], _: &[Micros]) -> Result<ArrayRef> {
        let numbers = Int64Array::from_iter_values(rows.iter().map(|r| self.start.wrapping_add(r.cast_signed())));
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(&numbers, &self.of, &options).map_err(|e| {
            Error::statement(format!("the sequence '{}' goes beyond what {} can hold", self.prefix, sql_type(&self.of)))
                .caused_by(e)
        })
    }
}
