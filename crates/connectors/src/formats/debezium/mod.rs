//! `debezium-json`: a record is a change of a row, as Debezium writes it and as Flink reads and writes it.
//!
//! `{"before": {..} or null, "after": {..} or null, "op": "c"}`, by itself or as the `payload` of an envelope that holds its
//! schema too. `c` and `r` (read in a snapshot) insert the row `after`, `d` takes back the row `before`, `u` does both.
//! A record that is `null`, a tombstone, says nothing that its deletion did not say.
//!
//! The records are read and written by the `json` format: `decode` takes its rows apart into changes, `encode` is the way
//! back. What a table with a `PRIMARY KEY` can do without: `before` of an update, and of a deletion all but the key.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use arrow::datatypes::SchemaRef;
use tidemill_core::format::{Decoder, Encoder, Format};
use tidemill_core::{Error, OptionKind, OptionSpec, OptionValues, Result};

use super::json::decode::Rules;
use super::json::style;

/// Changes of rows, as Flink's `debezium-json` format.
#[derive(Debug)]
pub struct DebeziumJson;

const SCHEMA_INCLUDE: OptionSpec = OptionSpec::new(
    "debezium-json.schema-include",
    OptionKind::Bool,
    "false",
    "The records are `{\"schema\": .., \"payload\": ..}`, as Debezium writes them where its converter includes schemas. Only \
     for reading.",
);
const IGNORE_PARSE_ERRORS: OptionSpec = OptionSpec::new(
    "debezium-json.ignore-parse-errors",
    OptionKind::Bool,
    "false",
    "As `json.ignore-parse-errors`, for the fields of `before` and `after`.",
);
const TIMESTAMP_FORMAT: OptionSpec = OptionSpec::new(
    "debezium-json.timestamp-format.standard",
    OptionKind::OneOf(&["SQL", "ISO-8601"]),
    "SQL",
    "As `json.timestamp-format.standard`.",
);
const NULL_KEY_MODE: OptionSpec = OptionSpec::new(
    "debezium-json.map-null-key.mode",
    OptionKind::OneOf(&["FAIL", "DROP", "LITERAL"]),
    "FAIL",
    "As `json.map-null-key.mode`.",
);
const NULL_KEY_LITERAL: OptionSpec =
    OptionSpec::new("debezium-json.map-null-key.literal", OptionKind::Text, "null", "As `json.map-null-key.literal`.");
const PLAIN_DECIMAL: OptionSpec = OptionSpec::new(
    "debezium-json.encode.decimal-as-plain-number",
    OptionKind::Bool,
    "false",
    "As `json.encode.decimal-as-plain-number`.",
);
const IGNORE_NULL: OptionSpec = OptionSpec::new(
    "debezium-json.encode.ignore-null-fields",
    OptionKind::Bool,
    "false",
    "As `json.encode.ignore-null-fields`. `before` and `after` are written all the same.",
);

impl Format for DebeziumJson {
    fn name(&self) -> &'static str {
        "debezium-json"
    }

    fn doc(&self) -> &'static str {
        "A change of a row a line: `{\"before\": {..}, \"after\": {..}, \"op\": \"u\"}`. `c` and `r` insert `after`, `d` takes back \
         `before`, `u` does both; `null` is passed over. With a PRIMARY KEY an update need not have `before`, and that of a \
         deletion no more than the key. Written, an update is `u` where the PRIMARY KEY of the table is the same before and \
         after, otherwise `d` and `c`."
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[
            SCHEMA_INCLUDE,
            IGNORE_PARSE_ERRORS,
            TIMESTAMP_FORMAT,
            NULL_KEY_MODE,
            NULL_KEY_LITERAL,
            PLAIN_DECIMAL,
            IGNORE_NULL,
        ]
    }

    fn decoder(&self, schema: &SchemaRef, projection: &[usize], options: &OptionValues) -> Result<Box<dyn Decoder>> {
        self.keyed_decoder(schema, &[], projection, options)
    }

    fn keyed_decoder(
        &self,
        schema: &SchemaRef,
        key: &[usize],
        projection: &[usize],
        options: &OptionValues,
    ) -> Result<Box<dyn Decoder>> {
        let rules = Rules { ignore_errors: options.bool(&IGNORE_PARSE_ERRORS)?, fail_on_missing: false };
        let envelope = options.bool(&SCHEMA_INCLUDE)?;
        Ok(Box::new(decode::DebeziumDecoder::new(schema, key, projection, envelope, rules)?))
    }

    fn is_changelog(&self) -> bool {
        true
    }

    fn encoder(&self, schema: &SchemaRef, options: &OptionValues) -> Result<Box<dyn Encoder>> {
        if options.bool(&SCHEMA_INCLUDE)? {
            return Err(Error::statement(format!("'{}' is for reading only", SCHEMA_INCLUDE.name))
                .with_hint("Leave it out of a table that is written."));
        }
        let specs = [TIMESTAMP_FORMAT, PLAIN_DECIMAL, IGNORE_NULL, NULL_KEY_MODE, NULL_KEY_LITERAL];
        Ok(Box::new(encode::DebeziumEncoder::new(schema, style(options, &specs)?)?))
    }

    fn infer_schema(&self, _sample: &[u8], _options: &OptionValues) -> Result<SchemaRef> {
        Err(Error::statement("the columns of a table of format 'debezium-json' cannot be found in its records")
            .with_hint("Write the columns in CREATE TABLE."))
    }
}
