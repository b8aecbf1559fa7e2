//! From SQL text to a stream plan: the dialect, the catalog, and how a query is lowered.
//!
//! The way of a statement, and the order to read in:
//!
//! 1. [`parser`]: text becomes statements.
//! 2. [`catalog`], [`bind`], [`settings`]: what `CREATE`, `DROP` and `SET` change, and the way to the connectors.
//! 3. [`session`]: a query becomes an optimised logical plan, with our [`functions`] and [`windows`]; `resolve` finds the
//!    names, `types`, `casts`, `compared`, `lengths`, `decimals` and `unnest` mean what Flink means by them, `set_all` keeps equal rows apart in set operations,
//!    `lateral` does on each row what is made of it alone, `single_row` guards subqueries that are used as values, `subqueries` makes joins of those that DataFusion does not,
//!    `rules` keeps some of its rules from harm, `error` puts its errors in our words.
//! 4. [`lower`]: logical plans become one stream plan. [`explain`] prints both.
//!
//! This crate parses and plans. It runs nothing, and knows neither the dataflow nor any connector.

pub mod parser;

pub mod bind;
pub mod catalog;
pub mod settings;

mod aggregates;
pub mod as_of;
mod casts;
mod compared;
mod decimals;
mod error;
mod error_types;
pub mod functions;
mod lateral;
mod lengths;
mod mixed_numbers;
mod resolve;
mod rules;
pub mod session;
mod set_all;
mod short_alias;
mod single_row;
mod subqueries;
mod types;
mod unnest;
pub mod windows;

pub mod explain;
pub mod lower;

#[cfg(test)]
mod tests;
