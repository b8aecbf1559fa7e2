//! Which columns tell the live rows of an edge apart: what the plan proves, for sinks with a `PRIMARY KEY`.

use datafusion_common::JoinType;
use datafusion_physical_expr::expressions::Column;
use tidemill_core::ChangeMode;

use crate::graph::{Node, NodeId, StreamPlan};
use crate::op::{Expr, GroupBy, JoinOp, RankFunction, StreamOp};

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
        // A number comes once in a partition.
        StreamOp::TopN(op) if op.ranks.contains(&RankFunction::RowNumber) => {
            let columns = node.edge.schema.fields().len() - op.ranks.len();
            let number = op.ranks.iter().position(|r| *r == RankFunction::RowNumber)?;
            Some(op.partition_by.iter().copied().chain([columns + number]).collect())
        }
        StreamOp::Deduplicate(op) => Some(op.keys.clone()),
        StreamOp::TopN(_) | StreamOp::Over(_) | StreamOp::TemporalSort(_) => unique_key(plan, *node.inputs.first()?),
        StreamOp::Filter(op) => {
            let key = unique_key(plan, *node.inputs.first()?)?;
            key.into_iter().map(|k| op.place_of(k)).collect()
        }
        StreamOp::Contenders(_)
        | StreamOp::Compact(_)
        | StreamOp::HoldBack(_)
        | StreamOp::ProcessingTime
        | StreamOp::Number
        | StreamOp::Sink(_) => unique_key(plan, *node.inputs.first()?),
        // A left row has one partner at most.
        StreamOp::AsOfJoin(_) => unique_key(plan, *node.inputs.first()?),
        StreamOp::Project(exprs) => {
            let key = unique_key(plan, *node.inputs.first()?)?;
            key.into_iter().map(|k| exprs.iter().position(|e| column(e) == Some(k))).collect()
        }
        StreamOp::Join(op) => unique_key_of_join(plan, node, op),
        _ => None,
    }
}

/// A row that meets at most one other is told apart as before; otherwise both rows of a pair tell it apart.
fn unique_key_of_join(plan: &StreamPlan, node: &Node, op: &JoinOp) -> Option<Vec<usize>> {
    let [left, right] = node.inputs[..] else { return None };
    match op.join_type {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => return unique_key(plan, left),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => return unique_key(plan, right),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {}
    }
    let width = plan.node(left).edge.schema.fields().len();
    let (l, r) = (unique_key(plan, left)?, unique_key(plan, right)?);
    let meets_one =
        |key: &[usize], of: &dyn Fn(&(usize, usize)) -> usize| key.iter().all(|k| op.keys.iter().any(|p| of(p) == *k));
    let at_most_one_right = meets_one(&r, &|pair| pair.1) && matches!(op.join_type, JoinType::Inner | JoinType::Left);
    let at_most_one_left = meets_one(&l, &|pair| pair.0) && matches!(op.join_type, JoinType::Inner | JoinType::Right);
    let right = r.into_iter().map(|k| k + width);
    Some(match (at_most_one_right, at_most_one_left) {
        (true, _) => l,
        (false, true) => right.collect(),
        (false, false) => l.into_iter().chain(right).collect(),
    })
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
    let leaves_out = |kept: &dyn Fn(usize) -> bool| {
        let width = node.inputs.first().map_or(0, |i| plan.node(*i).edge.schema.fields().len());
        !(0..width).all(kept)
    };
    match &node.op {
        _ if node.edge.changes == ChangeMode::Append => false,
        StreamOp::Project(exprs) => leaves_out(&|c| exprs.iter().any(|e| column(e) == Some(c))) || below(),
        StreamOp::Filter(op) => leaves_out(&|c| op.place_of(c).is_some()) || below(),
        StreamOp::Sink(_) | StreamOp::ProcessingTime | StreamOp::Number => below(),
        StreamOp::Union => true,
        // Equal rows of an input that only inserts are kept apart, and changes of the other may cross on them.
        StreamOp::Join(_) => node.inputs.iter().any(|i| plan.node(*i).edge.changes == ChangeMode::Append),
        _ => false,
    }
}
