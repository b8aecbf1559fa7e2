//! Lookups: a table that is asked for the rows of a key, while a query runs.
//!
//! What `JOIN t FOR SYSTEM_TIME AS OF o.proctime` reads. A source that can answer by key makes a [`Lookup`]; one that cannot,
//! but ends, is read whole and again when it has changed. The engine asks for many keys at once, puts answers back in the
//! order of the rows that asked, and holds the watermark until they are there.

use std::fmt;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;

use crate::error::Result;
use crate::option::{OptionKind, OptionSpec};

/// How often a table that is read whole is looked at for changes.
pub const LOOKUP_RELOAD: OptionSpec = OptionSpec::new(
    "lookup.full-cache.periodic-reload.interval",
    OptionKind::Duration,
    "1 s",
    "How often a table in a lookup join that is read whole is looked at for changes: its files, their sizes and when they were modified.",
);

/// How often a lookup that fails is tried again.
pub const LOOKUP_RETRIES: OptionSpec =
    OptionSpec::new("lookup.max-retries", OptionKind::Int, "3", "How often a lookup that fails is tried again.");

/// What becomes of rows whose lookup fails for good.
pub const LOOKUP_ON_ERROR: OptionSpec = OptionSpec::new(
    "lookup.on-error",
    OptionKind::OneOf(&["fail", "null"]),
    "fail",
    "What becomes of rows whose lookup has failed as often as `lookup.max-retries` says: the query stops, or they are joined as if the table had no row for them.",
);

/// What a query asks of a table, for each lookup the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupRequest {
    /// The columns that are asked by, as indices into the source's schema.
    pub keys: Vec<usize>,
    /// The columns wanted of each row, as indices into the source's schema.
    pub projection: Vec<usize>,
}

/// A table that answers by key.
#[async_trait]
pub trait Lookup: Send + Sync + fmt::Debug {
    /// The columns of its answers: those of [`LookupRequest::projection`].
    fn schema(&self) -> SchemaRef;

    /// The rows of each of `keys`, which are distinct and without NULL: one column for each of [`LookupRequest::keys`].
    ///
    /// An error of kind `External` may go away: the engine tries again as often as the table's options say.
    async fn look_up(&self, keys: &RecordBatch) -> Result<Found>;
}

/// Rows that were found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The rows.
    pub rows: RecordBatch,
    /// For each of them the row of `keys` that it belongs to; ascending.
    pub key: UInt32Array,
}
