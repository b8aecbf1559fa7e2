//! Window functions: how they are written, what they mean, and what they are in batch.

pub(crate) mod arrival;
pub mod batch;
pub(crate) mod legacy;
pub mod node;
pub(crate) mod planner;
pub(crate) mod range_offset;

pub use node::{WINDOW_COLUMNS, WindowNode};
