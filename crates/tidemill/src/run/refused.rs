//! Refused rows as tables: `tidemill.late_rows` and `tidemill.rejected_rows`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use tidemill_core::source::RejectedRow;
use tidemill_core::{Result, SplitId, json};
use tidemill_dataflow::{LateRows, RejectedChanges};
use tidemill_sql::catalog::system::SystemTable;

/// Late rows of one operator as rows of `tidemill.late_rows`. `source` names the tables that the operator reads.
pub(super) fn late(source: &str, operator: &str, late: &LateRows) -> Result<RecordBatch> {
    let rows = late.rows.num_rows();
    let instant =
        |a: &Int64Array| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from_iter(a.iter()).with_timezone("UTC")) };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(source, rows))),
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(operator, rows))),
        instant(&late.event_time),
        instant(&late.watermark),
        Arc::new(TimestampMicrosecondArray::from_iter(late.window_end.iter())),
        Arc::new(StringArray::from(json_lines(&late.rows)?)),
    ];
    Ok(RecordBatch::try_new(SystemTable::LateRows.columns(), columns)?)
}

/// Rejected records of one split as rows of `tidemill.rejected_rows`.
pub(super) fn rejected(source: &str, split: &SplitId, rejected: &[RejectedRow]) -> Result<RecordBatch> {
    let text = |f: &dyn Fn(&RejectedRow) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rejected.iter().map(f)))
    };
    let columns: Vec<ArrayRef> = vec![
        text(&|_| source.to_string()),
        text(&|_| split.to_string()),
        text(&|r| r.position.to_string()),
        text(&|r| r.reason.clone()),
        Arc::new(BinaryArray::from_iter_values(rejected.iter().map(|r| r.raw.as_ref()))),
        text(&|r| String::from_utf8_lossy(&r.raw).into_owned()),
    ];
    Ok(RecordBatch::try_new(SystemTable::RejectedRows.columns(), columns)?)
}

/// Changes that took back rows which were not there, as rows of `tidemill.rejected_rows`. Where they stood is not known any
/// more: they are shown as the rows that they are.
pub(super) fn rejected_changes(source: &str, rejected: &RejectedChanges) -> Result<RecordBatch> {
    let rows = rejected.rows.num_rows();
    let same = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))) };
    let lines = json_lines(&rejected.rows)?;
    let columns: Vec<ArrayRef> = vec![
        same(source),
        Arc::new(StringArray::new_null(rows)),
        Arc::new(StringArray::new_null(rows)),
        same(&rejected.reason),
        Arc::new(BinaryArray::from_iter_values(lines.iter().map(String::as_bytes))),
        Arc::new(StringArray::from(lines.clone())),
    ];
    Ok(RecordBatch::try_new(SystemTable::RejectedRows.columns(), columns)?)
}

/// Each row as a line of JSON.
fn json_lines(rows: &RecordBatch) -> Result<Vec<String>> {
    let mut bytes = Vec::new();
    let mut writer = json::lines(&mut bytes);
    writer.write(rows)?;
    writer.finish()?;
    drop(writer);
    // The writer writes UTF-8, one line a row; a newline within a value is escaped.
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_string).collect())
}
