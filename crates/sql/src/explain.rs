//! The texts of `EXPLAIN`, one for each arrow on the way of a query.

use std::fmt::Write;

use datafusion::logical_expr::LogicalPlan;
use tidemill_plan::op::{AsOfForm, SourceInput, SourceOp, StreamOp};
use tidemill_plan::window::Length;
use tidemill_plan::{Node, NodeId, StreamPlan, explain};

/// `EXPLAIN LOGICAL`: the optimised logical plan, results at the top.
pub fn logical(plan: &LogicalPlan) -> String {
    format!("{}\n", plan.display_indent())
}

/// `EXPLAIN STREAM`: every operator of the dataflow with what its output carries.
pub fn stream(plan: &StreamPlan) -> String {
    explain::stream(plan)
}

/// `EXPLAIN STATE`: what each operator keeps, and what removes it.
pub fn state(plan: &StreamPlan) -> String {
    explain::state(plan)
}

/// `EXPLAIN`: all of it. Operators that keep nothing are left out of the state.
pub fn all(queries: &[&LogicalPlan], plan: &StreamPlan) -> String {
    let mut out = String::from("== Logical ==\n");
    queries.iter().for_each(|q| out.push_str(&logical(q)));
    let _ = write!(out, "== Stream ==\n{}", stream(plan));
    let state = state(plan);
    let keeping: Vec<&str> = state.lines().map(str::trim_start).filter(|l| !l.ends_with("keeps nothing")).collect();
    out.push_str("== State ==\n");
    for line in keeping.iter().filter(|l| !l.ends_with("(see above)")) {
        let _ = writeln!(out, "{line}");
    }
    if keeping.is_empty() {
        out.push_str("keeps nothing\n");
    }
    out
}

/// `EXPLAIN WATERMARK` of a query that is not running: where time comes from, and which operators wait for it.
pub fn watermark(plan: &StreamPlan) -> String {
    let mut out = String::new();
    for node in plan.nodes() {
        if let StreamOp::Source(source) = &node.op {
            let _ = writeln!(out, "{}", time_of(source, node));
        }
    }
    for node in plan.nodes().iter().filter(|n| waits(n)) {
        let line = explain::line(plan, node);
        let _ = match holders(plan, node) {
            Holders::Clock => writeln!(out, "{line}: waits for the clock"),
            Holders::End => writeln!(out, "{line}: waits for the end of its input"),
            Holders::Sources(names) if names.len() == 1 => writeln!(out, "{line}: waits for {}", names[0]),
            Holders::Sources(names) => writeln!(out, "{line}: waits for the slowest of {}", names.join(", ")),
        };
    }
    out
}

fn time_of(source: &SourceOp, node: &Node) -> String {
    let name = &source.name;
    match (&source.event_time, &source.input) {
        (Some(time), _) => {
            let column = node.edge.schema.field(time.column).name();
            let idle = match source.idle_timeout {
                Some(idle) => format!("; a split without rows for {} is left out", Length(idle)),
                None => String::new(),
            };
            format!("{name}: the watermark of {column} is {}, the least over the splits{idle}", time.text)
        }
        (None, SourceInput::Lookup(_)) => {
            format!("{name}: looked up; time goes on as far as the rows that ask are answered")
        }
        (None, SourceInput::AtEnd(_)) => format!("{name}: no watermark; answered once its inputs have ended"),
        (None, _) => format!("{name}: no watermark"),
    }
}

fn waits(node: &Node) -> bool {
    match &node.op {
        StreamOp::WindowAggregate(_) | StreamOp::SessionRows(_) => true,
        StreamOp::UpdatingAggregate(op) => op.expire.is_some(),
        StreamOp::AsOfJoin(op) => op.form == AsOfForm::Settled,
        _ => false,
    }
}

/// What the time of an operator comes from.
enum Holders {
    Clock,
    End,
    Sources(Vec<String>),
}

fn holders(plan: &StreamPlan, node: &Node) -> Holders {
    let mut names = vec![];
    let mut clock = false;
    let mut stack: Vec<NodeId> = node.inputs.clone();
    while let Some(id) = stack.pop() {
        let node = plan.node(id);
        match &node.op {
            StreamOp::ProcessingTime => clock = true,
            StreamOp::Source(SourceOp { input: SourceInput::Lookup(lookup), .. }) => stack.push(lookup.asks),
            StreamOp::Source(source) if source.event_time.is_some() => {
                if !names.contains(&source.name) {
                    names.push(source.name.clone());
                }
            }
            _ => stack.extend(&node.inputs),
        }
    }
    names.sort();
    match (names.is_empty(), clock) {
        (true, true) => Holders::Clock,
        (true, false) => Holders::End,
        (false, _) => Holders::Sources(names),
    }
}
