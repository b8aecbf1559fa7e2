//! The operators, one file each. The list in [`build`] is the place to read which node becomes which steps.

pub mod as_of_join;
pub mod changing_sessions;
pub mod compact;
pub mod contenders;
pub mod deduplicate;
pub mod filter;
pub mod history;
pub mod hold_back;
pub mod incoming;
pub mod join;
pub mod keyed_states;
pub mod no_time;
pub mod normalize;
pub mod number;
pub mod over;
pub mod processing_time;
pub mod project;
pub mod session_aggregate;
pub mod session_rows;
pub mod sink;
pub mod source;
pub mod temporal_sort;
pub mod top_n;
pub mod union;
pub mod unnest;
pub mod updating_aggregate;
pub mod values;
pub mod window_aggregate;
pub mod window_rows;

use std::sync::Arc;

use tidemill_core::{ChangeMode, Error, Result};
use tidemill_plan::op::RowWindow;
use tidemill_plan::{Node, StreamOp, StreamPlan};

use crate::graph::{Graph, Routing, StepId};
use crate::operator::Operator;

/// Adds the steps of `node` to `graph`, above the steps that end its `inputs`. Returns the step whose output is the node's.
pub fn build(plan: &StreamPlan, node: &Node, inputs: &[StepId], graph: &mut Graph) -> Result<StepId> {
    let held;
    let inputs = match inputs {
        // Windows over a time that no watermark speaks of close when the input ends.
        [input] if cuts_time(&node.op) && plan.node(node.inputs[0]).edge.event_time.is_none() => {
            let no_time = || Ok(Box::new(no_time::NoTime) as Box<dyn Operator>);
            held = [graph.add("NoTime", node.id, vec![(*input, Routing::Stay)], no_time)];
            &held
        }
        inputs => inputs,
    };
    let schema = Arc::clone(&node.edge.schema);
    let one = || match (&node.inputs[..], inputs) {
        ([from], [input]) => Ok((*input, &plan.node(*from).edge.schema)),
        _ => Err(Error::internal(format!("{} with {} inputs", node.op.name(), inputs.len()))),
    };
    match &node.op {
        StreamOp::Source(_) | StreamOp::Values(_) => {
            each(node, inputs, graph, move || source::Source::new(Arc::clone(&schema)))
        }
        StreamOp::Normalize(op) => {
            let (input, _) = one()?;
            normalize::build(op, node, input, graph)
        }
        StreamOp::History(op) => {
            let (input, _) = one()?;
            history::build(op, node, input, graph)
        }
        StreamOp::Compact(op) => {
            let (input, _) = one()?;
            compact::build(op, node, input, graph)
        }
        StreamOp::Filter(op) => {
            let (input, input_schema) = one()?;
            Ok(filter::build(op, node, input, input_schema, graph))
        }
        StreamOp::Project(exprs) => {
            let exprs = exprs.clone();
            each(node, inputs, graph, move || project::Project::new(&exprs, Arc::clone(&schema)))
        }
        StreamOp::Union => each(node, inputs, graph, move || union::Union::new(Arc::clone(&schema))),
        StreamOp::ProcessingTime => each(node, inputs, graph, || processing_time::ProcessingTime),
        StreamOp::Number => {
            let (input, _) = one()?;
            Ok(number::build(node, input, graph))
        }
        StreamOp::Unnest(op) => {
            let op = op.clone();
            each(node, inputs, graph, move || unnest::Unnest::new(op.clone(), Arc::clone(&schema)))
        }
        StreamOp::WindowRows(window) => {
            let window = window.clone();
            each(node, inputs, graph, move || window_rows::WindowRows::new(window.clone(), Arc::clone(&schema)))
        }
        StreamOp::SessionRows(op) => {
            let (input, input_schema) = one()?;
            match op.changing {
                true => changing_sessions::build(op, node, input, input_schema, graph),
                false => session_rows::build(op, node, input, input_schema, graph),
            }
        }
        StreamOp::WindowAggregate(op) => {
            let (input, input_schema) = one()?;
            match &op.window {
                RowWindow::ByTime(window) if window.is_session() => {
                    session_aggregate::build(op, node, input, input_schema, graph)
                }
                _ => window_aggregate::build(op, node, input, input_schema, graph),
            }
        }
        StreamOp::UpdatingAggregate(op) => {
            let (input, input_schema) = one()?;
            let changes = &plan.node(node.inputs[0]).edge.changes;
            updating_aggregate::build(op, node, input, input_schema, changes, graph)
        }
        StreamOp::TopN(op) => {
            let (input, input_schema) = one()?;
            let append = plan.node(node.inputs[0]).edge.changes == ChangeMode::Append;
            top_n::build(op, node, input, input_schema, append, graph)
        }
        StreamOp::Contenders(op) => Ok(contenders::build(op, node, inputs, graph)),
        StreamOp::Join(op) => match inputs {
            [left, right] => Ok(join::build(op, plan, node, [*left, *right], graph)),
            _ => Err(Error::internal(format!("Join with {} inputs", inputs.len()))),
        },
        StreamOp::AsOfJoin(op) => as_of_join::build(op, plan, node, inputs, graph),
        StreamOp::Over(op) => {
            let (input, input_schema) = one()?;
            let event_time = plan.node(node.inputs[0]).edge.event_time;
            over::build(op, node, input, input_schema, event_time, graph)
        }
        StreamOp::HoldBack(op) => {
            let (input, _) = one()?;
            Ok(hold_back::build(op, node, input, graph))
        }
        StreamOp::TemporalSort(keys) => {
            let (input, schema) = one()?;
            temporal_sort::build(keys, node, input, schema, graph)
        }
        StreamOp::Deduplicate(op) => {
            let (input, input_schema) = one()?;
            deduplicate::build(op, node, input, input_schema, graph)
        }
        StreamOp::Sink(_) => each(node, inputs, graph, move || sink::Sink::new(Arc::clone(&schema))),
    }
}

/// Whether an operator finds the window of a row by its time.
fn cuts_time(op: &StreamOp) -> bool {
    match op {
        StreamOp::WindowRows(_) | StreamOp::SessionRows(_) => true,
        StreamOp::WindowAggregate(op) => matches!(op.window, RowWindow::ByTime(_)),
        _ => false,
    }
}

/// One step for the whole node: each worker works on the rows it has.
fn each<O: Operator + 'static>(
    node: &Node,
    inputs: &[StepId],
    graph: &mut Graph,
    make: impl Fn() -> O + Send + Sync + 'static,
) -> Result<StepId> {
    let inputs = inputs.iter().map(|i| (*i, Routing::Stay)).collect();
    Ok(graph.add(node.op.name(), node.id, inputs, move || Ok(Box::new(make()))))
}
