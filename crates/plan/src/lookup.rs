//! Lookup joins: rows leave the dataflow, are joined with what a table holds now, and come back in their order.

use std::fmt::Write;
use std::sync::Arc;

use datafusion_expr::LogicalPlan;
use tidemill_core::Micros;
use tidemill_core::lookup::Lookup;

use crate::graph::{Node, NodeId, StreamPlan};
use crate::op::Expr;

/// Each row with the rows of a table that have its key at the time of processing: the source of the joined rows. The rows
/// that ask are collected by a sink ([`SinkTarget::Ask`](crate::op::SinkTarget::Ask)); what comes back has their columns and
/// then those of the table.
///
/// Lookups are done at the rim, between epochs: to the dataflow the answers are input, as any other. A NULL in a key finds
/// nothing.
#[derive(Debug, Clone)]
pub struct LookupJoinOp {
    /// The sink of the rows that ask.
    pub asks: NodeId,
    /// What is asked.
    pub table: LookupTable,
    /// The columns of the asking row, and the columns of the table's rows that equal them.
    pub keys: Vec<(usize, usize)>,
    /// Whether a row for which there is nothing is put out with NULLs.
    pub outer: bool,
    /// What else has to be true of a pair, over the output columns.
    pub residual: Option<Expr>,
}

/// What a lookup join asks.
#[derive(Debug, Clone)]
pub enum LookupTable {
    /// A query over tables that end, answered whole by DataFusion, and again when its tables have changed.
    Whole {
        /// The query.
        plan: Arc<LogicalPlan>,
        /// How often its tables are looked at, by the epochs' clock.
        reload: Micros,
    },
    /// A table that answers by key. It is asked for the columns of [`LookupJoinOp::keys`], in their order.
    ByKey {
        /// The table.
        lookup: Arc<dyn Lookup>,
        /// How often a lookup that fails is tried again.
        retries: u64,
        /// Whether rows whose lookup fails for good are taken to have found nothing; else the query stops.
        null_on_error: bool,
    },
}

/// What it does, in the names of its columns.
pub(crate) fn detail(plan: &StreamPlan, node: &Node, name: &str, op: &LookupJoinOp) -> String {
    let asks = &plan.node(op.asks).edge.schema;
    let own = asks.fields().len();
    let keys =
        op.keys.iter().map(|(l, r)| format!("{} = {}", asks.field(*l).name(), node.edge.schema.field(own + r).name()));
    let kind = if op.outer { "left" } else { "inner" };
    let mut text = format!("{kind} {name} on=[{}]", keys.collect::<Vec<_>>().join(", "));
    if let Some(residual) = &op.residual {
        let _ = write!(text, " if={residual}");
    }
    text.push_str(match &op.table {
        LookupTable::Whole { .. } => " read whole",
        LookupTable::ByKey { .. } => " asked by key",
    });
    text
}
