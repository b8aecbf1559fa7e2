//! The text of `EXPLAIN STREAM` and `EXPLAIN STATE`: the plan as a tree, results at the top.

use std::fmt::Write;

use arrow::datatypes::Schema;
use datafusion_common::JoinType;

use crate::graph::{Node, NodeId, StreamPlan};
use crate::op::{
    AggregateCall, ChangeKind, DeduplicateOp, Emit, Give, GroupBy, JoinOp, Keep, Release, RowWindow, SinkTarget,
    SortKey, SourceInput, SourceOp, StreamOp, TimeBound, TopNOp, Unmatched, UpdatingAggregateOp, WatermarkExpr,
    WindowAggregateOp,
};
use crate::state::state_of;
use crate::window::{Length, Window, Zone};

/// The plan as a tree: every operator with what it does and what its output carries. A part that several others read is
/// printed once, and named by its number where it comes again.
pub fn stream(plan: &StreamPlan) -> String {
    tree(plan, &|node| {
        let edge = &node.edge;
        let mut notes = vec![edge.changes.to_string()];
        if let Some(column) = edge.event_time {
            notes.push(format!("event time {}", edge.schema.field(column).name()));
        }
        notes.push(if edge.bounded { "bounded" } else { "unbounded" }.to_string());
        format!("{}  [{}]{}", self::line(plan, node), notes.join(", "), batch_run(node))
    })
}

/// An operator with what it does, without what its output carries.
pub fn line(plan: &StreamPlan, node: &Node) -> String {
    let detail = detail(plan, node);
    let space = if detail.is_empty() { "" } else { " " };
    format!("{}{space}{detail}", node.op.name())
}

/// The plan as a tree: what each operator keeps, and what removes it.
pub fn state(plan: &StreamPlan) -> String {
    tree(plan, &|node| format!("{}: {}", node.op.name(), state_of(plan, node)))
}

fn tree(plan: &StreamPlan, line: &dyn Fn(&Node) -> String) -> String {
    let shared: Vec<bool> = plan.readers().iter().map(|r| r.len() > 1).collect();
    let mut out = String::new();
    let mut printed = vec![false; plan.nodes().len()];
    // What is collected for a batch run is printed where it is asked for.
    let collects = |n: &&Node| matches!(&n.op, StreamOp::Sink(sink) if matches!(sink.target, SinkTarget::Collect | SinkTarget::Ask));
    for root in plan.roots().filter(|n| !collects(n)) {
        walk(plan, root.id, 0, &shared, &mut printed, line, &mut out);
    }
    out
}

fn walk(
    plan: &StreamPlan,
    id: NodeId,
    depth: usize,
    shared: &[bool],
    printed: &mut [bool],
    line: &dyn Fn(&Node) -> String,
    out: &mut String,
) {
    let node = plan.node(id);
    let indent = "  ".repeat(depth);
    let mark = if shared[id.0] { format!("#{} ", id.0) } else { String::new() };
    if printed[id.0] {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{indent}{mark}{} (see above)", node.op.name());
        return;
    }
    printed[id.0] = true;
    let _ = writeln!(out, "{indent}{mark}{}", line(node).replace('\n', &format!("\n{indent}")));
    let collected = match &node.op {
        StreamOp::Source(SourceOp { input: SourceInput::AtEnd(at_end), .. }) => {
            at_end.inputs.iter().map(|(_, id)| *id).collect()
        }
        StreamOp::Source(SourceOp { input: SourceInput::Lookup(lookup), .. }) => vec![lookup.asks],
        _ => vec![],
    };
    for input in node.inputs.iter().chain(&collected) {
        walk(plan, *input, depth + 1, shared, printed, line, out);
    }
}

