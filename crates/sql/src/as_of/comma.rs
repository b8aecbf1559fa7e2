//! `FROM o, t FOR SYSTEM_TIME AS OF o.ts WHERE o.k = t.k`: what WHERE equates moves into the join that asks for it.
//!
//! Of an inner join that is the same, since it asks of each pair what WHERE asks of each row.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{DFSchema, JoinType, Result};
use datafusion::logical_expr::logical_plan::Join;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, Filter, LogicalPlan, Operator};

use super::mark::{Ask, unmarked};

/// `plan` with the equalities of WHERE in the joins with a mark.
pub(super) fn into_joins(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_down_with_subqueries(|plan| {
        let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
        let mut conditions = split_conjunction_owned(filter.predicate.clone());
        let before = conditions.len();
        let input = take(&filter.input, &mut conditions)?;
        if conditions.len() == before {
            return Ok(Transformed::no(plan));
        }
        Ok(Transformed::yes(match conjunction(conditions) {
            Some(rest) => LogicalPlan::Filter(Filter::try_new(rest, Arc::new(input))?),
            None => input,
        }))
    })
    .data()
}

/// `plan` with those of `conditions` that equate the sides of a marked join in it, which then are no more in `conditions`.
fn take(plan: &LogicalPlan, conditions: &mut Vec<Expr>) -> Result<LogicalPlan> {
    let LogicalPlan::Join(join) = plan else { return Ok(plan.clone()) };
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
        return Ok(plan.clone());
    }
    let left = take(&join.left, conditions)?;
    let marked = matches!(unmarked(&join.right)?, Some((_, Ask::SystemTime(_))));
    if join.join_type == JoinType::Left || !marked {
        let right = match join.join_type {
            JoinType::Inner => Arc::new(take(&join.right, conditions)?),
            _ => Arc::clone(&join.right),
        };
        return Ok(LogicalPlan::Join(Join { left: Arc::new(left), right, ..join.clone() }));
    }
    let (ours, rest): (Vec<Expr>, Vec<Expr>) =
        conditions.drain(..).partition(|c| equates(c, join.left.schema(), join.right.schema()));
    *conditions = rest;
    let filter = conjunction(join.filter.clone().into_iter().chain(ours));
    Ok(LogicalPlan::Join(Join { left: Arc::new(left), filter, ..join.clone() }))
}

fn equates(condition: &Expr, left: &DFSchema, right: &DFSchema) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left: a, op: Operator::Eq, right: b }) = condition else { return false };
    let of = |e: &Expr, schema: &DFSchema| {
        let columns = e.column_refs();
        !columns.is_empty() && columns.iter().all(|c| schema.has_column(c))
    };
    (of(a, left) && of(b, right)) || (of(b, left) && of(a, right))
}
