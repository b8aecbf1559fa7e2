//! JSON made of values: `JSON_OBJECT`, `JSON_ARRAY`, `JSON`.
//!
//! The parser has turned `KEY k VALUE v` into two arguments and the clause about NULL into another function.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};
use datafusion::common::Result;
use tidemill_core::json::TextKeys;

use super::super::call::Call;
use super::super::declaration::{Function, Kind, Types, takes, takes_many};
use super::scan;

/// The one field of the type that says: this text is JSON already.
const RAW: &str = "json";

fn raw_fields() -> Fields {
    Fields::from(vec![Field::new(RAW, DataType::Utf8, true)])
}

fn raw_type() -> DataType {
    DataType::Struct(raw_fields())
}

/// How values become JSON: what is JSON already goes in as it is, at any depth of arrays, maps and rows.
pub(super) fn encoding() -> EncoderOptions {
    tidemill_core::json::encoding().with_encoder_factory(Arc::new(RawJson))
}

/// Encodes texts of JSON, and leaves the rest to the encoding of all values.
#[derive(Debug)]
struct RawJson;

impl EncoderFactory for RawJson {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        if array.data_type() != &raw_type() {
            return TextKeys.make_default_encoder(field, array, options);
        }
        let texts = array.as_struct().column(0).as_string::<i32>();
        Ok(Some(NullableEncoder::new(Box::new(RawEncoder(texts)), array.nulls().cloned())))
    }
}

struct RawEncoder<'a>(&'a StringArray);

impl Encoder for RawEncoder<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend(self.0.value(row).as_bytes());
    }
}

/// Writes one value, NULL as `null`.
fn encode(value: &mut NullableEncoder<'_>, row: usize, out: &mut Vec<u8>) {
    match value.is_null(row) {
        true => out.extend(b"null"),
        false => value.encode(row, out),
    }
}

