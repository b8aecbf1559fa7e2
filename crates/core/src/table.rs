//! What `CREATE TABLE` said, as a connector needs to know it.

use arrow::datatypes::SchemaRef;

use crate::option::{OptionKind, OptionSpec, OptionValues};

/// A table that an outside system holds: the physical side of `CREATE TABLE`.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// The table's name, as written.
    pub name: String,
    /// The physical columns, in order: what a record holds. Computed columns are not here. A column that was declared
    /// `NOT NULL` is not nullable, and a record without it is rejected. `None` where the statement left the columns out:
    /// the connector is then asked to find them.
    pub schema: Option<SchemaRef>,
    /// `METADATA` columns: what the connector knows about a record beside its fields.
    pub metadata: Vec<MetadataColumn>,
    /// The columns of `PARTITIONED BY`, by name.
    pub partition_by: Vec<String>,
    /// The columns of `PRIMARY KEY`, by name.
    pub primary_key: Vec<String>,
    /// All of `WITH (..)`, `connector` included.
    pub options: OptionValues,
}

/// `name TYPE METADATA FROM 'key'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataColumn {
    /// The column's name in the table.
    pub name: String,
    /// The connector's name for it: one of those in [`Connector::metadata`](crate::source::Connector::metadata).
    pub key: String,
}

/// How the records of a table change it.
pub const CHANGELOG_MODE: OptionSpec = OptionSpec::optional(
    "changelog.mode",
    OptionKind::OneOf(&["append", "retract", "upsert"]),
    "How the records of the table change it. `append`: each is a row. `upsert` (needs a PRIMARY KEY): the last row of a key \
     counts, and one with NULL in all other columns deletes it. `retract`: what each does stands in \
     'changelog.operation-column'. Formats of changes such as `debezium-json` need not be told.",
);

/// The column that says what a record does.
pub const OPERATION_COLUMN: OptionSpec = OptionSpec::optional(
    "changelog.operation-column",
    OptionKind::Text,
    "The text column that says what a record does: `+I` or `+U` inserts a row, `-U` or `-D` takes it back (also `INSERT`, \
     `UPDATE_BEFORE`, `UPDATE_AFTER`, `DELETE`, `c`, `r`, `u`, `d`). Read, it is `+I`; written, it is filled in.",
);
