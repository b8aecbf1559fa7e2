//! Whether two nodes do the same work on the same rows, so that one of them is enough.
//!
//! Two queries of a file, or two parts of one query, often ask for the same thing under different names: a windowed count
//! that is joined with a maximum over itself, say. Names of columns mean nothing here, only their places. Kinds of
//! nodes that are not listed are never the same.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::Column;

use crate::graph::{Edge, NodeId, StreamPlan};
use crate::op::{AggregateCall, Expr, GroupBy, RowWindow, StreamOp, WindowAggregateOp};

impl StreamPlan {
    /// A node that puts out what `op` over `inputs` would.
    pub fn same_as(&self, op: &StreamOp, inputs: &[NodeId], edge: &Edge) -> Option<NodeId> {
        let same = self.nodes().iter().find(|n| n.inputs == inputs && same_edges(&n.edge, edge) && same_ops(&n.op, op));
        same.map(|n| n.id)
    }
}

/// Names aside.
fn same_edges(a: &Edge, b: &Edge) -> bool {
    let types =
        |e: &Edge| -> Vec<_> { e.schema.fields().iter().map(|f| (f.data_type().clone(), f.is_nullable())).collect() };
    (&a.changes, a.event_time, a.bounded) == (&b.changes, b.event_time, b.bounded) && types(a) == types(b)
}

fn same_ops(a: &StreamOp, b: &StreamOp) -> bool {
    match (a, b) {
        (StreamOp::Filter(a), StreamOp::Filter(b)) => a.columns == b.columns && all_same(&a.conditions, &b.conditions),
        (StreamOp::Project(a), StreamOp::Project(b)) => all_same(a, b),
        (StreamOp::WindowRows(a), StreamOp::WindowRows(b)) => a == b,
        (StreamOp::WindowAggregate(a), StreamOp::WindowAggregate(b)) => same_window_aggregates(a, b),
        _ => false,
    }
}

fn same_window_aggregates(a: &WindowAggregateOp, b: &WindowAggregateOp) -> bool {
    let windows = match (&a.window, &b.window) {
        (RowWindow::ByTime(a), RowWindow::ByTime(b)) => a == b,
        (
            RowWindow::Attached { start: s1, end: e1, window: w1 },
            RowWindow::Attached { start: s2, end: e2, window: w2 },
        ) => (s1, e1, w1) == (s2, e2, w2),
        _ => false,
    };
    windows
        && a.allowed_lateness == b.allowed_lateness
        && same_groups(&a.group, &b.group)
        && a.aggregates.len() == b.aggregates.len()
        && a.aggregates.iter().zip(&b.aggregates).all(|(a, b)| same_calls(a, b))
}

fn same_groups(a: &GroupBy, b: &GroupBy) -> bool {
    let keys = |g: &GroupBy| g.keys.iter().map(|(expr, _)| Arc::clone(expr)).collect::<Vec<_>>();
    all_same(&keys(a), &keys(b)) && a.sets == b.sets && a.grouping_id.is_some() == b.grouping_id.is_some()
}

fn same_calls(a: &AggregateCall, b: &AggregateCall) -> bool {
    let filters = match (&a.filter, &b.filter) {
        (Some(a), Some(b)) => same(a, b),
        (None, None) => true,
        _ => false,
    };
    let (a, b) = (&a.function, &b.function);
    let flags = |f: &datafusion_physical_expr::aggregate::AggregateFunctionExpr| {
        (f.is_distinct(), f.ignore_nulls(), f.is_reversed())
    };
    let orders = || {
        a.order_bys().len() == b.order_bys().len()
            && a.order_bys().iter().zip(b.order_bys()).all(|(a, b)| a.options == b.options && same(&a.expr, &b.expr))
    };
    filters && a.fun() == b.fun() && flags(a) == flags(b) && all_same(&a.expressions(), &b.expressions()) && orders()
}

fn all_same(a: &[Expr], b: &[Expr]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

/// Whether both give the same value for every row. Not so for what is random each time.
fn same(a: &Expr, b: &Expr) -> bool {
    let volatile = a.exists(|e| Ok(e.is_volatile_node())).unwrap_or(true);
    !volatile && unnamed(a) == unnamed(b)
}

fn unnamed(expr: &Expr) -> Expr {
    let without = |e: Arc<dyn PhysicalExpr>| {
        Ok(match e.downcast_ref::<Column>() {
            Some(column) => Transformed::yes(Arc::new(Column::new("", column.index())) as Expr),
            None => Transformed::no(e),
        })
    };
    Arc::clone(expr).transform(without).map_or_else(|_| Arc::clone(expr), |t| t.data)
}
