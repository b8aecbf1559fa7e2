//! Lateral joins: each row of the left side with the rows of a subquery that refers to it.

use datafusion::common::{JoinType, Result as PlanResult};
use datafusion::logical_expr::logical_plan::{Join, SubqueryAlias};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::pushed::Outer;

/// `join` as a plain join, if its right side is a subquery.
pub(super) fn joined(join: &Join, made: &mut usize) -> PlanResult<Option<LogicalPlan>> {
    let subquery = match join.right.as_ref() {
        LogicalPlan::Subquery(subquery) => subquery,
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. }) => match input.as_ref() {
            LogicalPlan::Subquery(subquery) => subquery,
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) || !join.on.is_empty() {
        return Ok(None);
    }
    let pushed = Outer::new(join.left.as_ref().clone(), made).pushed(&subquery.subquery)?;
    let names = join.right.schema().iter().map(|(q, f)| (q.cloned(), f.name().clone()));
    let columns = subquery.subquery.schema().columns().into_iter().zip(names);
    let named = columns.map(|(column, (q, name))| match column.relation == q && column.name == name {
        true => Expr::Column(column),
        false => Expr::Column(column).alias_qualified(q, name),
    });
    let keys = pushed.keys.iter().cloned().map(Expr::Column);
    let right =
        LogicalPlanBuilder::from(pushed.plan.clone()).project(named.chain(keys).collect::<Vec<_>>())?.build()?;
    let mut conditions = pushed.of_the_row(pushed.keys.iter().cloned());
    conditions.extend(join.filter.clone());
    let condition = conjunction(conditions).unwrap_or(lit(true));
    let plan = LogicalPlanBuilder::from(join.left.as_ref().clone()).join_on(right, join.join_type, [condition])?;
    plan.project(join.schema.columns().into_iter().map(Expr::Column))?.build().map(Some)
}
