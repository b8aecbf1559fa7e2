//! `FROM t CROSS JOIN UNNEST(t.list)`: a join with something that is made of each row alone.
//!
//! DataFusion plans it as a join whose right side refers to the left, and cannot run that. Here it becomes what it means:
//! the right side's steps done on the rows of the left. Before the plan is optimised, since the optimiser would drop the
//! columns that only the right side reads.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, NullHandling, Result as PlanResult, ScalarValue, UnnestOptions};
use datafusion::logical_expr::logical_plan::Join;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder};
use tidemill_core::Result;

use crate::error::planning;

/// `plan` without joins whose right side is made of each row of the left.
pub(crate) fn without_lateral(plan: LogicalPlan) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
        match on_the_rows(join)? {
            Some(rows) => Ok(Transformed::yes(rows)),
            None => Ok(Transformed::no(plan)),
        }
    });
    Ok(rewritten.map_err(planning)?.data)
}

fn on_the_rows(join: &Join) -> PlanResult<Option<LogicalPlan>> {
    let always = |e: &Expr| matches!(e, Expr::Literal(ScalarValue::Boolean(Some(true)), _));
    let outer = match (join.join_type, &join.filter) {
        _ if !join.on.is_empty() => return Ok(None),
        (JoinType::Inner, _) => false,
        // Another condition would have to bring back the rows that it leaves nothing of.
        (JoinType::Left, filter) if filter.as_ref().is_none_or(always) => true,
        _ => return Ok(None),
    };
    let left = Left { plan: join.left.as_ref(), columns: join.left.schema().columns(), outer };
    let Some(rows) = left.with(&join.right)? else { return Ok(None) };
    match join.filter.as_ref().filter(|f| !always(f)) {
        Some(filter) => LogicalPlanBuilder::from(rows).filter(filter.clone())?.build().map(Some),
        None => Ok(Some(rows)),
    }
}

/// The left side of a join.
struct Left<'a> {
    plan: &'a LogicalPlan,
    columns: Vec<Column>,
    /// Whether a row stays where the right side has none for it.
    outer: bool,
}

impl Left<'_> {
    /// The columns of the left side, and then those of `right`. `None` where `right` is not made of each row alone.
    fn with(&self, right: &LogicalPlan) -> PlanResult<Option<LogicalPlan>> {
        let rows = match right {
            LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => return Ok(Some(self.plan.clone())),
            LogicalPlan::Subquery(subquery) => return self.with(&subquery.subquery),
            LogicalPlan::Projection(projection) => {
                let Some(rows) = self.with(&projection.input)? else { return Ok(None) };
                let own = projection.expr.iter().cloned().map(of_the_row).collect::<PlanResult<Vec<_>>>()?;
                // One more column of a name would not be found by it.
                if own.iter().any(|e| self.has_name(e)) {
                    return Ok(None);
                }
                self.project(rows, own)?
            }
            LogicalPlan::SubqueryAlias(alias) => {
                // Its columns go straight to their new names: the old ones may be those of the left side, `LATERAL (SELECT t.a)`.
                if let LogicalPlan::Projection(projection) = without_names(&alias.input) {
                    let Some(rows) = self.with(&projection.input)? else { return Ok(None) };
                    let own = projection.expr.iter().cloned().zip(alias.schema.fields());
                    let named = own.map(|(e, f)| {
                        Ok(of_the_row(e)?.unalias().alias_qualified(Some(alias.alias.clone()), f.name()))
                    });
                    let named = named.collect::<PlanResult<Vec<_>>>()?;
                    return self.project(rows, named)?.build().map(Some);
                }
                let Some(rows) = self.with(&alias.input)? else { return Ok(None) };
                let columns = alias.input.schema().columns().into_iter().zip(alias.schema.fields());
                let named = columns.map(|(c, f)| Expr::Column(c).alias_qualified(Some(alias.alias.clone()), f.name()));
                self.project(rows, named.collect())?
            }
            // A condition on the right side alone decides there whether a left row has any partner.
            LogicalPlan::Filter(filter) if !self.outer => {
                let Some(rows) = self.with(&filter.input)? else { return Ok(None) };
                LogicalPlanBuilder::from(rows).filter(of_the_row(filter.predicate.clone())?)?
            }
            LogicalPlan::Unnest(unnest) => {
                let Some(rows) = self.with(&unnest.input)? else { return Ok(None) };
                let options = match self.outer {
                    true => {
                        UnnestOptions { null_handling: NullHandling::PreserveAndExpandEmpty, ..unnest.options.clone() }
                    }
                    false => UnnestOptions { null_handling: NullHandling::Drop, ..unnest.options.clone() },
                };
                LogicalPlanBuilder::from(rows).unnest_columns_with_options(unnest.exec_columns.clone(), options)?
            }
            _ => return Ok(None),
        };
        rows.build().map(Some)
    }

    /// Whether a column of the left side has the name of `expr`, or would be meant by it too.
    fn has_name(&self, expr: &Expr) -> bool {
        let (qualifier, name) = expr.qualified_name();
        let same = |c: &Column| c.relation.is_none() || qualifier.is_none() || c.relation == qualifier;
        self.columns.iter().any(|c| c.name == name && same(c))
    }

    fn project(&self, rows: LogicalPlan, own: Vec<Expr>) -> PlanResult<LogicalPlanBuilder> {
        let left = self.columns.iter().cloned().map(Expr::Column);
        LogicalPlanBuilder::from(rows).project(left.chain(own).collect::<Vec<_>>())
    }
}

fn without_names(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::Subquery(subquery) => without_names(&subquery.subquery),
        LogicalPlan::SubqueryAlias(alias) => without_names(&alias.input),
        other => other,
    }
}

/// References to the left side as columns, which they are now.
fn of_the_row(expr: Expr) -> PlanResult<Expr> {
    let name = match &expr {
        Expr::Alias(_) | Expr::Column(_) => None,
        other => Some(other.schema_name().to_string()),
    };
    let expr = expr.transform(|e| {
        Ok(match e {
            Expr::OuterReferenceColumn(_, column) => Transformed::yes(Expr::Column(column)),
            other => Transformed::no(other),
        })
    });
    let expr = expr?.data;
    // Steps above refer to it by the name that it had.
    Ok(match name {
        Some(name) => expr.alias(name),
        None => expr,
    })
}
