//! The columns of a sample of JSON lines.
//!
//! Whole numbers are BIGINT (DECIMAL(20, 0) beyond that), other numbers DOUBLE, objects ROW, arrays ARRAY. A text is
//! STRING, unless every value of the column is a full timestamp: TIMESTAMP without an offset, TIMESTAMP_LTZ with one, of
//! the precision (3, 6 or 9) that the longest fraction asks for. What fits no single type is STRING.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use tidemill_core::{Error, Result};

use crate::formats::value::time;

/// The columns that the records of `sample` have together, in the order in which they first appear.
pub(crate) fn infer(sample: &[u8]) -> Result<SchemaRef> {
    let mut record = Shape::Row(vec![]);
    for line in sample.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty()) {
        // A bad record says nothing about the columns: it is rejected when it is read.
        if let Ok(shape @ Shape::Row(_)) = serde_json::from_slice(line) {
            record = record.merge(shape);
        }
    }
    match record {
        Shape::Row(fields) if !fields.is_empty() => {
            Ok(Arc::new(Schema::new(fields.into_iter().map(|(n, s)| s.field(&n)).collect::<Vec<_>>())))
        }
        _ => Err(Error::data("no record with a field was found to tell the columns from")
            .with_hint("Write the columns in CREATE TABLE.")),
    }
}

/// What is known of the values of one column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// Only NULL so far.
    Unknown,
    Boolean,
    Integer,
    /// A whole number beyond BIGINT.
    Large,
    Float,
    Timestamp {
        zoned: bool,
        fraction: usize,
    },
    Text,
    List(Box<Shape>),
    Row(Vec<(String, Shape)>),
}

impl Shape {
    /// Of a text.
    pub(crate) fn of_text(text: &str) -> Self {
        match time::timestamp(text.as_bytes()) {
            Some((_, _, form)) if form.time => Self::Timestamp { zoned: form.zoned, fraction: form.fraction },
            _ => Self::Text,
        }
    }

    /// What holds the values of both.
    pub(crate) fn merge(self, other: Self) -> Self {
        use Shape::{Float, Integer, Large, List, Row, Text, Timestamp, Unknown};
        match (self, other) {
            (Unknown, s) | (s, Unknown) => s,
            (Row(mut fields), Row(more)) => {
                for (name, shape) in more {
                    match fields.iter_mut().find(|(n, _)| *n == name) {
                        Some((_, known)) => *known = std::mem::replace(known, Unknown).merge(shape),
                        None => fields.push((name, shape)),
                    }
                }
                Row(fields)
            }
            (List(a), List(b)) => List(Box::new(a.merge(*b))),
            (Timestamp { zoned, fraction: a }, Timestamp { zoned: other, fraction: b }) if zoned == other => {
                Timestamp { zoned, fraction: a.max(b) }
            }
            (Float, Integer | Large) | (Integer | Large, Float) => Float,
            (Large, Integer) | (Integer, Large) => Large,
            (a, b) if a == b => a,
            _ => Text,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Unknown | Self::Text => DataType::Utf8,
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Large => DataType::Decimal128(20, 0),
            Self::Float => DataType::Float64,
            Self::Timestamp { zoned, fraction } => {
                let unit = match fraction {
                    0..=3 => TimeUnit::Millisecond,
                    4..=6 => TimeUnit::Microsecond,
                    _ => TimeUnit::Nanosecond,
                };
                DataType::Timestamp(unit, zoned.then(|| "UTC".into()))
            }
            Self::List(item) => DataType::List(Arc::new(item.field("item"))),
            Self::Row(fields) => DataType::Struct(fields.into_iter().map(|(n, s)| s.field(&n)).collect()),
        }
    }

    pub(crate) fn field(self, name: &str) -> Field {
        Field::new(name, self.data_type(), true)
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        d.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Shape, E> {
        Ok(Shape::Unknown)
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Shape, E> {
        Ok(Shape::Boolean)
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Shape, E> {
        Ok(Shape::Integer)
    }

    fn visit_u64<E>(self, n: u64) -> std::result::Result<Shape, E> {
        Ok(if i64::try_from(n).is_ok() { Shape::Integer } else { Shape::Large })
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Shape, E> {
        Ok(Shape::Float)
    }

    fn visit_str<E>(self, s: &str) -> std::result::Result<Shape, E> {
        Ok(Shape::of_text(s))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Shape, A::Error> {
        let mut item = Shape::Unknown;
        while let Some(next) = items.next_element()? {
            item = item.merge(next);
        }
        Ok(Shape::List(Box::new(item)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Shape, A::Error> {
        let mut row = Shape::Row(vec![]);
        while let Some((name, value)) = entries.next_entry::<String, Shape>()? {
            row = row.merge(Shape::Row(vec![(name, value)]));
        }
        Ok(row)
    }
}
