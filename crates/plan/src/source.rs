//! Where rows come from: tables, with their event time and their changes, and parts of a query that a batch run answers.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion_expr::LogicalPlan;
use tidemill_core::Micros;
use tidemill_core::source::Source;

use crate::graph::NodeId;
use crate::lookup::LookupJoinOp;
use crate::op::Expr;

/// Where the rows of a source node come from.
#[derive(Debug, Clone)]
pub enum SourceInput {
    /// A table of the catalog.
    Table(Arc<dyn Source>),
    /// `tidemill.late_rows`: what the window operators of this dataflow refused.
    LateRows,
    /// `tidemill.rejected_rows`: what the sources of this dataflow could not take in.
    RejectedRows,
    /// The answer of a batch run over inputs that have ended. See [`AtEnd`].
    AtEnd(AtEnd),
    /// Rows of the dataflow, joined at the rim with what a table holds.
    Lookup(Box<LookupJoinOp>),
}

/// A part of the query without an incremental form, over bounded inputs: its inputs are collected by sinks
/// ([`SinkTarget::Collect`](crate::op::SinkTarget::Collect)), and when all of them have ended DataFusion answers it once.
#[derive(Debug, Clone)]
pub struct AtEnd {
    /// The part of the query. Its inputs are scans of tables named as in `inputs`.
    pub plan: Arc<LogicalPlan>,
    /// The name of each input in `plan`, and the sink node that collects its rows.
    pub inputs: Vec<(String, NodeId)>,
}

/// Reads a table.
#[derive(Debug, Clone)]
pub struct SourceOp {
    /// The table's name, as written in `CREATE TABLE`.
    pub name: String,
    /// Where the rows come from.
    pub input: SourceInput,
    /// The columns to decode, as indices into the source's schema, ascending. The output has these columns, and then
    /// the event-time column if that is computed.
    pub projection: Vec<usize>,
    /// Event time and watermark, if the table declares them.
    pub event_time: Option<EventTime>,
    /// A split without rows for this long does not hold the watermark back. `None`: never.
    pub idle_timeout: Option<Micros>,
    /// What becomes of a record that cannot be taken in.
    pub on_error: OnError,
    /// For a table whose records are changes: how they change it. A [`NormalizeOp`] is then above it.
    pub changelog: Option<Changelog>,
}

/// How the records of a table that is a log of changes change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changelog {
    /// The columns of the source's output that are the table's `PRIMARY KEY`: the last row of a key is the one that
    /// counts, and a deletion need not know more than the key. Empty: rows are told apart by all their columns.
    pub key: Vec<usize>,
    /// What says whether a row is inserted or taken back.
    pub kind: ChangeKind,
}

/// What says whether a row of a [`Changelog`] is inserted or taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    /// The weights that come with the rows from the source.
    Weights,
    /// A text column of the source's output: `+I`, `-U`, `+U`, `-D` and other names for them. It reads `+I` afterwards, since
    /// the rows that are there were inserted.
    Operation(usize),
    /// A row that is NULL in all these columns deletes the row of its key.
    Tombstone(Vec<usize>),
}

impl Changelog {
    /// The columns of the source as its records have them: a deletion may know no more than the key.
    pub fn readable(&self, schema: &SchemaRef) -> SchemaRef {
        if self.key.is_empty() {
            return Arc::clone(schema);
        }
        let field = |(i, f): (usize, &FieldRef)| match self.key.contains(&i) || f.is_nullable() {
            true => Arc::clone(f),
            false => Arc::new(f.as_ref().clone().with_nullable(true)),
        };
        Arc::new(Schema::new(schema.fields().iter().enumerate().map(field).collect::<Vec<_>>()))
    }
}

/// What becomes of a record that cannot be decoded or has no event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// Kept in `tidemill.rejected_rows` and counted.
    Reject,
    /// The query stops with the reason.
    Fail,
}

/// The event time of a source and how far it may be out of order.
#[derive(Debug, Clone)]
pub struct EventTime {
    /// The column in the source's output. Rows with NULL in it are rejected.
    pub column: usize,
    /// For a computed column: its field, and its expression over the decoded columns; the value becomes the output's
    /// last column. `None` where the column is decoded.
    pub computed: Option<(FieldRef, Expr)>,
    /// The watermark after a row is the running maximum of this.
    pub watermark: WatermarkExpr,
    /// The declaration's text, for people: `ts - INTERVAL '5' SECOND`.
    pub text: String,
}

/// `WATERMARK FOR ts AS ..`.
#[derive(Debug, Clone)]
pub enum WatermarkExpr {
    /// `ts - delay`, by far the most common: no expression is evaluated.
    Delay(Micros),
    /// Anything else: over the source's output columns, a timestamp; NULL leaves the watermark where it is.
    Expr(Expr),
}
