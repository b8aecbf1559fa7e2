//! Functions of strings. Positions count characters from 1.

pub(super) mod charset;
pub(super) mod coding;
pub(super) mod digest;
pub(super) mod joining;
pub(super) mod kinds;
mod pattern;
pub(super) mod regexp;
pub(super) mod searching;
pub(super) mod slicing;
pub(super) mod splitting;
pub(super) mod url;
