//! Aggregates by group, kept up to date: one retraction and one insertion for each group that an epoch changed.
//!
//! Two steps. Where rows are never taken back, the rows of an epoch are aggregated on each worker into partial states; these
//! meet by key, and are merged into what is kept. A result that is wanted only at the end of the input is not kept up to
//! date: [`tables`] alone, one or two of them, hold one table until then. Where rows may be taken back, or values count once, they go to the worker
//! of their group as they are, and their aggregates follow: see [`retraction`](crate::retraction).
//!
//! Read in this order: [`expiry`] (when a group is over), [`tables`] or [`laid_out`] (the first step), [`changes`] (from old
//! and new results to a delta), [`states`] (what is kept: [`partial_states`] or [`changing_states`]), [`merge`] (the second
//! step).

pub mod changes;
pub mod changing_states;
pub mod expiry;
pub mod laid_out;
pub mod merge;
pub mod partial_states;
pub mod states;
pub mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tidemill_core::{ChangeMode, Result};
use tidemill_plan::Node;
use tidemill_plan::op::{Emit, UpdatingAggregateOp};

use self::changing_states::ChangingStates;
use self::expiry::Expiry;
use self::laid_out::LaidOut;
use self::merge::{UpdatingMerge, When};
use self::partial_states::PartialStates;
use self::tables::{Given, Gives, Tables, Takes, partial_schema};
use crate::aggregate::Kernel;
use crate::graph::{Graph, Routing, StepId};
use crate::retraction::RowLayout;

/// Adds the step, or the two steps, of an updating aggregation. `changes` is what may happen to the rows of the input.
pub fn build(
    op: &UpdatingAggregateOp,
    node: &Node,
    input: StepId,
    input_schema: &SchemaRef,
    changes: &ChangeMode,
    graph: &mut Graph,
) -> Result<StepId> {
    let kernel = Arc::new(Kernel::try_new(&op.group, &op.aggregates)?);
    let keys = kernel.key_schema().fields().len();
    let by_key = if keys == 0 { Routing::ToOne } else { Routing::ByKey((0..keys).collect()) };
    let expiry = op.expire.as_ref().map(|e| Expiry::new(e, &op.group)).transpose()?;
    let when = match op.emit {
        Emit::Changes { every } => When::Changed { every },
        Emit::OnClose if expiry.is_some() => When::Closed,
        Emit::OnClose | Emit::AtEnd => When::AtEnd,
    };
    let output = node.edge.schema.clone();
    // The one group of an aggregation without keys is always there.
    let ttl = op.ttl.filter(|_| keys > 0 && expiry.is_none());
    if op.follows_rows(changes) {
        let layout = RowLayout::try_new(&kernel, input_schema)?;
        let first = {
            let (kernel, layout, expiry) = (kernel.clone(), layout.clone(), expiry.clone());
            graph.add("UpdatingAggregate rows", node.id, vec![(input, Routing::Stay)], move || {
                Ok(Box::new(LaidOut::new(&kernel, &layout, expiry.clone())))
            })
        };
        let append = *changes == ChangeMode::Append;
        return Ok(graph.add("UpdatingAggregate", node.id, vec![(first, by_key)], move || {
            let states = ChangingStates::new(&kernel, &layout, append)?;
            Ok(Box::new(UpdatingMerge::new(&kernel, states, when, expiry.clone(), output.clone()).with_ttl(ttl)))
        }));
    }
    let partial = partial_schema(&kernel);
    let tables = |takes: Takes, gives: Gives, given: Given, schema: &SchemaRef| {
        let (kernel, expiry, schema) = (kernel.clone(), expiry.clone(), schema.clone());
        move || Ok(Box::new(Tables::new(&kernel, takes, gives, given, expiry.clone(), schema.clone())?) as Box<_>)
    };
    if when == When::AtEnd && graph.workers == 1 {
        let make = tables(Takes::Rows, Gives::Results, Given::AtEnd, &output);
        return Ok(graph.add("UpdatingAggregate", node.id, vec![(input, Routing::Stay)], make));
    }
    let given = if when == When::AtEnd { Given::AtEnd } else { Given::EachEpoch };
    let make = tables(Takes::Rows, Gives::States, given, &partial);
    let first = graph.add("UpdatingAggregate partial", node.id, vec![(input, Routing::Stay)], make);
    if when == When::AtEnd {
        let make = tables(Takes::States, Gives::Results, Given::AtEnd, &output);
        return Ok(graph.add("UpdatingAggregate", node.id, vec![(first, by_key)], make));
    }
    Ok(graph.add("UpdatingAggregate", node.id, vec![(first, by_key)], move || {
        let states = PartialStates::new(&kernel, partial.clone())?;
        Ok(Box::new(UpdatingMerge::new(&kernel, states, when, expiry.clone(), output.clone()).with_ttl(ttl)))
    }))
}
