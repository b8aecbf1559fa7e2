//! The catalog: tables, views and settings of a session.
//!
//! Read in this order: [`table`] (what a table is), [`system`] (the tables that are always there), [`store`] (the catalog),
//! `names` (how a name finds what it names), `relation` (a table as a query reads it), [`statements`] (the statements that
//! change or show the catalog), `show` (what they print).

pub(crate) mod names;
pub(crate) mod relation;
mod show;
pub mod statements;
pub mod store;
pub mod system;
pub mod table;

pub use statements::Outcome;
pub use store::{Catalog, Entry, View};
pub use system::{SYSTEM_SCHEMA, SystemTable};
pub use table::{Column, ColumnKind, EventTimeColumn, SinkFn, SourceFn, StreamScan, Table};
