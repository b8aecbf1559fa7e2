//! Plans of every kind of query, as `EXPLAIN` prints them.

mod batch_parts;
mod emissions;
mod fixture;
mod groupings;
mod refusals;
mod rows;
