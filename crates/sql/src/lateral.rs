//! `FROM t CROSS JOIN UNNEST(t.list)`, `FROM t, LATERAL (SELECT t.a + 1)`: a join with something that is made of each row alone.
//!
//! DataFusion plans it as a join whose right side refers to the left, and cannot run that. Here it becomes what it means:
//! the right side's steps done on the rows of the left. Before the plan is optimised, since the optimiser would drop the
//! columns that only the right side reads. Right sides that read anything else are left as they are.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, NullHandling, Result as PlanResult, ScalarValue, UnnestOptions};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::logical_plan::Join;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder};
use tidemill_core::Result;

use crate::error::planning;

/// `plan` without joins whose right side is made of each row of the left.
pub(crate) fn without_lateral(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewritten(plan).map_err(planning)
}

fn rewritten(plan: LogicalPlan) -> PlanResult<LogicalPlan> {
    let mut made = 0;
    let plan = plan.transform_down_with_subqueries(beside_all)?.data;
    // From the inside out: what is left of a join within a right side is a step like others.
    let flat = plan.transform_up_with_subqueries(|plan| {
        let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
        made += 1;
        match on_the_rows(join, made)? {
            Some(rows) => Ok(Transformed::yes(rows)),
            None => Ok(Transformed::no(plan)),
        }
    })?;
    match flat.transformed {
        // What may be NULL can have changed.
        true => Ok(flat.data.transform_up_with_subqueries(|p| p.recompute_schema().map(Transformed::yes))?.data),
        false => Ok(flat.data),
    }
}

/// `FROM a, b CROSS JOIN LATERAL (.. a.x ..)`, where the right side sees `a` too: the join with it becomes one of `a` and `b` together.
fn beside_all(plan: LogicalPlan) -> PlanResult<Transformed<LogicalPlan>> {
    let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
    let LogicalPlan::Join(inner) = join.right.as_ref() else { return Ok(Transformed::no(plan)) };
    let crosses = join.join_type == JoinType::Inner && join.on.is_empty() && join.filter.is_none();
    let keeps_left = matches!(inner.join_type, JoinType::Inner | JoinType::Left);
    if !crosses || !keeps_left || !refers(&join.right, &join.left)? {
        return Ok(Transformed::no(plan));
    }
    let left = LogicalPlanBuilder::from(join.left.as_ref().clone()).cross_join(inner.left.as_ref().clone())?.build()?;
    // The columns are the same, in the same order.
    let schema = Arc::clone(&join.schema);
    Ok(Transformed::yes(LogicalPlan::Join(Join { left: Arc::new(left), schema, ..inner.clone() })))
}

