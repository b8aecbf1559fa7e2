//! Sessions in a batch, for aggregates that look at their rows as they came: `FIRST_VALUE(page)` of each session.
//!
//! To find sessions a batch sorts the rows by their times, and they would come to the aggregates in that order. So they are numbered
//! before, and such aggregates are ordered by the number.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Aggregate, Expr, Extension, LogicalPlan, LogicalPlanBuilder};
use tidemill_plan::window::WindowKind;

use crate::aggregates::in_turn::{open, ordered, without_order};
use crate::windows::arrival::ARRIVAL;
use crate::windows::node::WindowNode;

/// `plan` with such aggregates over sessions ordered by how their rows came.
pub(super) fn kept(plan: LogicalPlan) -> Result<LogicalPlan> {
    let kept = plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Aggregate(groups) => match numbered(&groups)? {
            Some(groups) => Ok(Transformed::yes(LogicalPlan::Aggregate(groups))),
            None => Ok(Transformed::no(LogicalPlan::Aggregate(groups))),
        },
        other => Ok(Transformed::no(other)),
    })?;
    Ok(kept.data)
}

fn numbered(groups: &Aggregate) -> Result<Option<Aggregate>> {
    if !groups.aggr_expr.iter().any(|e| without_order(e).is_some() || open(e).is_some()) {
        return Ok(None);
    }
    // What only passes rows on stands between.
    let (mut between, mut below) = (vec![], groups.input.as_ref());
    let session = loop {
        let step = below;
        below = match step {
            LogicalPlan::Projection(p) => &p.input,
            LogicalPlan::Filter(f) => &f.input,
            LogicalPlan::SubqueryAlias(a) => &a.input,
            LogicalPlan::Extension(Extension { node }) => match node.as_any().downcast_ref::<WindowNode>() {
                Some(node) if matches!(node.kind, WindowKind::Session { .. }) => break node,
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        between.push(step);
    };
    let rows = LogicalPlanBuilder::from(session.input.clone()).window(vec![row_number().alias(ARRIVAL)])?.build()?;
    let WindowNode { time, kind, offset, zone, partition_by, .. } = session.clone();
    let session = WindowNode::try_new(rows, time, kind, offset, zone, partition_by)?;
    let mut rows = LogicalPlanBuilder::from(LogicalPlan::Extension(Extension { node: Arc::new(session) }));
    for step in between.into_iter().rev() {
        rows = match step {
            LogicalPlan::Projection(projection) => {
                let number = Expr::Column(Column::from_name(ARRIVAL));
                rows.project(projection.expr.iter().cloned().chain([number]))?
            }
            LogicalPlan::Filter(filter) => rows.filter(filter.predicate.clone())?,
            LogicalPlan::SubqueryAlias(alias) => rows.alias(alias.alias.clone())?,
            _ => rows,
        };
    }
    let rows = rows.build()?;
    let number =
        rows.schema().columns().into_iter().find(|c| c.name == ARRIVAL).unwrap_or_else(|| Column::from_name(ARRIVAL));
    let by = [Expr::Column(number).sort(true, false)];
    let exprs = groups.aggr_expr.iter().map(|e| ordered(e.clone(), &by)).collect();
    Aggregate::try_new_with_schema(Arc::new(rows), groups.group_expr.clone(), exprs, Arc::clone(&groups.schema))
        .map(Some)
}
