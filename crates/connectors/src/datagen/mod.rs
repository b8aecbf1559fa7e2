//! `'connector' = 'datagen'`: rows that are made up, with Flink's options.
//!
//! `connector` paces and cuts, `fields` reads `fields.NAME.*`, `scalar` and `nested` make the values.

mod connector;
mod fields;
mod nested;
mod scalar;

pub use connector::Datagen;