/// Whether something in `plan` reads a column of `outer` from outside.
fn refers(plan: &LogicalPlan, outer: &LogicalPlan) -> PlanResult<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|step| {
        step.apply_expressions(|expr| {
            found |= expr.exists(|e| {
                Ok(matches!(e, Expr::OuterReferenceColumn(_, column) if outer.schema().has_column(column)))
            })?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(found)
}

fn on_the_rows(join: &Join, made: usize) -> PlanResult<Option<LogicalPlan>> {
    let always = |e: &Expr| matches!(e, Expr::Literal(ScalarValue::Boolean(Some(true)), _));
    let outer = match (join.join_type, &join.filter) {
        _ if !join.on.is_empty() => return Ok(None),
        (JoinType::Inner, _) => false,
        // Another condition would have to bring back the rows that it leaves nothing of.
        (JoinType::Left, filter) if filter.as_ref().is_none_or(always) => true,
        _ => return Ok(None),
    };
    let left = Left::of(join, made, outer)?;
    let Some(rows) = left.with(&join.right)? else { return Ok(None) };
    let rows = LogicalPlanBuilder::from(rows.plan).project(left.called_as_before(&join.right))?;
    match join.filter.as_ref().filter(|f| !always(f)) {
        Some(filter) => rows.filter(filter.clone())?.build().map(Some),
        None => rows.build().map(Some),
    }
}

/// The left side of a join.
struct Left<'a> {
    plan: &'a LogicalPlan,
    /// Its columns, and what they are called meanwhile: by a name that no step of the right side has.
    columns: Vec<(Column, Column)>,
    /// Whether a row stays where the right side has none for it.
    outer: bool,
}

/// The left side's columns, and after them those of a step of the right side, called as that step calls them.
struct Rows {
    plan: LogicalPlan,
    /// Whether lists were taken apart, so that a row may be there that only the left side has.
    unnested: bool,
}

impl<'a> Left<'a> {
    fn of(join: &'a Join, made: usize, outer: bool) -> PlanResult<Self> {
        let mut taken = HashSet::new();
        join.right.apply_with_subqueries(|step| {
            taken.extend(step.schema().fields().iter().map(|f| f.name().clone()));
            Ok(TreeNodeRecursion::Continue)
        })?;
        let plan = join.left.as_ref();
        let meanwhile = |(i, column): (usize, Column)| match taken.contains(&column.name) {
            true => (column, Column::new_unqualified(format!("__left_{made}_{i}"))),
            false => (column.clone(), column),
        };
        let columns = plan.schema().columns().into_iter().enumerate().map(meanwhile).collect();
        Ok(Self { plan, columns, outer })
    }

    /// The rows of `right`, beside the row of which each is made. `None` where `right` is not made of each row alone.
    fn with(&self, right: &LogicalPlan) -> PlanResult<Option<Rows>> {
        if self.is_asked_in(right)? {
            return Ok(None);
        }
        let input = match right {
            LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => {
                return Ok(Some(Rows { plan: self.renamed()?, unnested: false }));
            }
            LogicalPlan::Subquery(subquery) => return self.with(&subquery.subquery),
            LogicalPlan::Projection(projection) => &projection.input,
            LogicalPlan::SubqueryAlias(alias) => &alias.input,
            // A condition on the right side alone decides there whether a left row has any partner.
            LogicalPlan::Filter(filter) if !self.outer => &filter.input,
            LogicalPlan::Unnest(unnest) => &unnest.input,
            _ => return Ok(None),
        };
        let Some(Rows { plan, mut unnested }) = self.with(input)? else { return Ok(None) };
        let rows = LogicalPlanBuilder::from(plan);
        let rows = match right {
            LogicalPlan::Projection(projection) => {
                if self.outer && unnested && !projection.expr.iter().all(is_null_of_nothing) {
                    return Ok(None);
                }
                let of_the_row = projection.expr.iter().map(|e| self.of_the_row(e.clone()));
                rows.project(self.beside(of_the_row.collect::<PlanResult<Vec<_>>>()?, right))?
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let columns = alias.input.schema().columns().into_iter().map(Expr::Column).collect();
                rows.project(self.beside(columns, right))?
            }
            LogicalPlan::Filter(filter) => rows.filter(self.of_the_row(filter.predicate.clone())?)?,
            LogicalPlan::Unnest(unnest) => {
                unnested = true;
                let null_handling = match self.outer {
                    true => NullHandling::PreserveAndExpandEmpty,
                    false => NullHandling::Drop,
                };
                let options = UnnestOptions { null_handling, ..unnest.options.clone() };
                rows.unnest_columns_with_options(unnest.exec_columns.clone(), options)?
            }
            _ => return Ok(None),
        };
        Ok(Some(Rows { plan: rows.build()?, unnested }))
    }

    /// Whether a subquery in an expression of `step` refers to the left side: as it is called there, and not meanwhile.
    fn is_asked_in(&self, step: &LogicalPlan) -> PlanResult<bool> {
        let mut asked = false;
        step.apply_expressions(|expr| {
            asked |= expr.exists(|e| match e {
                Expr::ScalarSubquery(subquery)
                | Expr::Exists(Exists { subquery, .. })
                | Expr::InSubquery(InSubquery { subquery, .. })
                | Expr::SetComparison(SetComparison { subquery, .. }) => refers(&subquery.subquery, self.plan),
                _ => Ok(false),
            })?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(asked)
    }

    fn renamed(&self) -> PlanResult<LogicalPlan> {
        if self.columns.iter().all(|(column, meanwhile)| column == meanwhile) {
            return Ok(self.plan.clone());
        }
        let named = self.columns.iter().map(|(column, meanwhile)| called(column, meanwhile)).collect::<Vec<_>>();
        LogicalPlanBuilder::from(self.plan.clone()).project(named)?.build()
    }

    /// The columns of the left side, and `exprs` as `right` calls its columns.
    fn beside(&self, exprs: Vec<Expr>, right: &LogicalPlan) -> Vec<Expr> {
        let own = self.columns.iter().map(|(_, meanwhile)| Expr::Column(meanwhile.clone()));
        let named = exprs.into_iter().zip(right.schema().iter()).map(|(expr, (table, field))| {
            match expr.qualified_name() == (table.cloned(), field.name().clone()) {
                true => expr,
                false => expr.unalias().alias_qualified(table.cloned(), field.name()),
            }
        });
        own.chain(named).collect()
    }

    /// The columns of both sides as the join had them.
    fn called_as_before(&self, right: &LogicalPlan) -> Vec<Expr> {
        let left = self.columns.iter().map(|(column, meanwhile)| called(meanwhile, column));
        left.chain(right.schema().columns().into_iter().map(Expr::Column)).collect()
    }

    /// References to the left side as columns, which they are now. Those to a query further out stay.
    fn of_the_row(&self, expr: Expr) -> PlanResult<Expr> {
        let expr = expr.transform(|e| {
            let Expr::OuterReferenceColumn(_, outer) = &e else { return Ok(Transformed::no(e)) };
            let own = self.columns.iter().find(|(column, _)| column == outer);
            Ok(own
                .map_or(Transformed::no(e.clone()), |(_, meanwhile)| Transformed::yes(Expr::Column(meanwhile.clone()))))
        });
        Ok(expr?.data)
    }
}

/// A column under another name.
fn called(column: &Column, name: &Column) -> Expr {
    let expr = Expr::Column(column.clone());
    if column == name { expr } else { expr.alias_qualified(name.relation.clone(), name.name.clone()) }
}

/// Whether an expression over a list that is taken apart is NULL where the list had no element.
fn is_null_of_nothing(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) => true,
        Expr::Alias(alias) => is_null_of_nothing(&alias.expr),
        Expr::Cast(cast) => is_null_of_nothing(&cast.expr),
        Expr::ScalarFunction(call) => call.name() == "get_field" && call.args.first().is_some_and(is_null_of_nothing),
        _ => false,
    }
}
