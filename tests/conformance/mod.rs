//! SQL conformance: sqllogictest files under `tests/slt`, whose tables are filled and changed by statements between the
//! queries.
//!
//! Read in this order: [`tables`] (tables as the log of the statements that made them), [`statement`] (what `INSERT`,
//! `DELETE` and `UPDATE` do to a table), [`bounded`] and [`standing`] (the ways in which a query is run), [`database`] (a
//! connection, as sqllogictest sees it), [`format`] (rows as text).
//!
//! Each file is run by two engines, so that a record can be marked for one of them (`skipif standing`):
//!
//! | engine | what a query is run as |
//! | --- | --- |
//! | `bounded` | DataFusion in one batch; a stream in one epoch; in tiny random cuts, on one worker and on three |
//! | `standing` | a query that was started before the first statement, over tables without an end: each statement is an epoch |
//!
//! All of them have to give the one answer that the file expects.

pub mod bounded;
pub mod database;
pub mod format;
pub mod standing;
pub mod statement;
pub mod tables;

use std::fmt;

/// Why a statement failed, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<tidemill::Error> for Failure {
    fn from(e: tidemill::Error) -> Self {
        Self(e.to_string())
    }
}

impl From<arrow::error::ArrowError> for Failure {
    fn from(e: arrow::error::ArrowError) -> Self {
        Self(e.to_string())
    }
}
