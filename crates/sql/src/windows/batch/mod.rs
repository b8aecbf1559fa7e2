//! What window functions mean, in plain DataFusion: the batch answer that a streaming answer is held against.
//!
//! [`expand`] puts projections, lists and OVER functions where a plan has window functions; [`batch_plan`] puts tables that
//! are given in place of streams as well, and [`settled`] leaves no order open. The arithmetic is DataFusion's own and owes nothing to the operators', so that a
//! mistake in one shows against the other.

mod arithmetic;
mod expand;
mod session_arrival;
mod tables;
#[cfg(test)]
mod tests;
mod ties;

pub use expand::expand;
pub use tables::{batch_plan, given_name};
pub use ties::settled;