/// What an operator does, in the names of its input columns.
fn detail(plan: &StreamPlan, node: &Node) -> String {
    match &node.op {
        StreamOp::Source(SourceOp { name, input: SourceInput::Lookup(lookup), .. }) => {
            crate::lookup::detail(plan, node, name, lookup)
        }
        StreamOp::Source(op) => source(op, node),
        StreamOp::Normalize(op) => match op.key.is_empty() {
            true => "by all columns".into(),
            false => format!("by {}", names(&node.edge.schema, &op.key)),
        },
        StreamOp::History(op) => crate::history::detail(node, op),
        StreamOp::Compact(op) => {
            let key =
                if op.key.is_empty() { String::new() } else { format!(" by {}", names(&node.edge.schema, &op.key)) };
            match op.give {
                Give::Changes => format!("net changes{key}"),
                Give::LastByKey | Give::LastInserted => format!("last row{key}"),
                Give::GreatestByKey => format!("greatest live row{key}"),
            }
        }
        StreamOp::Values(batches) => format!("rows={}", batches.iter().map(|b| b.num_rows()).sum::<usize>()),
        StreamOp::Filter(op) => {
            let conditions = op.conditions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", then ");
            let fields = node.edge.schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>().join(", ");
            if op.columns.is_some() { format!("{conditions} columns=[{fields}]") } else { conditions }
        }
        StreamOp::Project(exprs) => {
            let fields = node.edge.schema.fields();
            let one = exprs.iter().zip(fields).map(|(e, f)| match e.to_string() {
                text if text.split('@').next() == Some(f.name()) => f.name().clone(),
                text => format!("{text} AS {}", f.name()),
            });
            one.collect::<Vec<_>>().join(", ")
        }
        StreamOp::Union | StreamOp::ProcessingTime | StreamOp::Number => String::new(),
        StreamOp::Unnest(op) => {
            let input = &plan.node(node.inputs[0]).edge.schema;
            let names = op.lists.iter().chain(&op.structs).map(|i| input.field(*i).name().clone());
            let rest = if op.preserve_nulls { ", NULL where there is none" } else { "" };
            format!("{}{rest}", names.collect::<Vec<_>>().join(", "))
        }
        StreamOp::WindowRows(w) => window(plan, node, w),
        StreamOp::SessionRows(op) => {
            format!("{}{}", window(plan, node, &op.window), if op.changing { " emit=changes" } else { "" })
        }
        StreamOp::WindowAggregate(op) => window_aggregate(plan, node, op),
        StreamOp::UpdatingAggregate(op) => updating_aggregate(op),
        StreamOp::TopN(op) => top_n(plan, node, op),
        StreamOp::Contenders(op) => crate::contenders::detail(plan, node, op),
        StreamOp::Join(op) => join(plan, node, op),
        StreamOp::AsOfJoin(op) => crate::as_of::detail(plan, node, op),
        StreamOp::Over(op) => crate::over::detail(plan, node, op),
        StreamOp::HoldBack(op) => match &op.release {
            Release::Every(every) => format!("every {}", Length(*every)),
            Release::Closed { end, .. } => format!("on close of {}", node.edge.schema.field(*end).name()),
        },
        StreamOp::Deduplicate(op) => deduplicate(plan, node, op),
        StreamOp::TemporalSort(by) => format!("order=[{}]", order(&node.edge.schema, by)),
        StreamOp::Sink(sink) => match &sink.target {
            SinkTarget::Table { name, .. } => name.clone(),
            SinkTarget::Result(_) => "result".into(),
            SinkTarget::Collect => "collect".into(),
            SinkTarget::Ask => "ask".into(),
        },
    }
}

fn names(schema: &arrow::datatypes::Schema, columns: &[usize]) -> String {
    columns.iter().map(|c| schema.field(*c).name().as_str()).collect::<Vec<_>>().join(", ")
}

/// The plan of a batch run, below the line of its node.
fn batch_run(node: &Node) -> String {
    match &node.op {
        StreamOp::Source(SourceOp { input: SourceInput::AtEnd(at_end), .. }) => {
            let plan = at_end.plan.display_indent().to_string();
            plan.lines().map(|l| format!("\n  | {l}")).collect()
        }
        _ => String::new(),
    }
}

