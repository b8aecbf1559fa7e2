//! The dialect: from text to statements.
//!
//! Everything stands on sqlparser's tokenizer and parser. Queries and expressions are sqlparser's own syntax tree;
//! what Flink SQL adds to them ([`forms`], [`finish`]) becomes ordinary nodes of that tree, so that nothing after the
//! parser knows it was there. Statements that sqlparser does not have ([`create_table`], `alter`, [`script`]) are ours.
//!
//! Nothing here knows which tables or functions exist.

mod alter;
mod array_of;
pub mod complete;
pub mod create_table;
mod define;
pub mod dialect;
mod distinct_on;
mod excludes;
mod fetch;
pub mod finish;
pub mod forms;
mod grouping_sets;
mod having;
mod headings;
mod hints;
mod insert;
pub mod interval;
mod joins;
mod json;
mod json_make;
mod named_windows;
mod ordered;
mod outer_aggregates;
pub mod own;
mod quantified;
mod refused;
mod row_compare;
mod row_in;
mod row_null;
pub mod rows;
pub mod script;
mod series;
pub mod set_operations;
mod share;
pub(crate) mod show;
pub mod source;
mod spellings;
pub mod statement;
mod steps;
pub mod substitute;
mod table_query;
pub mod type_names;
pub mod types;
pub mod using_alias;
mod values;
pub mod walk;

pub use complete::is_complete;
pub use script::parse;
pub use statement::{
    Alter, Change, ColumnDef, ColumnDefKind, CreateTable, CreateView, EmitClause, ExplainKind, Insert, LikeClause,
    Name, Position, Select, Show, Statement, StatementKind, WatermarkDef,
};
pub use substitute::substitute;

#[cfg(test)]
mod tests;
