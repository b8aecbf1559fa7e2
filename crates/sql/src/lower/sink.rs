//! Where a query's rows go, and which nodes of the plan they come from.

use std::sync::Arc;

use datafusion::common::DFSchema;
use tidemill_core::sink::Accepts;
use tidemill_core::{ChangeMode, Error, Result};
use tidemill_plan::op::{CompactOp, Give, SinkOp, SinkTarget, SourceInput, StreamOp};
use tidemill_plan::unique::{may_cancel, unique_key};
use tidemill_plan::{Edge, Node, NodeId, StreamPlan};

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
            if sink.needs_an_end() && !self.plan.node(relation.node).edge.bounded {
                return Err(Error::statement(format!("INSERT OVERWRITE into '{name}' needs a query that ends"))
                    .with_hint("Its rows would replace what is there when the query has ended. INSERT INTO adds rows as they come.")
                    .into());
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
        let rows = match self.compaction(rows, &target)? {
            Some(op) => {
                let mut edge = Edge { event_time: None, ..self.plan.node(rows).edge.clone() };
                if op.give != Give::Changes {
                    edge.changes = ChangeMode::Upsert(op.key.clone());
                }
                self.plan.add(StreamOp::Compact(op), vec![rows], edge)
            }
            None => rows,
        };
        let edge = self.plan.node(rows).edge.clone();
        Ok(self.plan.add(StreamOp::Sink(SinkOp { target }), vec![rows], edge))
    }

    /// How the changes of `rows` are added up before `target` gets them, if they have to be.
    fn compaction(&self, rows: NodeId, target: &SinkTarget) -> Result<Option<CompactOp>> {
        let append = self.plan.node(rows).edge.changes == ChangeMode::Append;
        let unique = || unique_key(&self.plan, rows);
        let net = |key: Vec<usize>| Some(CompactOp { key, give: Give::Changes });
        let sink = match target {
            SinkTarget::Table { sink, .. } => sink,
            SinkTarget::Result(_) if may_cancel(&self.plan, rows) => return Ok(net(unique().unwrap_or_default())),
            SinkTarget::Result(_) | SinkTarget::Collect | SinkTarget::Ask => return Ok(None),
        };
        let key = sink.key();
        match sink.accepts() {
            Accepts::Upsert if key.is_empty() => Err(Error::internal("a sink takes upserts and has no key")),
            Accepts::Upsert => {
                let proven = unique().is_some_and(|u| u.iter().all(|c| key.contains(c)));
                let give = match (append, proven) {
                    (true, _) => Give::LastInserted,
                    (false, true) => Give::LastByKey,
                    (false, false) => Give::GreatestByKey,
                };
                Ok(Some(CompactOp { key, give }))
            }
            Accepts::Retract if append || !sink.wants_net_changes() => Ok(None),
            Accepts::Retract if key.is_empty() => Ok(net(unique().unwrap_or_default())),
            Accepts::Retract => Ok(net(key)),
            Accepts::Append => Ok(None),
        }
    }
}

