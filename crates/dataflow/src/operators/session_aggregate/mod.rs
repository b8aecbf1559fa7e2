//! Aggregates by session: rows of a key with no more than a gap between neighbours.
//!
//! Two steps. On each worker the rows of an epoch are aggregated into micro-sessions; these meet by key, and become parts of
//! sessions that close with the watermark.
//!
//! Read in this order: [`arrivals`] (rows on their way in), [`cutter`] (rows to micro-sessions), [`partial`] (the first
//! step), [`store`] (micro-sessions to sessions), [`merge`] (the second step), [`bounds`] (the columns that name a session).
//! Sessions as rows share all but the two steps.

pub mod arrivals;
pub mod bounds;
pub mod cutter;
pub mod merge;
pub mod partial;
pub mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tidemill_core::{Error, Result};
use tidemill_plan::Node;
use tidemill_plan::op::{RowWindow, WindowAggregateOp};

use self::merge::SessionMerge;
use self::partial::{SessionPartial, partial_schema};
use crate::aggregate::Kernel;
use crate::graph::{Graph, Routing, StepId};

/// Adds the two steps. All group keys together are the partition.
pub fn build(
    op: &WindowAggregateOp,
    node: &Node,
    input: StepId,
    _input_schema: &SchemaRef,
    graph: &mut Graph,
) -> Result<StepId> {
    let window = match &op.window {
        RowWindow::ByTime(window) if window.is_session() => window.clone(),
        _ => return Err(Error::internal("a session aggregate without a session")),
    };
    if !op.group.sets.is_empty() {
        return Err(Error::unsupported("GROUPING SETS, CUBE or ROLLUP over SESSION without PARTITION BY columns")
            .with_hint("Name the columns that sessions are cut by in PARTITION BY of SESSION."));
    }
    let kernel = Arc::new(Kernel::try_new(&op.group, &op.aggregates)?);
    let schema = partial_schema(&kernel);
    let keys = kernel.key_schema().fields().len();
    let lateness = op.allowed_lateness;
    let first = {
        let (kernel, window, schema) = (kernel.clone(), window.clone(), schema.clone());
        graph.add("SessionAggregate partial", node.id, vec![(input, Routing::Stay)], move || {
            Ok(Box::new(SessionPartial::new(&kernel, window.clone(), lateness, schema.clone())?))
        })
    };
    let routing = if keys == 0 { Routing::ToOne } else { Routing::ByKey((0..keys).collect()) };
    let output = node.edge.schema.clone();
    Ok(graph.add("SessionAggregate", node.id, vec![(first, routing)], move || {
        Ok(Box::new(SessionMerge::new(&kernel, window.clone(), lateness, &schema, output.clone())?))
    }))
}
