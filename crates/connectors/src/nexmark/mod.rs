//! `'connector' = 'nexmark'`: the events of the Nexmark benchmark, an auction site: people, auctions, and bids, 1 : 3 : 46.
//!
//! Each event is a function of the seed and its number, so it is the same in whatever batch, and columns that nobody wants are
//! never made. Fields, proportions and distributions are those of the public benchmark; see
//! `docs/decisions/0004-nexmark-generator.md` for why this is no outside crate.
//!
//! - `config`: the numbers of the benchmark; which event is what, and when; `options`: the same in `WITH (..)`.
//! - `person`, `auction`, `bid`: the columns of each; `letters`: their texts.
//! - `table`: the columns of a table, and which of the above they are; `connector`: the reader.
//! - [`bids`], [`events`], ...: the same in memory, for benches and tests.

mod auction;
mod bid;
mod config;
mod connector;
mod letters;
mod memory;
mod options;
mod person;
mod table;

pub use connector::Nexmark;
pub use memory::{auctions, bids, events, people};
