//! Sources: where rows come from.
//!
//! A [`Connector`] is one outside system. It makes a [`Source`] of a table; a source has splits; a [`SplitReader`] hands
//! over the rows of one split, in that split's order, as decoded Arrow batches. Nothing here knows queries, watermarks
//! or time: the engine adds those.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{Field, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;

use crate::delta::ChangeMode;
use crate::error::{Error, Result};
use crate::lookup::{Lookup, LookupRequest};
use crate::option::OptionSpec;
use crate::sink::Sink;
use crate::table::TableSpec;

/// One outside system: files, a generator, a broker. One folder, and one line in the registry.
#[async_trait]
pub trait Connector: Send + Sync + fmt::Debug {
    /// The name in `'connector' = '..'`.
    fn name(&self) -> &'static str;

    /// What it is, in one or two sentences, for the reference page.
    fn doc(&self) -> &'static str;

    /// Its options, beside `connector` and those of the format.
    fn options(&self) -> &'static [OptionSpec];

    /// The metadata columns it can fill: name and type.
    fn metadata(&self) -> Vec<Field> {
        vec![]
    }

    /// The physical columns of a table whose statement left them out. An error says why they must be written.
    async fn infer_schema(&self, table: &TableSpec) -> Result<SchemaRef> {
        Err(Error::statement(format!(
            "table '{}' has no columns, and connector '{}' cannot find them out",
            table.name,
            self.name()
        ))
        .with_hint("Write the columns in CREATE TABLE."))
    }

    /// The table as something to read from. `table.schema` is present. Checks all options.
    fn source(&self, table: &TableSpec) -> Result<Arc<dyn Source>> {
        Err(Error::statement(format!("table '{}' cannot be read: connector '{}' only writes", table.name, self.name())))
    }

    /// The table as something to write to. `table.schema` is present. Checks all options.
    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn Sink>> {
        Err(Error::statement(format!(
            "table '{}' cannot be written: connector '{}' only reads",
            table.name,
            self.name()
        )))
    }
}

/// A unit of a source that has its own order, position and watermark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SplitId(pub Arc<str>);

impl fmt::Display for SplitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for SplitId {
    fn from(s: &str) -> Self {
        Self(s.into())
    }
}

/// Where a split is to resume: strictly after the last row taken in.
///
/// Text that only its connector reads, and that a person can make sense of: `logs/a.json:1048576`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position(pub Arc<str>);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Position {
    fn from(s: String) -> Self {
        Self(s.into())
    }
}

/// Which splits a source has, as known now.
#[derive(Debug, Clone, Default)]
pub struct Splits {
    /// All splits known now, those reported before included.
    pub splits: Vec<SplitId>,
    /// Whether there may be more later; the engine then asks again from time to time.
    pub more_later: bool,
}

/// What a query wants of a source.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// The columns wanted, as indices into the source's schema (physical columns, then metadata columns), ascending.
    /// The decoder skips all others. A column declared `NOT NULL` is checked even where it is not wanted.
    pub projection: Vec<usize>,
    /// About how many rows a piece should have.
    pub batch_rows: usize,
    /// How many threads the source may decode with.
    pub decode_threads: usize,
}

/// A table that rows can be read from.
#[async_trait]
pub trait Source: Send + Sync + fmt::Debug {
    /// The columns it can give: the physical ones, then the metadata ones.
    fn schema(&self) -> SchemaRef;

    /// Whether it ends by itself.
    fn bounded(&self) -> bool;

    /// Whether it is a live source, in which a silent split should not hold time back for ever. A bounded or replayed
    /// source is not.
    fn live(&self) -> bool {
        !self.bounded()
    }

    /// Which changes its records make. A record of any other mode than append may take a row back: its pieces then carry
    /// weights. Columns of [`ChangeMode::Upsert`] are indices into [`schema`](Self::schema); a row with a negative weight
    /// then deletes the row of its key, whatever stands in its other columns. All changes of a row (or key) are in one split.
    fn changes(&self) -> ChangeMode {
        ChangeMode::Append
    }

    /// The same source with fewer fields in its `ROW` columns: those of `schema`, which has the same columns otherwise. It
    /// then decodes the others no more. `None` where it reads rows as a whole.
    fn narrowed(&self, _schema: SchemaRef) -> Option<Arc<dyn Source>> {
        None
    }

    /// The table as something that answers by key, if it can; see [`Lookup`]. Checks the request.
    fn lookup(&self, _request: &LookupRequest) -> Result<Option<Arc<dyn Lookup>>> {
        Ok(None)
    }

    /// Something that changes whenever the rows of a table that ends do: names, sizes and times of files. `None` where nobody
    /// can tell without reading them; rows in memory never change, and give a constant.
    async fn version(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Its splits as known now.
    async fn splits(&self) -> Result<Splits>;

    /// Starts to read `split`, strictly after `from`, or at its beginning.
    async fn open(
        &self,
        split: &SplitId,
        from: Option<&Position>,
        request: &ReadRequest,
    ) -> Result<Box<dyn SplitReader>>;
}

/// Reads one split, in its order.
#[async_trait]
pub trait SplitReader: Send {
    /// The next rows; waits where there are none yet; `None` at the end of the split. May be dropped while it waits
    /// without losing a row.
    async fn next(&mut self) -> Result<Option<Piece>>;
}

/// Some consecutive rows of a split.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The decoded rows: the wanted columns, in the order of [`ReadRequest::projection`]. May be empty.
    pub batch: RecordBatch,
    /// Whether each row is inserted (`1`) or taken back (`-1`), and how often; absent where all are inserted once. In the
    /// order of the split: a row is taken back after it was inserted.
    pub weights: Option<Int64Array>,
    /// The records among them that could not be decoded.
    pub rejected: Vec<RejectedRow>,
    /// Where to resume to go on after these rows.
    pub position: Position,
    /// How many bytes of input this was, before decompression where that is known.
    pub bytes: u64,
    /// Finds the raw record behind a row of `batch`, for rows that turn out to be bad later (no event time).
    pub raw: Option<Arc<dyn RawRows>>,
}

/// The raw records behind the rows of a [`Piece`].
pub trait RawRows: Send + Sync + fmt::Debug {
    /// The record behind row `row`, and where it stands (`file:offset`).
    fn record(&self, row: usize) -> (Bytes, Position);
}

/// A record that could not be taken in, kept as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// The record's bytes, as they were read.
    pub raw: Bytes,
    /// Where it stands: file and byte offset, or what the connector has of the kind.
    pub position: Position,
    /// Why it was rejected: a sentence that names the field.
    pub reason: String,
}
