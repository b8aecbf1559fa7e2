//! The dataflow: operators, their state, and the step from one epoch to the next.
//!
//! Read in this order: [`operator`] (what an operator is), [`graph`] (steps and routing), [`aggregate`] (groups and
//! partial aggregates), [`operators`] (each of them).
//!
//! This crate performs no input or output, reads no clock, draws no random number and knows no runtime.

pub mod aggregate;
pub mod event_time;
pub mod graph;
pub mod operator;
pub mod operators;

pub use operator::{Cx, LateRows, Operator, StateSize};
