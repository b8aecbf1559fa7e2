//! Tables that live in the program: rows that are there already, rows that are pushed, and the rows that a query refused.

pub mod kept;
pub mod memory;
pub mod push;
