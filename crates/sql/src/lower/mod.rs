//! Lowering: from DataFusion's logical plan to the stream plan.
//!
//! All queries of a file are lowered together into one [`StreamPlan`](tidemill_plan::StreamPlan): a table is read once,
//! whoever reads it, and a sub-plan that several queries have is run once. One file for each kind of node.
//!
//! Read in this order: [`lowering`] (the way of a plan, and the one list of nodes), [`relation`] (what is known of a lowered
//! node: where its columns stand and what they mean in time), `source` (what is read of a table stands in `source_read`), `changelog` (records that are changes), `filter`, `project`, `window`, `aggregate`, then the
//! rest. A node without an incremental form ends in [`refusal`]: over bounded tables `at_end` then lets DataFusion answer
//! that part once its inputs have ended; over unbounded tables the refusal is the error.
//!
//! Nothing here runs a query or knows an operator's inside.

pub mod lowering;
mod refusal;
mod relation;

mod aggregate;
mod arrival;
mod as_of_join;
mod at_end;
mod bounded;
pub mod changelog;
mod clock;
pub(crate) mod distinct_on;
mod emission;
mod express;
mod fields;
mod filter;
mod hold_back;
mod join;
mod join_time;
mod keys;
mod lookup_join;
mod over;
mod project;
mod ranked;
mod sink;
mod sort;
mod source;
pub mod source_read;
mod top_n;
mod union;
mod unnest;
mod updating_aggregate;
mod values;
mod warnings;
mod window;
mod window_aggregate;

#[cfg(test)]
pub(crate) mod tests;

pub use emission::Emission;
pub use lowering::{LowerOptions, Lowering, UnboundedState};
