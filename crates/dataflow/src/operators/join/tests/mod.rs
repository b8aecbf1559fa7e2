//! The join operators alone, against a join by nested loops.

mod harness;
mod law;
mod pictures;
mod time;
mod work;
