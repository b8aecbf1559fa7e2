//! The law: what a query has put out, added up, is the batch answer, for every query and every cut of the input.
//!
//! A [`Case`] is made from a seed: rows (NULLs, duplicates, disorder, late ones), a query, and the same query for the batch
//! side, where rows are left out that are late by their own split. [`check`] runs it with many cuts and worker counts. A
//! failing case is shrunk to few rows before it is reported.
//!
//! A [`Composed`] case has no windows: operators over operators, three deep, over tables whose rows come and go, bounded or
//! without an end. It is shrunk in its query too.

mod case;
mod compare;
mod composed;
mod query;
mod relation;
pub mod rows;

pub use case::{Case, Disagreement, check, shrink};
pub use compare::rows_as_text;
pub use composed::{Composed, Verdict};