fn source(op: &SourceOp, node: &Node) -> String {
    let columns: Vec<_> = node.edge.schema.fields().iter().map(|f| f.name().as_str()).collect();
    let mut text = match &op.input {
        SourceInput::AtEnd(_) => return format!("{} answered by DataFusion once its inputs have ended", op.name),
        _ => format!("{} columns=[{}]", op.name, columns.join(", ")),
    };
    if let Some(changelog) = &op.changelog {
        let _ = match &changelog.kind {
            ChangeKind::Weights => write!(text, " changes"),
            ChangeKind::Operation(column) => write!(text, " changes={}", node.edge.schema.field(*column).name()),
            ChangeKind::Tombstone(_) => write!(text, " changes=tombstones"),
        };
    }
    if let Some(time) = &op.event_time {
        let column = node.edge.schema.field(time.column).name();
        let _ = match &time.watermark {
            WatermarkExpr::Delay(0) => write!(text, " watermark={column}"),
            WatermarkExpr::Delay(d) => write!(text, " watermark={column} - {}", Length(*d)),
            WatermarkExpr::Expr(_) => write!(text, " watermark={}", time.text),
        };
    }
    text
}

fn window(plan: &StreamPlan, node: &Node, w: &Window) -> String {
    let input = &plan.node(node.inputs[0]).edge.schema;
    let mut text = format!("{} on {}", w.kind, input.field(w.time).name());
    if w.offset != 0 {
        let _ = write!(text, " offset {}", Length(w.offset));
    }
    if w.zone != Zone::Utc {
        let _ = write!(text, " zone {}", w.zone);
    }
    text
}

fn window_aggregate(plan: &StreamPlan, node: &Node, op: &WindowAggregateOp) -> String {
    let mut text = match &op.window {
        RowWindow::ByTime(w) => window(plan, node, w),
        RowWindow::Attached { window, .. } => format!("{} attached to the rows", window.kind),
    };
    text.push_str(&groups(&op.group));
    text.push_str(&aggregates(&op.aggregates));
    if op.allowed_lateness != 0 {
        let _ = write!(text, " allowed_lateness={}", Length(op.allowed_lateness));
    }
    text
}

fn join(plan: &StreamPlan, node: &Node, op: &JoinOp) -> String {
    let [left, right] = [0, 1].map(|i: usize| &plan.node(node.inputs[i]).edge.schema);
    let kind = match op.join_type {
        JoinType::Inner if op.keys.is_empty() && op.residual.is_none() => "cross",
        JoinType::Inner => "inner",
        JoinType::Left => "left",
        JoinType::Right => "right",
        JoinType::Full => "full",
        JoinType::LeftSemi => "left semi",
        JoinType::RightSemi => "right semi",
        JoinType::LeftAnti => "left anti",
        JoinType::RightAnti => "right anti",
        JoinType::LeftMark => "left mark",
        JoinType::RightMark => "right mark",
    };
    let equal = if op.nulls_match { "is not distinct from" } else { "=" };
    let pair = |(l, r): &(usize, usize)| format!("{} {equal} {}", left.field(*l).name(), right.field(*r).name());
    let keys = op.keys.iter().map(pair).collect::<Vec<_>>().join(", ");
    let mut text = kind.to_string();
    if !keys.is_empty() {
        let _ = write!(text, " on=[{keys}]");
    }
    if op.null_aware {
        text.push_str(" as NOT IN");
    }
    if let Some(residual) = &op.residual {
        let _ = write!(text, " where={residual}");
    }
    match &op.bound {
        Some(TimeBound::Interval { times, least, most }) => {
            let (l, r) = (left.field(times.0).name(), right.field(times.1).name());
            let text_of = |length: &Option<i64>| length.map_or("any".into(), |l| Length(l).to_string());
            let _ = write!(text, " time={l} - {r} from {} to {}", text_of(least), text_of(most));
        }
        Some(TimeBound::Window { window, .. }) => {
            let _ = write!(text, " within {}", window.kind);
        }
        None => {}
    }
    let asks_for_one = matches!(op.join_type, JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi);
    if op.unmatched == Unmatched::WhenOver && !asks_for_one {
        text.push_str(" unmatched=when over");
    }
    if op.on_one_worker() {
        text.push_str(" on one worker");
    }
    text
}

