//! Plans of every kind of query, as `EXPLAIN` prints them.

mod as_of_joins;
mod batch_parts;
mod changes;
mod emissions;
mod explained;
mod fields;
mod first_rows;
pub(crate) mod fixture;
mod groupings;
mod joins;
mod nested;
mod over;
mod refusals;
mod retractions;
mod rows;
mod sharing;
mod sql;
