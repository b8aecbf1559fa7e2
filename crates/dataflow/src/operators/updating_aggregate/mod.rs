//! Aggregates by group, kept up to date: one retraction and one insertion for each group that an epoch changed.
//!
//! Two steps. On each worker the rows of an epoch are aggregated into partial states; these meet by key, and are merged into
//! what is kept. A result that is wanted only at the end of the input is not kept up to date: [`tables`] alone, one or two
//! of them, hold one table until then.
//!
//! Read in this order: [`expiry`] (when a group is over), [`tables`] (the first step), [`changes`] (from old and new
//! results to a delta), [`merge`] (the second step).

pub mod changes;
pub mod expiry;
pub mod merge;
pub mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tidemill_core::Result;
use tidemill_plan::Node;
use tidemill_plan::op::{Emit, UpdatingAggregateOp};

use self::expiry::Expiry;
use self::merge::UpdatingMerge;
use self::tables::{Gives, Tables, Takes, When, partial_schema};
use crate::aggregate::Kernel;
use crate::graph::{Graph, Routing, StepId};

/// Adds the step, or the two steps, of an updating aggregation.
pub fn build(
    op: &UpdatingAggregateOp,
    node: &Node,
    input: StepId,
    _input_schema: &SchemaRef,
    graph: &mut Graph,
) -> Result<StepId> {
    let kernel = Arc::new(Kernel::try_new(&op.group, &op.aggregates)?);
    let (output, partial) = (node.edge.schema.clone(), partial_schema(&kernel));
    let keys = kernel.key_schema().fields().len();
    let by_key = if keys == 0 { Routing::ToOne } else { Routing::ByKey((0..keys).collect()) };
    let expiry = op.expire.as_ref().map(|e| Expiry::new(e, &op.group)).transpose()?;
    let at_end = op.emit == Emit::AtEnd || (op.emit == Emit::OnClose && op.expire.is_none());
    let tables = |takes: Takes, gives: Gives, when: When, schema: &SchemaRef| {
        let (kernel, expiry, schema) = (kernel.clone(), expiry.clone(), schema.clone());
        move || Ok(Box::new(Tables::new(&kernel, takes, gives, when, expiry.clone(), schema.clone())?) as Box<_>)
    };
    if at_end && graph.workers == 1 {
        let make = tables(Takes::Rows, Gives::Results, When::AtEnd, &output);
        return Ok(graph.add("UpdatingAggregate", node.id, vec![(input, Routing::Stay)], make));
    }
    let when = if at_end { When::AtEnd } else { When::EachEpoch };
    let make = tables(Takes::Rows, Gives::States, when, &partial);
    let first = graph.add("UpdatingAggregate partial", node.id, vec![(input, Routing::Stay)], make);
    if at_end {
        let make = tables(Takes::States, Gives::Results, When::AtEnd, &output);
        return Ok(graph.add("UpdatingAggregate", node.id, vec![(first, by_key)], make));
    }
    let emit = op.emit;
    Ok(graph.add("UpdatingAggregate", node.id, vec![(first, by_key)], move || {
        Ok(Box::new(UpdatingMerge::new(&kernel, emit, expiry.clone(), partial.clone(), output.clone())?))
    }))
}
