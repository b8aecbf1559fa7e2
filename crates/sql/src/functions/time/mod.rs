//! Functions of dates and times.
//!
//! A `TIMESTAMP_LTZ` is read through the session's time zone, a `TIMESTAMP` as it stands.

pub(super) mod arithmetic;
pub(super) mod fields;
pub(super) mod format;
pub(super) mod now;
pub(super) mod parse;
pub(super) mod rounding;
mod unit;
