//! The stream plan: what a continuous query does, said before it starts.
//!
//! A [`StreamPlan`] is a graph of [`Node`]s, inputs first. A node names its operator ([`StreamOp`]) with everything the
//! operator needs to know, and what its output edge carries ([`Edge`]). The SQL side builds it, the dataflow runs it,
//! and [`explain`] prints it.
//!
//! Read in this order: [`graph`] (the plan and its builder), [`op`] (every operator; those of [`source`] and [`join`] have a file of their own), [`window`] (the arithmetic of
//! windows), [`over`] (functions with `OVER`), [`as_of`], [`history`] and [`lookup`] (joins by time), [`retraction`] (which
//! aggregates follow a retraction by themselves), [`average`] and [`decimal`] (what a division of decimals gives), [`share`]
//! (when one node does for two), [`narrow`] (columns that need not be copied), [`contenders`] (rows that a join need not keep),
//! [`state`] (what bounds the state of each operator), [`unique`] (what tells rows apart), [`explain`] (the text of `EXPLAIN`).
//!
//! This crate runs nothing: it knows neither the dataflow, nor connectors, nor SQL text.

pub mod as_of;
pub mod average;
pub mod contenders;
pub mod decimal;
pub mod explain;
pub mod graph;
pub mod history;
pub mod join;
pub mod lookup;
pub mod narrow;
pub mod op;
pub mod over;
pub mod retraction;
pub mod share;
pub mod source;
pub mod state;
pub mod unique;
pub mod window;

pub use graph::{Edge, Node, NodeId, StreamPlan};
pub use op::StreamOp;
pub use window::{Window, WindowKind};
