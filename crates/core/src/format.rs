//! Formats of records: how bytes become columns and columns become bytes.
//!
//! A [`Format`] of separate records (lines of JSON or CSV, messages of a broker) decodes blocks of whole records. File
//! formats that hold their own structure (Parquet, Arrow IPC) are read by the connector that knows files.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;

use crate::delta::Delta;
use crate::error::Result;
use crate::option::{OptionSpec, OptionValues};
use crate::source::{RawRows, RejectedRow};

/// A way of writing records as bytes. One file, and one line in the registry.
pub trait Format: Send + Sync + fmt::Debug {
    /// The name in `'format' = '..'`.
    fn name(&self) -> &'static str;

    /// What it is, in one or two sentences, for the reference page.
    fn doc(&self) -> &'static str;

    /// Its options, with their prefix: `json.ignore-parse-errors`.
    fn options(&self) -> &'static [OptionSpec];

    /// Whether the fields of a `ROW` column are found by their names, so that a schema with fewer of them reads the same
    /// records.
    fn finds_fields_by_name(&self) -> bool {
        false
    }

    /// A decoder of the columns `projection` (indices into `schema`, ascending). A thread that decodes has one of its own.
    fn decoder(&self, schema: &SchemaRef, projection: &[usize], options: &OptionValues) -> Result<Box<dyn Decoder>>;

    /// The same for a table whose `PRIMARY KEY` are the columns `key` (indices into `schema`; empty without one). A format
    /// of changes may then read records that name no more than the key of a row that is gone. Other formats do not mind.
    fn keyed_decoder(
        &self,
        schema: &SchemaRef,
        _key: &[usize],
        projection: &[usize],
        options: &OptionValues,
    ) -> Result<Box<dyn Decoder>> {
        self.decoder(schema, projection, options)
    }

    /// Whether a record says what it does to a row: inserts it, changes it, takes it back. Then a table of this format is
    /// a log of changes, decoded blocks carry weights, and [`Encoder::encode_changes`] writes them.
    fn is_changelog(&self) -> bool {
        false
    }

    /// An encoder of rows of `schema`.
    fn encoder(&self, schema: &SchemaRef, options: &OptionValues) -> Result<Box<dyn Encoder>>;

    /// The length of the longest prefix of `bytes` that is whole records; 0 where not even the first is complete.
    ///
    /// A connector cuts a stream of bytes into blocks with it: `bytes` begins between records, the prefix goes to a
    /// [`Decoder`], and what is left is put before the bytes that come next. At the end of a file whatever is left is a
    /// block too (the last line may lack its newline). The default is for records that are lines: up to and including
    /// the last `\n`. A format whose records may hold newlines (CSV, within quotes) says otherwise.
    ///
    /// The cut never changes what is decoded: the same file in other blocks has the same records.
    fn whole_records(&self, bytes: &[u8], _options: &OptionValues) -> usize {
        bytes.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1)
    }

    /// How many bytes at the beginning of a file stand before its first record (a CSV header), where `bytes` is how the
    /// file begins and `schema` the columns of the table; `None` if `bytes` is too short to tell (at the end of the file: 0).
    ///
    /// A connector that reads files asks this once a file, also when it resumes in the middle of it; it does not hand
    /// these bytes to the decoder, but sets them as the [`Origin::head`] of every block of the file. So a block can
    /// be decoded by any thread, alone. A connector of separate messages does not ask.
    fn head_len(&self, _bytes: &[u8], _schema: &SchemaRef, _options: &OptionValues) -> Option<usize> {
        Some(0)
    }

    /// The columns found in `sample`, the beginning of the data, cut after a whole record.
    fn infer_schema(&self, sample: &[u8], options: &OptionValues) -> Result<SchemaRef>;
}

/// Where the bytes of a block stand, for messages.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The file, topic or the like.
    pub name: Arc<str>,
    /// Offset of the block's first byte in it.
    pub offset: u64,
    /// What stands before the first record of the file: see [`Format::head_len`]. Usually nothing.
    pub head: Bytes,
}

impl Origin {
    /// The place `offset` of `name`, a file without a head.
    pub fn new(name: impl Into<Arc<str>>, offset: u64) -> Self {
        Self { name: name.into(), offset, head: Bytes::new() }
    }

    /// The same, in a file that begins with `head`.
    #[must_use]
    pub fn with_head(mut self, head: Bytes) -> Self {
        self.head = head;
        self
    }
}

/// What became of a block.
#[derive(Debug)]
pub struct Decoded {
    /// The records that were right, in their order.
    pub batch: RecordBatch,
    /// For a format of changes: `1` for a row that is inserted, `-1` for one that is taken back. Absent: all inserted.
    pub weights: Option<Int64Array>,
    /// The records that were not.
    pub rejected: Vec<RejectedRow>,
    /// Finds the bytes behind a row of `batch`.
    pub raw: Arc<dyn RawRows>,
}

/// Turns blocks of whole records into columns. One bad record never affects its neighbours.
pub trait Decoder: Send {
    /// Decodes `block`, which begins and ends between records.
    fn decode(&mut self, block: &Bytes, origin: &Origin) -> Result<Decoded>;
}

/// Turns rows into bytes.
pub trait Encoder: Send {
    /// Appends the rows of `batch` to `out`, each a whole record.
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()>;

    /// Appends the changes of `delta`, for a format with [`Format::is_changelog`]. A retraction and the insertion right
    /// after it are an update where both have the same values in the columns `key` (never, without a key).
    fn encode_changes(&mut self, _delta: &Delta, _key: &[usize], _out: &mut Vec<u8>) -> Result<()> {
        Err(crate::Error::internal("a format that writes rows was handed changes"))
    }

    /// What stands before the first record of a file: a CSV header. Usually nothing.
    fn header(&self, _out: &mut Vec<u8>) {}
}
