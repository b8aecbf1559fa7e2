//! Answers the lookup joins of a running query, at the rim: between epochs, in batches, side by side with whatever else there
//! is to do.
//!
//! [`asker`] joins the rows that ask with what was found; [`whole`] is a table that is kept whole and read again when it has
//! changed. Nothing here is part of the dataflow: to that the answers are input.

mod asker;
mod whole;

pub(crate) use asker::Lookups;
