//! Tests of the engine as a whole, in one binary, since linking is slow.

mod as_of_joins;
mod changes;
mod changing_windows;
mod conformance;
mod determinism;
mod examples;
mod groups;
mod house;
mod joins;
mod law;
mod lookup_joins;
mod nexmark;
mod over;
mod relations;
mod statements;
mod top_n;
mod watch;
