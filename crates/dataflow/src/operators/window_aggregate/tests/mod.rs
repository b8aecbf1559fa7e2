//! The law for windows: whatever the cut and the number of workers, what was put out adds up to what a naive evaluation,
//! row by row, says.

mod cases;
mod harness;
mod law;
mod oracle;