/// Hands out encoders of `arrays`.
fn with_values<T>(arrays: &[ArrayRef], f: impl FnOnce(&mut [NullableEncoder<'_>]) -> Result<T>) -> Result<T> {
    let fields: Vec<_> = arrays.iter().map(|a| Arc::new(Field::new("value", a.data_type().clone(), true))).collect();
    let options = encoding();
    let mut values = vec![];
    for (array, field) in arrays.iter().zip(&fields) {
        values.push(make_encoder(field, array.as_ref(), &options)?);
    }
    f(&mut values)
}

/// One text a row, of the values in it. Without values there is nothing to count rows by but the call.
fn written(
    call: &Call,
    values: &[ArrayRef],
    mut row: impl FnMut(usize, &mut [NullableEncoder<'_>], &mut Vec<u8>) -> bool,
) -> Result<ArrayRef> {
    with_values(values, |values| {
        let mut buffer = vec![];
        call.written(|at, out| {
            buffer.clear();
            let whole = row(at, values, &mut buffer);
            // What is written is JSON, and JSON is UTF-8.
            scan::write_made(&String::from_utf8_lossy(&buffer), out);
            Ok(whole.then_some(()))
        })
    })
}

fn object(call: &Call, nulls: bool) -> Result<ArrayRef> {
    let keys = (0..call.len()).step_by(2).map(|i| call.text(i)).collect::<Result<Vec<_>>>()?;
    let values = (1..call.len()).step_by(2).map(|i| call.array(i)).collect::<Result<Vec<_>>>()?;
    let mut quoted = String::new();
    written(call, &values, |row, values, buffer| {
        buffer.push(b'{');
        for (key, value) in keys.iter().zip(values) {
            let Some(key) = key.at(row) else { return false };
            if !nulls && value.is_null(row) {
                continue;
            }
            if buffer.len() > 1 {
                buffer.push(b',');
            }
            quoted.clear();
            scan::quote(key, &mut quoted);
            buffer.extend(quoted.as_bytes());
            buffer.push(b':');
            encode(value, row, buffer);
        }
        buffer.push(b'}');
        true
    })
}

fn array(call: &Call, nulls: bool) -> Result<ArrayRef> {
    let values = (0..call.len()).map(|i| call.array(i)).collect::<Result<Vec<_>>>()?;
    written(call, &values, |row, values, buffer| {
        buffer.push(b'[');
        for value in values {
            if nulls || !value.is_null(row) {
                if buffer.len() > 1 {
                    buffer.push(b',');
                }
                encode(value, row, buffer);
            }
        }
        buffer.push(b']');
        true
    })
}

fn pairs(args: &[DataType]) -> Option<Types> {
    let kinds = args.iter().enumerate().map(|(i, t)| match i % 2 {
        0 => takes(std::slice::from_ref(t), &[Kind::Text], 1, DataType::Utf8)?.args.pop(),
        _ => Some(t.clone()),
    });
    let args = kinds.collect::<Option<Vec<_>>>()?;
    (args.len() % 2 == 0).then_some(Types { args, result: DataType::Utf8 })
}

pub(in super::super) static JSON_OBJECT: Function = Function {
    names: &["json_object"],
    usage: "JSON_OBJECT([KEY] key VALUE value, .. [NULL ON NULL])",
    about: "An object of JSON, its keys in order; of a key that comes twice the last counts. A value made by another `JSON_` function goes in as JSON.",
    examples: &[
        ("json_object('n', 1.5, 'k', 'v')", r#"{"k":"v","n":1.5}"#),
        ("json_object('k', CAST(NULL AS INT))", r#"{"k":null}"#),
        (r#"json_object('a "b"', json(json_array(1, 'x')))"#, r#"{"a \"b\"":[1,"x"]}"#),
        ("json_object(CAST(NULL AS STRING), 1)", "NULL"),
    ],
    types: pairs,
    compute: |call| object(call, true),
    ..Function::PLAIN
};

pub(in super::super) static JSON_OBJECT_ABSENT: Function = Function {
    names: &["json_object_absent"],
    usage: "JSON_OBJECT([KEY] key VALUE value, .. ABSENT ON NULL)",
    about: "The same without the keys whose value is NULL.",
    examples: &[("json_object_absent('a', 1, 'b', CAST(NULL AS INT))", r#"{"a":1}"#)],
    types: pairs,
    compute: |call| object(call, false),
    ..Function::PLAIN
};

pub(in super::super) static JSON_ARRAY: Function = Function {
    names: &["json_array"],
    usage: "JSON_ARRAY(value, .. [ABSENT ON NULL])",
    about: "An array of JSON, without NULLs.",
    examples: &[
        ("json_array(1, 'x', TRUE)", r#"[1,"x",true]"#),
        ("json_array(CAST(NULL AS INT), 2)", "[2]"),
        ("json_array(json(json_array(1)))", "[[1]]"),
    ],
    types: |args| takes_many(args, Kind::Any, 0, DataType::Utf8),
    compute: |call| array(call, false),
    ..Function::PLAIN
};

pub(in super::super) static JSON_ARRAY_NULL: Function = Function {
    names: &["json_array_null"],
    usage: "JSON_ARRAY(value, .. NULL ON NULL)",
    about: "The same with NULLs as `null`.",
    examples: &[("json_array_null(CAST(NULL AS INT), 2)", "[null,2]")],
    types: |args| takes_many(args, Kind::Any, 0, DataType::Utf8),
    compute: |call| array(call, true),
    ..Function::PLAIN
};

pub(in super::super) static JSON: Function = Function {
    names: &["json"],
    usage: "JSON(string)",
    about: "Within `JSON_OBJECT`, `JSON_ARRAY` and their aggregates: the text is JSON already, and goes in as such.",
    examples: &[(r#"json_array(json('{"a": 1}'))"#, r#"[{"a":1}]"#)],
    types: |args| takes(args, &[Kind::Text], 1, raw_type()),
    compute: |call| {
        let text = call.array(0)?;
        let nulls = text.logical_nulls();
        Ok(Arc::new(StructArray::try_new(raw_fields(), vec![text], nulls)?))
    },
    ..Function::PLAIN
};
