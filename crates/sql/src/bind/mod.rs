//! Binding: from what a statement says of a table to a table.
//!
//! Read in this order: [`Connect`] (the way to the connectors, which this crate does not know), `create_table`, `like`, `alter`,
//! `options` (the options that are ours and not the connector's), `ddl` (a table as a statement again), `view`, `insert`.

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Field, SchemaRef};
use tidemill_core::Result;
use tidemill_core::table::TableSpec;

use crate::catalog::{SinkFn, SourceFn};

pub(crate) mod alter;
pub(crate) mod create_table;
pub(crate) mod ddl;
pub(crate) mod insert;
pub(crate) mod like;
pub mod options;
pub(crate) mod view;

/// The way from a table's options to its connector.
#[async_trait]
pub trait Connect: Send + Sync {
    /// Finds the connector that `spec` names, and what it knows of the table. Where `spec.schema` is `None`, the columns
    /// are found out.
    async fn connect(&self, spec: TableSpec) -> Result<Connected>;
}

/// A table as its connector sees it.
#[derive(Clone)]
pub struct Connected {
    /// The physical columns: as declared, or as they were found.
    pub schema: SchemaRef,
    /// The metadata columns that the connector can fill: its names for them, and their types.
    pub metadata: Vec<Field>,
    /// Makes the source. It is handed the table's spec, with the schema present.
    pub source: SourceFn,
    /// Makes the sink.
    pub sink: SinkFn,
}
