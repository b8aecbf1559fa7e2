//! `json`: a record is a line, and a line is a JSON object.
//!
//! The decoder is our own, because decoding is what bounds the speed of a stream, and a decoder that knows the table
//! need not look at a byte twice. Its rooms, from the bytes up: `scan` walks the grammar, `unescape` reads strings,
//! `object`, `list` and `map` fill the columns that have parts (the others are those of all formats), and
//! `decode` takes blocks apart into lines. `encode` is the way back, `infer` finds the columns of a sample.
//!
//! What is checked does not depend on the query: the whole grammar of every line, also of fields that no column has;
//! and every declared column, wanted or not. So a record is taken in or rejected whatever is asked of it.

pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod infer;
mod list;
mod map;
mod object;
pub(crate) mod scan;
mod unescape;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use arrow::datatypes::SchemaRef;
use tidemill_core::format::{Decoder, Encoder, Format};
use tidemill_core::{Error, OptionKind, OptionSpec, OptionValues, Result};

use super::cell::Look;
use decode::Rules;
use encode::{NullKeys, Style};

/// Newline-delimited JSON, as Flink's `json` format.
#[derive(Debug)]
pub struct Json;

const IGNORE_PARSE_ERRORS: OptionSpec = OptionSpec::new(
    "json.ignore-parse-errors",
    OptionKind::Bool,
    "false",
    "Take a value that does not fit its column as NULL instead of rejecting its record. A record that is not JSON, or \
     that leaves a NOT NULL column without a value, is rejected all the same, and kept among the rejected rows.",
);
const FAIL_ON_MISSING: OptionSpec = OptionSpec::new(
    "json.fail-on-missing-field",
    OptionKind::Bool,
    "false",
    "Reject a record that lacks a column's field. Otherwise the column is NULL.",
);
const TIMESTAMP_FORMAT: OptionSpec = OptionSpec::new(
    "json.timestamp-format.standard",
    OptionKind::OneOf(&["SQL", "ISO-8601"]),
    "SQL",
    "How times are written: '2024-01-31 10:00:00.123' or '2024-01-31T10:00:00.123', with a 'Z' after a TIMESTAMP_LTZ. \
     Both are read, whatever this says.",
);
const NULL_KEY_MODE: OptionSpec = OptionSpec::new(
    "json.map-null-key.mode",
    OptionKind::OneOf(&["FAIL", "DROP", "LITERAL"]),
    "FAIL",
    "What to write for a NULL key of a MAP: fail, leave the entry out, or write 'json.map-null-key.literal'.",
);
const NULL_KEY_LITERAL: OptionSpec = OptionSpec::new(
    "json.map-null-key.literal",
    OptionKind::Text,
    "null",
    "What stands for a NULL key where 'json.map-null-key.mode' is 'LITERAL'.",
);
const PLAIN_DECIMAL: OptionSpec = OptionSpec::new(
    "json.encode.decimal-as-plain-number",
    OptionKind::Bool,
    "false",
    "Write a very small DECIMAL as 0.000000027 instead of 2.7E-8.",
);
const IGNORE_NULL: OptionSpec = OptionSpec::new(
    "json.encode.ignore-null-fields",
    OptionKind::Bool,
    "false",
    "Leave out fields that are NULL instead of writing null.",
);

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn doc(&self) -> &'static str {
        "A JSON object a line. Fields are found by name (the same name, else the only one that differs in case alone); \
         a missing one is NULL, an unknown one is skipped, and of one that is there twice the last counts."
    }

    fn finds_fields_by_name(&self) -> bool {
        true
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[
            IGNORE_PARSE_ERRORS,
            FAIL_ON_MISSING,
            TIMESTAMP_FORMAT,
            NULL_KEY_MODE,
            NULL_KEY_LITERAL,
            PLAIN_DECIMAL,
            IGNORE_NULL,
        ]
    }

    fn decoder(&self, schema: &SchemaRef, projection: &[usize], options: &OptionValues) -> Result<Box<dyn Decoder>> {
        let rules = Rules {
            ignore_errors: options.bool(&IGNORE_PARSE_ERRORS)?,
            fail_on_missing: options.bool(&FAIL_ON_MISSING)?,
        };
        if rules.ignore_errors && rules.fail_on_missing {
            return Err(Error::statement(format!(
                "options '{}' and '{}' exclude each other",
                IGNORE_PARSE_ERRORS.name, FAIL_ON_MISSING.name
            )));
        }
        Ok(Box::new(decode::JsonDecoder::new(schema, projection, rules)?))
    }

    fn encoder(&self, schema: &SchemaRef, options: &OptionValues) -> Result<Box<dyn Encoder>> {
        let specs = [TIMESTAMP_FORMAT, PLAIN_DECIMAL, IGNORE_NULL, NULL_KEY_MODE, NULL_KEY_LITERAL];
        Ok(Box::new(encode::JsonEncoder::new(schema, style(options, &specs)?)?))
    }

    fn infer_schema(&self, sample: &[u8], _options: &OptionValues) -> Result<SchemaRef> {
        infer::infer(sample)
    }
}

/// How values are written, by the options `[time format, plain decimals, no NULLs, NULL keys, their literal]`.
pub(crate) fn style(options: &OptionValues, specs: &[OptionSpec; 5]) -> Result<Style> {
    let [timestamp_format, plain_decimal, ignore_null, null_key_mode, null_key_literal] = specs;
    Ok(Style {
        look: Look {
            separator: if options.one_of(timestamp_format)? == Some("ISO-8601") { b'T' } else { b' ' },
            plain_decimal: options.bool(plain_decimal)?,
        },
        ignore_null: options.bool(ignore_null)?,
        null_keys: match options.one_of(null_key_mode)? {
            Some("DROP") => NullKeys::Drop,
            Some("LITERAL") => NullKeys::Literal(options.text(null_key_literal).unwrap_or("null").to_owned()),
            _ => NullKeys::Fail,
        },
    })
}