/// Why a table that takes insertions only cannot take this result: which part of the query updates it, and what to do.
fn refused_changes(plan: &StreamPlan, node: NodeId, table: &str) -> Error {
    let updating = updates(plan, plan.node(node)).unwrap_or(plan.node(node));
    let tables = plan.tables_below(updating.id).iter().map(|t| format!("'{t}'")).collect::<Vec<_>>().join(", ");
    let over = |what: &str| if tables.is_empty() { what.to_string() } else { format!("{what} over {tables}") };
    let (by, remedy) = match &updating.op {
        StreamOp::Normalize(_) => {
            (format!("{tables}, whose records are changes"), "Group it by a window that closes.".to_string())
        }
        StreamOp::UpdatingAggregate(op) if op.expire.is_some() => (
            over("EMIT CHANGES of the windows"),
            "Leave EMIT CHANGES out, so that each window is put out once, when it has closed.".to_string(),
        ),
        StreamOp::UpdatingAggregate(op) => {
            let keys: Vec<_> = op.group.keys.iter().map(|(_, f)| f.name().as_str()).collect();
            match keys.is_empty() {
                true => (
                    over("an aggregation of all rows"),
                    "Group by window_start and window_end of a window function.".into(),
                ),
                false => (
                    over("the GROUP BY without a window"),
                    format!("Group by window_start and window_end of a window function beside {}.", keys.join(", ")),
                ),
            }
        }
        StreamOp::TopN(_) | StreamOp::Deduplicate(_) => (
            over("LIMIT or a rank in a range (a row that comes later may take the place of another)"),
            "Partition by window_start and window_end, or read tables that end.".to_string(),
        ),
        StreamOp::WindowAggregate(_) | StreamOp::SessionRows(_) => {
            (over("allowed lateness, which corrects the closed windows"), "Set 'allowed-lateness' to 0.".to_string())
        }
        StreamOp::Join(_) => (
            over("the join (a row that has no partner yet may have one later)"),
            "Bound the join by time, or read tables that end: such rows are then put out once.".to_string(),
        ),
        op => (over(in_sql(op.name())), String::new()),
    };
    let takes = "Or write to a table that takes updates: format 'debezium-json', a 'changelog.operation-column', or connector 'print'.";
    let hint = match remedy.is_empty() {
        true => takes.replacen("Or write", "Write", 1),
        false => format!("{remedy} {takes}"),
    };
    Error::statement(format!("table '{table}' takes insertions only, and this result is updated by {by}"))
        .with_hint(hint)
}

/// What an operator is called in SQL.
fn in_sql(operator: &str) -> &str {
    let known = [
        ("Over", "the function with OVER"),
        ("Dedup", "the deduplication"),
        ("SetOp", "the set operation"),
        ("Limit", "ORDER BY .. LIMIT"),
    ];
    known.iter().find(|(part, _)| operator.contains(part)).map_or(operator, |(_, sql)| sql)
}

/// The operator that begins to take rows back.
fn updates<'a>(plan: &'a StreamPlan, node: &'a Node) -> Option<&'a Node> {
    if let StreamOp::Normalize(_) = node.op {
        return Some(node);
    }
    let below = node.inputs.iter().map(|i| plan.node(*i)).filter(|n| n.edge.changes != ChangeMode::Append);
    below.clone().find_map(|n| updates(plan, n)).or_else(|| (node.edge.changes != ChangeMode::Append).then_some(node))
}

/// The part of the plan that `sinks` need, with what is the same in it once. Lowering leaves nodes behind where it tried
/// something.
pub(super) fn reachable(plan: &StreamPlan, sinks: &[NodeId]) -> StreamPlan {
    let mut needed = vec![false; plan.nodes().len()];
    let mut stack = sinks.to_vec();
    while let Some(id) = stack.pop() {
        if std::mem::replace(&mut needed[id.0], true) {
            continue;
        }
        let node = plan.node(id);
        stack.extend(&node.inputs);
        if let StreamOp::Source(source) = &node.op {
            match &source.input {
                SourceInput::AtEnd(at_end) => stack.extend(at_end.inputs.iter().map(|(_, id)| *id)),
                SourceInput::Lookup(lookup) => stack.push(lookup.asks),
                _ => {}
            }
        }
    }
    let mut kept = StreamPlan::new(plan.clock().clone());
    // A node comes after all that it reads, so that the place of each of them is known.
    let mut places = vec![NodeId(0); plan.nodes().len()];
    for node in plan.nodes().iter().filter(|n| needed[n.id.0]) {
        let op = node.op.moved(&places);
        let inputs: Vec<NodeId> = node.inputs.iter().map(|i| places[i.0]).collect();
        places[node.id.0] = match kept.same_as(&op, &inputs, &node.edge) {
            Some(same) => same,
            None => kept.add(op, inputs, node.edge.clone()),
        };
    }
    kept.with_contenders().narrowed()
}
