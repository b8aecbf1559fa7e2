//! `csv`: a record is a line of fields with something between them, as Flink's `csv` format.
//!
//! `records` finds fields and the ends of records, which quotes make harder than it looks; `decode` fills the columns,
//! `encode` is the way back, `infer` finds the columns of a sample.
//!
//! As with JSON, every declared column is checked, wanted by a query or not. A NULL is an empty field without quotes in
//! a column that is not STRING, or the text of `csv.null-literal` without quotes in any column.

mod decode;
mod encode;
mod infer;
mod records;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use arrow::datatypes::SchemaRef;
use tidemill_core::format::{Decoder, Encoder, Format};
use tidemill_core::{Error, OptionKind, OptionSpec, OptionValues, Result};

use super::column;
use records::{Dialect, Header};

/// Delimited text, as Flink's `csv` format.
#[derive(Debug)]
pub struct Csv;

const DELIMITER: OptionSpec = OptionSpec::new(
    "csv.field-delimiter",
    OptionKind::Text,
    ",",
    "The character between fields. '\\t' is a tab, '\\u0001' any other.",
);
const QUOTE: OptionSpec = OptionSpec::new(
    "csv.quote-character",
    OptionKind::Text,
    "\"",
    "The character around a field that holds delimiters or newlines.",
);
const NO_QUOTE: OptionSpec = OptionSpec::new(
    "csv.disable-quote-character",
    OptionKind::Bool,
    "false",
    "There are no quotes: the quote character is one like any other.",
);
const COMMENTS: OptionSpec =
    OptionSpec::new("csv.allow-comments", OptionKind::Bool, "false", "Skip lines that begin with '#'.");
const IGNORE_PARSE_ERRORS: OptionSpec = OptionSpec::new(
    "csv.ignore-parse-errors",
    OptionKind::Bool,
    "false",
    "Take a value that does not fit its column, and a field that is missing at the end, as NULL instead of rejecting the \
     record, and skip fields that are too many. A record with broken quotes, or without a value for a NOT NULL column, is \
     rejected all the same, and kept among the rejected rows.",
);
const NULL_LITERAL: OptionSpec = OptionSpec::optional(
    "csv.null-literal",
    OptionKind::Text,
    "The text, without quotes, that stands for NULL. An empty field is NULL anyway in columns that are not STRING; with '' it \
     is in those too.",
);
const ESCAPE: OptionSpec = OptionSpec::optional(
    "csv.escape-character",
    OptionKind::Text,
    "The character that takes the special meaning from the one after it. Within quotes, two quotes always mean one.",
);
const HEADER: OptionSpec = OptionSpec::new(
    "csv.header",
    OptionKind::OneOf(&["auto", "true", "false"]),
    "auto",
    "Whether the first record of a file names the columns, which are then found by name and not by place. 'auto': it does \
     if each of its fields is the name of a column. Written only with 'true'.",
);

impl Csv {
    fn dialect(&self, options: &OptionValues) -> Result<Dialect> {
        let dialect = Dialect {
            delimiter: character(&DELIMITER, options)?.unwrap_or(b','),
            quote: if options.bool(&NO_QUOTE)? { None } else { character(&QUOTE, options)? },
            escape: character(&ESCAPE, options)?,
            comments: options.bool(&COMMENTS)?,
            null_literal: options.text(&NULL_LITERAL).map(|t| t.as_bytes().to_vec()),
            ignore_errors: options.bool(&IGNORE_PARSE_ERRORS)?,
            header: match options.one_of(&HEADER)? {
                Some("true") => Header::Yes,
                Some("false") => Header::No,
                _ => Header::Auto,
            },
        };
        if dialect.quote == Some(dialect.delimiter) || dialect.escape == Some(dialect.delimiter) {
            return Err(Error::statement(format!("option '{}' is also the quote or escape character", DELIMITER.name)));
        }
        Ok(dialect)
    }
}

/// The one ASCII character that an option is.
fn character(spec: &OptionSpec, options: &OptionValues) -> Result<Option<u8>> {
    let Some(text) = options.text(spec) else { return Ok(None) };
    let code = match text {
        "\\t" => Some(u32::from(b'\t')),
        _ => match text.strip_prefix("\\u") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => {
                let mut chars = text.chars();
                chars.next().filter(|_| chars.next().is_none()).map(u32::from)
            }
        },
    };
    match code.and_then(|c| u8::try_from(c).ok()).filter(|c| c.is_ascii() && !matches!(c, b'\n' | b'\r')) {
        Some(c) => Ok(Some(c)),
        None => Err(Error::statement(format!("option '{}' is '{text}', which is not one ASCII character", spec.name))),
    }
}

/// Whether all columns can be in a line of text.
fn check_columns(schema: &SchemaRef) -> Result<()> {
    match schema.fields().iter().find(|f| column::scalar(f.data_type(), false).is_none()) {
        Some(field) => Err(column::unsupported("csv", field)),
        None => Ok(()),
    }
}

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn doc(&self) -> &'static str {
        "A line of fields with a delimiter between them, quoted where they hold one. Fields belong to the columns by their \
         place, or by name if the file has a header."
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[DELIMITER, QUOTE, NO_QUOTE, COMMENTS, IGNORE_PARSE_ERRORS, NULL_LITERAL, ESCAPE, HEADER]
    }

    fn decoder(&self, schema: &SchemaRef, projection: &[usize], options: &OptionValues) -> Result<Box<dyn Decoder>> {
        check_columns(schema)?;
        Ok(Box::new(decode::CsvDecoder::new(schema, projection, self.dialect(options)?)?))
    }

    fn encoder(&self, schema: &SchemaRef, options: &OptionValues) -> Result<Box<dyn Encoder>> {
        check_columns(schema)?;
        Ok(Box::new(encode::CsvEncoder::new(schema.clone(), self.dialect(options)?)))
    }

    fn whole_records(&self, bytes: &[u8], options: &OptionValues) -> usize {
        match self.dialect(options) {
            Ok(dialect) => dialect.whole_records(bytes),
            // The decoder says what is wrong with the options.
            Err(_) => memchr::memrchr(b'\n', bytes).map_or(0, |i| i + 1),
        }
    }

    fn head_len(&self, bytes: &[u8], schema: &SchemaRef, options: &OptionValues) -> Option<usize> {
        match self.dialect(options) {
            Ok(dialect) => dialect.head_len(bytes, schema, false),
            Err(_) => Some(0),
        }
    }

    fn infer_schema(&self, sample: &[u8], options: &OptionValues) -> Result<SchemaRef> {
        infer::infer(sample, &self.dialect(options)?)
    }
}
