//! From text to optimised plans, as pictures; over a connector of the tests' own.

mod altered;
mod errors;
mod fixture;
mod flink;
mod legacy;
mod names;
mod nexmark;
mod queries;
mod statements;
mod tables;
mod windows;
