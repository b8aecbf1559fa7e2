//! The history of a table that changes: what it is, what it keeps, how it is printed.

use crate::graph::Node;
use crate::op::OnError;
use crate::state::StateBound;

/// The column of a history that counts its changes: of two changes of a key at one time the greater came later.
pub const ORDER: &str = "__history_order";
/// The column of a history that says whether the row is gone from its time on.
pub const GONE: &str = "__history_gone";

/// Every version that the rows of a table of changes ever had, as rows that stay: what is joined `FOR SYSTEM_TIME AS OF`.
///
/// Output columns: those of the source, then [`ORDER`] and [`GONE`]. An insertion is a version from its event time on. A
/// deletion is the row that it found once more, gone from the time of the deletion on: its own, but not before that of the row
/// it found, nor before what the watermark of its split had reached, since everything before that has been promised.
/// What an update says of the row before says nothing here: the row after it ends that version.
#[derive(Debug, Clone)]
pub struct HistoryOp {
    /// The columns of the `PRIMARY KEY`.
    pub key: Vec<usize>,
    /// The event-time column.
    pub event_time: usize,
    /// What becomes of the deletion of a row that was never inserted.
    pub on_error: OnError,
}

/// What it does, in the names of its columns.
pub(crate) fn detail(node: &Node, op: &HistoryOp) -> String {
    let name = |column: usize| node.edge.schema.field(column).name().as_str();
    let key: Vec<_> = op.key.iter().map(|k| name(*k)).collect();
    format!("of {} by {}", key.join(", "), name(op.event_time))
}

/// What it keeps.
pub(crate) fn state() -> StateBound {
    StateBound::Watermark {
        keeps: "the row of each PRIMARY KEY of the table".into(),
        until: "the table's changes delete it".into(),
    }
}
