//! The aggregation kernel that all aggregating operators share: groups and partial aggregates over Arrow columns.
//!
//! Read in this order: [`kernel`] (what is to be computed, and a batch's keys and arguments evaluated once),
//! [`grouping_sets`] (the keys of `GROUPING SETS`), [`groups`] (from keys to group numbers), [`number_groups`] (the same for one
//! key that is a number), [`accumulators`] (the
//! aggregates of all groups), [`one_each`] (functions without a form for many groups), [`ordered`] (functions that need
//! their rows in order), [`table`] (groups and accumulators together; sealing one gives a [`Segment`]).
//!
//! It is made of DataFusion's parts, so that every aggregate function of DataFusion works. Nothing here knows of windows,
//! time or epochs.

pub mod accumulators;
pub mod grouping_sets;
pub mod groups;
pub mod kernel;
mod number_groups;
pub mod one_each;
pub mod ordered;
pub mod table;

pub use accumulators::Accumulators;
pub use groups::Groups;
pub use kernel::{Inputs, Kernel};
pub use table::{Segment, Table};
