//! What the tests of the engine as a whole share: a stream run and a batch run of the same statement, side by side.

#[path = "conformance/mod.rs"]
pub mod conformance;
#[path = "law/mod.rs"]
pub mod law;