fn top_n(plan: &StreamPlan, node: &Node, op: &TopNOp) -> String {
    let input = &plan.node(node.inputs[0]).edge.schema;
    let name = |i: &usize| input.field(*i).name().as_str();
    let range = match (op.first, op.last) {
        (1, Some(last)) => format!("<= {last}"),
        (first, Some(last)) if first == last => format!("= {first}"),
        (first, Some(last)) => format!("{first} to {last}"),
        (first, None) => format!(">= {first}"),
    };
    let mut text = format!("{} {range}", op.bound.name());
    if !op.partition_by.is_empty() {
        let names: Vec<_> = op.partition_by.iter().map(name).collect();
        let _ = write!(text, " partition=[{}]", names.join(", "));
    }
    let _ = write!(text, " order=[{}]", order(input, &op.order_by));
    if !op.ranks.is_empty() {
        let ranks: Vec<_> = op.ranks.iter().map(|r| r.name()).collect();
        let _ = write!(text, " ranks=[{}]", ranks.join(", "));
    }
    format!("{text} emit={}", emit(op.emit))
}

fn deduplicate(plan: &StreamPlan, node: &Node, op: &DeduplicateOp) -> String {
    let input = &plan.node(node.inputs[0]).edge.schema;
    let keys: Vec<_> = op.keys.iter().map(|i| input.field(*i).name().as_str()).collect();
    let keep = match &op.keep {
        Keep::FirstArrived => return format!("key=[{}] keep=the first that came", keys.join(", ")),
        Keep::LastArrived => "the last that came".into(),
        Keep::FirstBy(by) => format!("the first by {}", order(input, by)),
    };
    format!("key=[{}] keep={keep} emit={}", keys.join(", "), emit(op.emit))
}

fn order(input: &Schema, by: &[SortKey]) -> String {
    let key = |k: &SortKey| {
        let direction = if k.descending { " DESC" } else { "" };
        // NULL is the least of all values.
        let nulls = match (k.nulls_first, k.descending) {
            (true, true) => " NULLS FIRST",
            (false, false) => " NULLS LAST",
            _ => "",
        };
        format!("{}{direction}{nulls}", input.field(k.column).name())
    };
    by.iter().map(key).collect::<Vec<_>>().join(", ")
}

fn emit(emit: Emit) -> String {
    match emit {
        Emit::OnClose => "on close".into(),
        Emit::Changes { every: 0 } => "changes".into(),
        Emit::Changes { every } => format!("changes every {}", Length(every)),
        Emit::AtEnd => "at the end".to_string(),
    }
}

fn updating_aggregate(op: &UpdatingAggregateOp) -> String {
    let emit = emit(op.emit);
    let ttl = op.ttl.map(|ttl| format!(" ttl={}", Length(ttl))).unwrap_or_default();
    format!("emit={emit}{}{}{ttl}", groups(&op.group), aggregates(&op.aggregates))
}

fn groups(group: &GroupBy) -> String {
    let keys: Vec<_> = group.keys.iter().map(|(e, _)| e.to_string()).collect();
    let sets = if group.sets.is_empty() { String::new() } else { format!(" sets={}", group.sets.len()) };
    if keys.is_empty() { sets } else { format!(" group=[{}]{sets}", keys.join(", ")) }
}

fn aggregates(calls: &[AggregateCall]) -> String {
    let one = calls.iter().map(|c| match &c.filter {
        Some(filter) => format!("{} FILTER (WHERE {filter})", c.function.name()),
        None => c.function.name().to_string(),
    });
    format!(" aggregates=[{}]", one.collect::<Vec<_>>().join(", "))
}
