//! The dataflow: operators, their state, and the step from one epoch to the next.
//!
//! Read in this order:
//!
//! 1. [`operator`]: what an operator is, and what the driver promises it.
//! 2. [`graph`]: steps and routing.
//! 3. [`operators`]: each of them.
//! 4. [`mod@dataflow`]: the step from one epoch to the next; [`exchange`] cuts deltas by key, [`contract`] watches operators.
//!
//! Beside them: [`aggregate`] (groups and partial aggregates), [`retraction`] (aggregates whose rows may be taken back),
//! [`event_time`] and [`expression`], which operators lean on;
//! [`ingest`] and [`changelog`], what the rim does to records.
//!
//! This crate performs no input or output, reads no clock, draws no random number and knows no runtime.

pub mod aggregate;
pub mod changelog;
pub mod contract;
mod crew;
pub mod dataflow;
pub mod event_time;
pub mod exchange;
pub mod expression;
pub mod graph;
pub mod ingest;
mod layout;
pub mod operator;
pub mod operators;
pub mod retraction;
pub mod split_watermarks;
#[cfg(test)]
mod testing;
mod worker;

pub use dataflow::{Config, Dataflow, EpochInput, EpochOutput, NodeRows, SourceFeed};
pub use ingest::{Ingest, Taken};
pub use operator::{Cx, LateRows, Operator, RejectedChanges, StateSize};
pub use split_watermarks::SplitWatermarks;
