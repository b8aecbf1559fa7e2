//! The catalog: tables, views and settings of a session.

pub mod table;

pub use table::{Column, ColumnKind, EventTimeColumn, StreamScan, Table, View};
