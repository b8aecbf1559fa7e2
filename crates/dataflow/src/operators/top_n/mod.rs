//! The first rows of each partition by an order: `ROW_NUMBER() <= n`, `RANK() <= n`, `ORDER BY .. LIMIT n`.
//!
//! A row is kept as bytes that compare as the order does, and whose end is the row itself; each partition is a sorted map
//! of them. The changes of an epoch are sorted in the same way, and one walk over both finds what an epoch changed in the
//! result: nothing that was put out has to be remembered. Over insertions alone a row that can no longer come into the
//! range is let go, and one that is behind all that are kept is dropped by a look at its order.
//!
//! Read in this order: [`encode`] (rows as bytes), [`ranking`] (from old and new rows of a partition to changes of the
//! result), [`pending`] (the changes of an epoch), [`partition`], [`closing`] (windows that are over), [`output`] (bytes as
//! rows), [`operator`].
//!
//! Not for a general `OVER`, which puts out every row.

pub mod closing;
pub(super) mod encode;
mod operator;
pub(super) mod output;
mod partition;
pub(super) mod pending;
pub mod ranking;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tidemill_core::Result;
use tidemill_plan::Node;
use tidemill_plan::op::TopNOp;

use crate::graph::{Graph, Routing, StepId};
pub use operator::TopN;

/// Adds the step: rows of a partition meet on one worker. Where all rows are one partition and none is taken back, each
/// worker first leaves out those that are not even among the first of its own.
pub fn build(
    op: &TopNOp,
    node: &Node,
    input: StepId,
    input_schema: &SchemaRef,
    append: bool,
    graph: &mut Graph,
) -> Result<StepId> {
    let (schema, output) = (Arc::clone(input_schema), Arc::clone(&node.edge.schema));
    let mut input = input;
    if op.partition_by.is_empty() && append && graph.workers > 1 && op.last.is_some() {
        let (op, schema) = (op.clone(), Arc::clone(&schema));
        input = graph.add("TopN local", node.id, vec![(input, Routing::Stay)], move || {
            Ok(Box::new(TopN::local(&op, Arc::clone(&schema))?))
        });
    }
    let routing = match op.partition_by.is_empty() {
        true => Routing::ToOne,
        false => Routing::ByKey(op.partition_by.clone()),
    };
    let op = op.clone();
    Ok(graph.add(node.op.name(), node.id, vec![(input, routing)], move || {
        Ok(Box::new(TopN::new(&op, Arc::clone(&schema), Arc::clone(&output), append)?))
    }))
}
