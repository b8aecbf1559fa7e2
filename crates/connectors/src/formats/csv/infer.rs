//! The columns of a sample of delimited records.
//!
//! Names are those of the header; without one, `f0`, `f1` and so on. With `csv.header` = `auto`, the first record is a header
//! if its fields are distinct names and none is a number. Types are told as for JSON, from the texts; a number with a zero
//! before it (`007`) is text.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use tidemill_core::{Error, Result};

use super::records::{Dialect, First, Header};
use crate::formats::json::infer::Shape;

/// The columns of `sample`.
pub(super) fn infer(sample: &[u8], dialect: &Dialect) -> Result<SchemaRef> {
    let First::Fields(first, end) = dialect.first_record(sample, true) else {
        return Err(
            Error::data("no record was found to tell the columns from").with_hint("Write the columns in CREATE TABLE.")
        );
    };
    let named = match dialect.header {
        Header::Yes => true,
        Header::No => false,
        Header::Auto => first.iter().enumerate().all(|(i, name)| {
            let number = matches!(shape(name.as_bytes()), Shape::Integer | Shape::Large | Shape::Float);
            !name.is_empty() && !number && !first[..i].contains(name)
        }),
    };
    let names = if named { first } else { (0..first.len()).map(|i| format!("f{i}")).collect() };
    let mut shapes = vec![Shape::Unknown; names.len()];
    let mut pos = if named { end } else { 0 };
    while pos < sample.len() {
        let next = memchr::memchr(b'\n', &sample[pos..]).map_or(sample.len(), |i| pos + i + 1);
        if dialect.skips(sample, pos) {
            pos = next;
            continue;
        }
        let mut ends = dialect.ends(sample, pos);
        for shape in 0.. {
            let Some(place) = dialect.field(sample, pos, &mut ends) else {
                pos = next;
                break;
            };
            if let Some(known) = shapes.get_mut(shape) {
                let text = place.text(sample, dialect);
                let null = !place.quoted && (text.is_empty() || dialect.null_literal.as_deref() == Some(&*text));
                if !null {
                    *known = std::mem::replace(known, Shape::Unknown).merge(self::shape(&text));
                }
            }
            pos = place.next + 1;
            if sample.get(place.next).is_none_or(|b| *b == b'\n') {
                break;
            }
        }
    }
    Ok(Arc::new(Schema::new(names.iter().zip(shapes).map(|(n, s)| s.field(n)).collect::<Vec<_>>())))
}

/// What a text looks like.
fn shape(text: &[u8]) -> Shape {
    let Ok(text) = std::str::from_utf8(text) else { return Shape::Text };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let padded = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    match text {
        _ if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => Shape::Boolean,
        _ if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') || padded => Shape::of_text(text),
        _ if text.parse::<i64>().is_ok() => Shape::Integer,
        _ if text.parse::<u64>().is_ok() => Shape::Large,
        _ if text.parse::<f64>().is_ok_and(f64::is_finite) => Shape::Float,
        _ => Shape::of_text(text),
    }
}
