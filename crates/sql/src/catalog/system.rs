//! The tables that are always there: `tidemill.late_rows` and `tidemill.rejected_rows`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::logical_expr::TableSource;

/// The schema that the tables of the engine itself live in.
pub const SYSTEM_SCHEMA: &str = "tidemill";

/// The whole name of the table of late rows.
pub const LATE_ROWS: &str = "tidemill.late_rows";
/// The whole name of the table of rejected rows.
pub const REJECTED_ROWS: &str = "tidemill.rejected_rows";

/// The columns of `tidemill.late_rows`.
pub fn late_rows_schema() -> SchemaRef {
    SystemTable::LateRows.columns()
}

/// The columns of `tidemill.rejected_rows`.
pub fn rejected_rows_schema() -> SchemaRef {
    SystemTable::RejectedRows.columns()
}

/// A table that the dataflow of a pipeline fills by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SystemTable {
    /// `tidemill.late_rows`: what the window operators refused.
    LateRows,
    /// `tidemill.rejected_rows`: what the sources could not take in.
    RejectedRows,
}

impl SystemTable {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::LateRows, Self::RejectedRows];

    /// Its name within the schema `tidemill`.
    pub fn name(self) -> &'static str {
        match self {
            Self::LateRows => "late_rows",
            Self::RejectedRows => "rejected_rows",
        }
    }

    /// Its whole name.
    pub fn full_name(self) -> &'static str {
        match self {
            Self::LateRows => LATE_ROWS,
            Self::RejectedRows => REJECTED_ROWS,
        }
    }

    /// Its columns.
    pub fn columns(self) -> SchemaRef {
        let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let wall = DataType::Timestamp(TimeUnit::Microsecond, None);
        let fields = match self {
            Self::LateRows => vec![
                Field::new("source", DataType::Utf8, true),
                Field::new("operator", DataType::Utf8, false),
                Field::new("event_time", instant.clone(), true),
                Field::new("watermark", instant, true),
                Field::new("window_end", wall, true),
                Field::new("row", DataType::Utf8, true),
            ],
            Self::RejectedRows => vec![
                Field::new("source", DataType::Utf8, false),
                Field::new("split", DataType::Utf8, true),
                Field::new("position", DataType::Utf8, true),
                Field::new("reason", DataType::Utf8, false),
                Field::new("raw", DataType::Binary, true),
                Field::new("text", DataType::Utf8, true),
            ],
        };
        Arc::new(Schema::new(fields))
    }
}

impl TableSource for SystemTable {
    fn schema(&self) -> SchemaRef {
        self.columns()
    }
}
