//! State that is looked up by key but kept in columns: what sessions and updating operators are built on.
//!
//! Read in this order: [`segments`] (rows of state in Arrow batches, addressed one by one), [`dictionary`] (group keys as
//! dense numbers), [`latest`] (the two together: the current row of each group), [`deadlines`] (what is over when the
//! watermark moves on).
//!
//! Nothing here knows what the columns mean: no aggregate, no window, no weight.

pub mod deadlines;
pub mod dictionary;
pub mod latest;
pub mod segments;
#[cfg(test)]
pub(crate) mod testing;

pub use deadlines::Deadlines;
pub use dictionary::KeyDictionary;
pub use latest::LatestRows;
pub use segments::{RowRef, Segments};
