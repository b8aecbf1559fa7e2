//! The catalog: tables, views and settings of a session.

pub mod system;
pub mod table;

pub use system::{SYSTEM_SCHEMA, SystemTable};
pub use table::{Column, ColumnKind, EventTimeColumn, SinkFn, SourceFn, StreamScan, Table};
