//! One row of each key over insertions: the first that came, the last that came, or the first by an order of few bytes.
//!
//! What ranks need a sorted map for is here a number a key: rows stay in columns, and a row that is not its key's is
//! dropped by one comparison. The first row that came is put out at once and forgotten; only its key is kept.
//!
//! Never takes in retractions: those need every row, and are for [`top_n`](super::top_n).

mod arrived;
mod best;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tidemill_core::Result;
use tidemill_plan::Node;
use tidemill_plan::op::{DeduplicateOp, Keep};

use crate::graph::{Graph, Routing, StepId};
pub use arrived::FirstArrived;
pub use best::Best;

/// Adds the step: rows with equal keys meet on one worker.
pub fn build(
    op: &DeduplicateOp,
    node: &Node,
    input: StepId,
    input_schema: &SchemaRef,
    graph: &mut Graph,
) -> Result<StepId> {
    let (op, schema) = (op.clone(), Arc::clone(input_schema));
    let routing = Routing::ByKey(op.keys.clone());
    Ok(graph.add(node.op.name(), node.id, vec![(input, routing)], move || {
        Ok(match op.keep {
            Keep::FirstArrived => Box::new(FirstArrived::new(&op, &schema)?),
            _ => Box::new(Best::new(&op, Arc::clone(&schema))?),
        })
    }))
}
