//! From SQL text to a stream plan: the dialect, the catalog, and how a query is lowered.
//!
//! This crate parses and plans. It runs nothing, and knows neither the dataflow nor any connector.

pub mod catalog;
pub mod lower;
pub mod parser;
pub mod windows;
