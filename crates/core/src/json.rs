//! Rows as JSON for people to read: what is printed, late and rejected rows, `JSON_STRING`.
//!
//! Arrow writes only maps whose keys are texts. An object has no other keys, so that keys of every other type are written as the texts that they
//! read as: `{"1":"a"}`.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, AsArray, MapArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, FieldRef};
use arrow::error::ArrowError;
use arrow::json::writer::{
    Encoder, EncoderFactory, EncoderOptions, LineDelimited, NullableEncoder, Writer, WriterBuilder, make_encoder,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// How a timestamp reads.
pub const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";
/// How an instant reads.
pub const INSTANT: &str = "%Y-%m-%d %H:%M:%S%.fZ";

/// How values are encoded one by one: NULL is written, and maps may have any keys.
pub fn encoding() -> EncoderOptions {
    EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(Arc::new(TextKeys))
}

/// Writes a row a line.
pub fn lines<W: std::io::Write>(out: W) -> Writer<W, LineDelimited> {
    builder().build(out)
}

/// The same, without what is NULL.
pub fn sparse<W: std::io::Write>(out: W) -> Writer<W, LineDelimited> {
    builder().with_explicit_nulls(false).build(out)
}

/// Writes a row a line, with times as they are printed.
pub fn printed<W: std::io::Write>(out: W) -> Writer<W, LineDelimited> {
    builder().with_timestamp_format(TIMESTAMP.into()).with_timestamp_tz_format(INSTANT.into()).build(out)
}

fn builder() -> WriterBuilder {
    WriterBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(TextKeys))
}

/// Encodes the maps that Arrow does not.
#[derive(Debug)]
pub struct TextKeys;

impl EncoderFactory for TextKeys {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let DataType::Map(..) = array.data_type() else { return Ok(None) };
        let map: &'a MapArray = array.as_map();
        if map.key_type().is_string() {
            return Ok(None);
        }
        let format =
            FormatOptions::default().with_timestamp_format(Some(TIMESTAMP)).with_timestamp_tz_format(Some(INSTANT));
        let encoder = MapEncoder {
            offsets: map.offsets().clone(),
            keys: ArrayFormatter::try_new(map.keys().as_ref(), &format)?,
            values: make_encoder(field, map.values().as_ref(), options)?,
            key: String::new(),
        };
        Ok(Some(NullableEncoder::new(Box::new(encoder), map.nulls().cloned())))
    }
}

struct MapEncoder<'a> {
    offsets: OffsetBuffer<i32>,
    keys: ArrayFormatter<'a>,
    values: NullableEncoder<'a>,
    key: String,
}

impl Encoder for MapEncoder<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let (start, end) = (self.offsets[row] as usize, self.offsets[row + 1] as usize);
        out.push(b'{');
        for at in start..end {
            if at > start {
                out.push(b',');
            }
            self.key.clear();
            // A key that cannot be shown, a time out of all calendars, says so itself.
            let _ = write!(self.key, "{}", self.keys.value(at));
            quote(&self.key, out);
            out.push(b':');
            match self.values.is_null(at) {
                true => out.extend_from_slice(b"null"),
                false => self.values.encode(at, out),
            }
        }
        out.push(b'}');
    }
}

/// A text of JSON. What a key reads as may hold quotes where it is a row itself.
fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for b in text.bytes() {
        match b {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', b]),
            0..0x20 => out.extend_from_slice(format!("\\u{b:04x}").as_bytes()),
            _ => out.push(b),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use arrow::array::builder::{Int32Builder, MapBuilder, StringBuilder};
    use arrow::array::{ArrayRef, RecordBatch};

    use super::*;

    #[test]
    fn keys_of_maps_are_written_as_texts() {
        let mut map = MapBuilder::new(None, Int32Builder::new(), StringBuilder::new());
        map.keys().append_slice(&[1, -2]);
        map.values().append_value("a");
        map.values().append_null();
        map.append(true).unwrap();
        map.append(false).unwrap();
        map.append(true).unwrap();
        let rows = RecordBatch::try_from_iter([("m", Arc::new(map.finish()) as ArrayRef)]).unwrap();
        let mut out = vec![];
        let mut writer = lines(&mut out);
        writer.write(&rows).unwrap();
        writer.finish().unwrap();
        drop(writer);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "{\"m\":{\"1\":\"a\",\"-2\":null}}\n{\"m\":null}\n{\"m\":{}}\n");
    }

    #[test]
    fn a_key_is_quoted() {
        let mut out = vec![];
        quote("a\"\\\n", &mut out);
        assert_eq!(out, b"\"a\\\"\\\\\\u000a\"");
    }
}
