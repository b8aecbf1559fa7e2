//! Aggregates by window and group: TUMBLE, HOP, CUMULATE, and windows that stand in the rows.
//!
//! Read in this order: [`cut`] (where time is cut into panes), [`places`], [`shares`] and [`assign`] (from rows to panes,
//! and who is late), [`pane_aggregate`] (rows into panes, on each worker), [`partial`] (sealed panes on their way),
//! [`window_merge`] (panes into windows), with [`kept`] and [`correction`] (windows that may be corrected) and [`rolling`]
//! (windows that overlap), [`output`] (the columns of a result).
//!
//! One worker and windows that do not overlap: one step, in which nothing is ever sealed. Otherwise two: each worker fills
//! panes by itself, and only groups of closed panes are routed and merged.

mod assign;
mod correction;
mod cut;
mod kept;
mod output;
mod pane_aggregate;
mod partial;
mod places;
mod rolling;
mod shares;
#[cfg(test)]
mod tests;
mod window_merge;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tidemill_core::{Error, Result};
use tidemill_plan::Node;
use tidemill_plan::op::{RowWindow, WindowAggregateOp};

use crate::aggregate::Kernel;
use crate::graph::{Graph, Routing, StepId};
use assign::Assign;
use output::Output;
use pane_aggregate::{Done, PaneAggregate};
use window_merge::WindowMerge;

/// Adds the steps of `op` above `input`. Sessions have steps of their own.
pub fn build(
    op: &WindowAggregateOp,
    node: &Node,
    input: StepId,
    _input_schema: &SchemaRef,
    graph: &mut Graph,
) -> Result<StepId> {
    let window = match &op.window {
        RowWindow::ByTime(window) if window.is_session() => {
            return Err(Error::internal("a session window among those of fixed length"));
        }
        RowWindow::ByTime(window) | RowWindow::Attached { window, .. } => window,
    };
    let kernel = Arc::new(Kernel::try_new(&op.group, &op.aggregates)?);
    let assign = Assign::new(&op.window, op.allowed_lateness);
    let output = Output::new(node.edge.schema.clone(), window);
    let direct = graph.workers == 1 && assign.cut.is_whole() && op.allowed_lateness == 0;
    let done = match direct {
        true => Done::Result(output.clone()),
        false => Done::Sealed(partial::schema(&kernel)),
    };
    let routing = if graph.workers == 1 { Routing::Stay } else { partial::routing(&kernel) };
    let cut = assign.cut.clone();
    let panes = {
        let kernel = kernel.clone();
        let make = move || Ok(Box::new(PaneAggregate::new(kernel.clone(), assign.clone(), done.clone())) as _);
        graph.add(node.op.name(), node.id, vec![(input, Routing::Stay)], make)
    };
    if direct {
        return Ok(panes);
    }
    let make = move || Ok(Box::new(WindowMerge::try_new(&kernel, &cut, output.clone())?) as _);
    Ok(graph.add("WindowMerge", node.id, vec![(panes, routing)], make))
}
