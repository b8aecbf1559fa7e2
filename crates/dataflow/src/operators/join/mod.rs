//! Joins: rows of two inputs that match, whatever comes first, and whatever is taken back.
//!
//! Both sides are kept, in columns, each row in a chain of the rows with its key. A row that comes is matched with the chain of
//! its key on the other side.
//!
//! Read in this order: [`keys`] (keys as numbers), [`side`] (the rows of a side by key), [`matcher`] (from pairs to rows),
//! [`time`] (what is late, what is over), [`append_join`] (pairs that only come); then, for everything else, [`lone`] (rows
//! without a row of the other side), [`rows_by_content`] (how a retraction finds its row), [`side_changes`] and [`key_totals`]
//! (what an epoch changes), [`not_in`] (NULLs under `NOT IN`), [`shape`] (what is to be done), [`changing_join`].

pub mod append_join;
pub mod changing_join;
pub mod key_totals;
pub mod keys;
pub mod lone;
pub mod matcher;
pub mod not_in;
pub mod rows_by_content;
pub mod shape;
pub mod side;
pub mod side_changes;
#[cfg(test)]
mod tests;
pub mod time;

use std::sync::Arc;

use tidemill_core::{ChangeMode, Result};
use tidemill_plan::op::JoinOp;
use tidemill_plan::{Node, StreamPlan};

use self::append_join::AppendJoin;
use self::changing_join::ChangingJoin;
use self::keys::JoinKeys;
use self::matcher::Matcher;
use self::shape::Shape;
use self::side::Side;
use self::time::TimeRule;
use crate::graph::{Graph, Routing, StepId};
use crate::operator::Operator;

/// Adds the step: rows that can match meet on one worker.
pub fn build(op: &JoinOp, plan: &StreamPlan, node: &Node, inputs: [StepId; 2], graph: &mut Graph) -> StepId {
    let edges = [0, 1].map(|i: usize| &plan.node(node.inputs[i]).edge);
    let schemas = edges.map(|e| Arc::clone(&e.schema));
    let retracts = edges.map(|e| e.changes != ChangeMode::Append);
    let keys: (Vec<usize>, Vec<usize>) = op.keys.iter().copied().unzip();
    let columns = [keys.0, keys.1];
    let route = |side: usize| match op.on_one_worker() {
        true => Routing::ToOne,
        false => Routing::ByKey(columns[side].clone()),
    };
    let inputs = vec![(inputs[0], route(0)), (inputs[1], route(1))];
    let append = node.edge.changes == ChangeMode::Append;
    let (op, output) = (op.clone(), Arc::clone(&node.edge.schema));
    graph.add("Join", node.id, inputs, move || {
        operator(&op, columns.clone(), schemas.clone(), retracts, Arc::clone(&output), append)
    })
}

fn operator(
    op: &JoinOp,
    columns: [Vec<usize>; 2],
    schemas: [arrow::datatypes::SchemaRef; 2],
    retracts: [bool; 2],
    output: arrow::datatypes::SchemaRef,
    append: bool,
) -> Result<Box<dyn Operator>> {
    let both = [&schemas[0], &schemas[1]];
    let keys = JoinKeys::new(columns, &schemas[0], op.nulls_match)?;
    let matcher = Matcher::new(op.residual.as_ref(), both, output)?;
    let time = op.bound.as_ref().map(|b| TimeRule::new(b, op.allowed_lateness, both)).transpose()?;
    let shape = Shape::of(op, retracts, append);
    if shape.lone == [None, None] && retracts == [false, false] {
        let sides = [0, 1].map(|s: usize| Side::new(Arc::clone(&schemas[s]), time.is_some()));
        return Ok(Box::new(AppendJoin::new(keys, sides, matcher, time)));
    }
    Ok(Box::new(ChangingJoin::new(shape, keys, matcher, schemas, time)))
}
