//! What `CREATE TABLE` said, as a connector needs to know it.

use arrow::datatypes::SchemaRef;

use crate::option::OptionValues;

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
