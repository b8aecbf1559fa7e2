//! Where a query's rows go, and which nodes of the plan they come from.

use std::sync::Arc;

use datafusion::common::DFSchema;
use tidemill_core::{ChangeMode, Error};
use tidemill_plan::op::{SinkOp, SinkTarget, SourceInput, StreamOp};
use tidemill_plan::{Node, NodeId, StreamPlan};

use super::express::Layout;
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::Relation;

impl Lowering<'_> {
    /// Hands the columns of a query to `target`, under its names.
    pub(super) fn sink(&mut self, relation: Relation, schema: &DFSchema, target: SinkTarget) -> Lower<NodeId> {
        let relation = self.attach(relation)?;
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        if let SinkTarget::Table { name, sink } = &target {
            let wanted = sink.schema();
            if wanted.fields().len() != fields.len() {
                return Err(Error::statement(format!(
                    "table '{name}' takes {} columns, and the query gives {}",
                    wanted.fields().len(),
                    fields.len()
                ))
                .into());
            }
            for (field, wanted) in fields.iter_mut().zip(wanted.fields()) {
                if !field.data_type().equals_datatype(wanted.data_type()) {
                    return Err(Error::statement(format!(
                        "column '{}' of table '{name}' is {}, and the query gives {}",
                        wanted.name(),
                        wanted.data_type(),
                        field.data_type()
                    ))
                    .with_hint(format!("Write CAST({} AS ..) in the query.", field.name()))
                    .into());
                }
                *field = Arc::new(field.as_ref().clone().with_name(wanted.name()));
            }
            let changes = &self.plan.node(relation.node).edge.changes;
            if !sink.accepts().takes(changes) {
                return Err(refused_changes(&self.plan, relation.node, name).into());
            }
        }
        let mut layout = Layout::default();
        for (slot, field) in relation.slots.iter().zip(&fields) {
            let index = slot.index().ok_or_else(|| Error::internal("a window's column is not in its rows"))?;
            layout.push(index, field);
        }
        let rows = self.arrange(relation.node, layout);
        let edge = self.plan.node(rows).edge.clone();
        Ok(self.plan.add(StreamOp::Sink(SinkOp { target }), vec![rows], edge))
    }
}

/// Why a table that takes insertions only cannot take this result.
fn refused_changes(plan: &StreamPlan, node: NodeId, table: &str) -> Error {
    let updated_by = updates(plan, plan.node(node)).map(|n| match &n.op {
        StreamOp::UpdatingAggregate(op) if op.expire.is_some() => (
            "EMIT CHANGES",
            "Leave EMIT CHANGES out, so that each window is put out once, when it has closed.".to_string(),
        ),
        StreamOp::UpdatingAggregate(op) => {
            let keys: Vec<_> = op.group.keys.iter().map(|(_, f)| f.name().as_str()).collect();
            let by = if keys.is_empty() { String::new() } else { format!(" beside {}", keys.join(", ")) };
            ("a GROUP BY without a window", format!("Group by window_start and window_end of a window function{by}."))
        }
        StreamOp::TopN(_) => (
            "LIMIT or a rank in a range: a row that comes later may take the place of another",
            "Partition by window_start and window_end, or read tables that end.".to_string(),
        ),
        _ => (
            "allowed lateness, which corrects windows that have closed",
            "Set the allowed lateness to 0, or write to a table that takes updates.".to_string(),
        ),
    });
    let (by, hint) = updated_by.unwrap_or(("the query", "Write to a table that takes updates.".to_string()));
    Error::statement(format!("table '{table}' takes insertions only, and this result is updated by {by}"))
        .with_hint(hint)
}

/// The operator that begins to take rows back.
fn updates<'a>(plan: &'a StreamPlan, node: &'a Node) -> Option<&'a Node> {
    let below = node.inputs.iter().map(|i| plan.node(*i)).filter(|n| n.edge.changes != ChangeMode::Append);
    below.clone().find_map(|n| updates(plan, n)).or_else(|| (node.edge.changes != ChangeMode::Append).then_some(node))
}

/// The part of the plan that `sinks` need. Lowering leaves nodes behind where it tried something.
pub(super) fn reachable(plan: &StreamPlan, sinks: &[NodeId]) -> StreamPlan {
    let mut needed = vec![false; plan.nodes().len()];
    let mut stack = sinks.to_vec();
    while let Some(id) = stack.pop() {
        if std::mem::replace(&mut needed[id.0], true) {
            continue;
        }
        let node = plan.node(id);
        stack.extend(&node.inputs);
        if let StreamOp::Source(source) = &node.op
            && let SourceInput::AtEnd(at_end) = &source.input
        {
            stack.extend(at_end.inputs.iter().map(|(_, id)| *id));
        }
    }
    let mut kept = StreamPlan::new(plan.clock().clone());
    // A node comes after all that it reads, so that the place of each of them is known.
    let mut places = vec![NodeId(0); plan.nodes().len()];
    for node in plan.nodes().iter().filter(|n| needed[n.id.0]) {
        let mut op = node.op.clone();
        if let StreamOp::Source(source) = &mut op
            && let SourceInput::AtEnd(at_end) = &mut source.input
        {
            at_end.inputs.iter_mut().for_each(|(_, id)| *id = places[id.0]);
        }
        let inputs = node.inputs.iter().map(|i| places[i.0]).collect();
        places[node.id.0] = kept.add(op, inputs, node.edge.clone());
    }
    kept
}
