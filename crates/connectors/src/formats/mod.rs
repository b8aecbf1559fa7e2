//! Formats of records: lines of JSON, of CSV, or of nothing in particular.
//!
//! A format turns blocks of whole records into Arrow columns and back. It reads no files and knows no connector.
//!
//! - [`json`], [`csv`], [`raw`]: the formats, each with its options; [`debezium`]: changes, in JSON.
//! - `column`: columns being built, shared by the formats; `value`: numbers, decimals and times as text, both ways;
//!   `cell`: columns being written.
//! - `lines`: the raw records behind the rows; `fault`: why a record is rejected.
//!
//! A new format is a file here and a line in [`formats`].

mod cell;
mod column;
pub mod csv;
pub mod debezium;
mod fault;
pub mod json;
mod lines;
pub mod raw;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use fault::sql_type;
use tidemill_core::format::Format;
use tidemill_core::{Error, Result};

/// All formats of records.
pub fn formats() -> &'static [&'static dyn Format] {
    &[&json::Json, &csv::Csv, &raw::Raw, &debezium::DebeziumJson]
}

/// The format of this name.
pub fn format(name: &str) -> Result<&'static dyn Format> {
    formats().iter().copied().find(|f| f.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
        Error::statement(format!("there is no format '{name}'")).with_nearest(name, formats().iter().map(|f| f.name()))
    })
}
