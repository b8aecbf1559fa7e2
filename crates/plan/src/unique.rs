//! Which columns tell the live rows of an edge apart: what the plan proves, for sinks with a `PRIMARY KEY`.

use datafusion_physical_expr::expressions::Column;
use tidemill_core::ChangeMode;

use crate::graph::{NodeId, StreamPlan};
use crate::op::{Expr, GroupBy, RankFunction, StreamOp};

/// Columns of `id`'s output in which no two rows that live at the same time are equal; `None` where none are known. Empty
/// where there is at most one row.
pub fn unique_key(plan: &StreamPlan, id: NodeId) -> Option<Vec<usize>> {
    let node = plan.node(id);
    match &node.op {
        StreamOp::Normalize(op) => (!op.key.is_empty()).then(|| op.key.clone()),
        StreamOp::UpdatingAggregate(op) => Some((0..keys_of(&op.group)).collect()),
        // The window's start, end and time, then the keys: the bounds say it all.
        StreamOp::WindowAggregate(op) => {
            let bounds = 3;
            Some((0..2).chain(bounds..bounds + keys_of(&op.group)).collect())
        }
        StreamOp::TopN(op) if op.bound == RankFunction::RowNumber && op.last == Some(1) => {
            Some(op.partition_by.clone())
        }
        StreamOp::TopN(_) | StreamOp::Over(_) => unique_key(plan, *node.inputs.first()?),
        StreamOp::Filter(_)
        | StreamOp::Compact(_)
        | StreamOp::HoldBack(_)
        | StreamOp::ProcessingTime
        | StreamOp::Sink(_) => unique_key(plan, *node.inputs.first()?),
        // A left row has one partner at most.
        StreamOp::AsOfJoin(_) => unique_key(plan, *node.inputs.first()?),
        StreamOp::Project(exprs) => {
            let key = unique_key(plan, *node.inputs.first()?)?;
            key.into_iter().map(|k| exprs.iter().position(|e| column(e) == Some(k))).collect()
        }
        _ => None,
    }
}

/// The keys of a grouping, and the grouping id where there are sets.
fn keys_of(group: &GroupBy) -> usize {
    group.keys.len() + usize::from(group.grouping_id.is_some())
}

/// The input column that an expression is.
pub fn column(expr: &Expr) -> Option<usize> {
    expr.downcast_ref::<Column>().map(Column::index)
}

/// Whether an epoch's changes may hold a row that is taken back and put out again: below `id` columns are left behind or
/// streams meet, so that two rows that were told apart no longer are.
pub fn may_cancel(plan: &StreamPlan, id: NodeId) -> bool {
    let node = plan.node(id);
    let below = || node.inputs.first().is_some_and(|input| may_cancel(plan, *input));
    match &node.op {
        _ if node.edge.changes == ChangeMode::Append => false,
        StreamOp::Project(exprs) => {
            let kept = |c: usize| exprs.iter().any(|e| column(e) == Some(c));
            let input = node.inputs.first().map_or(0, |i| plan.node(*i).edge.schema.fields().len());
            !(0..input).all(kept) || below()
        }
        StreamOp::Filter(_) | StreamOp::Sink(_) | StreamOp::ProcessingTime => below(),
        StreamOp::Union => true,
        _ => false,
    }
}
