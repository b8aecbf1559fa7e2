//! Window functions: how they are written, what they mean, and what they are in batch.

pub mod batch;
pub mod node;

pub use node::{WINDOW_COLUMNS, WindowNode};
