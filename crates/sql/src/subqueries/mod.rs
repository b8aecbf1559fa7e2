//! Subqueries as joins, where DataFusion's optimiser does not make joins of them or loses a NULL on the way.
//!
//! DataFusion pulls the conditions of a subquery up into the join that takes its place, which works where they are plain
//! conditions on rows. What is general is the other direction (T. Neumann, A. Kemper, *Unnesting Arbitrary Queries*, BTW 2015): the
//! distinct values of the outer columns are joined into the subquery, where it refers to them, and go up through it as
//! columns of its own ([`pushed`]); then it can be joined with the outer rows on those values. Groupings group by them too,
//! a LIMIT counts within them, an aggregate over nothing has its row for each of them.
//!
//! [`rewritten`] is asked twice. Before the optimiser, for what it would answer wrongly ([`misplanned`]). And when the optimiser has
//! left a subquery behind, for all of them.

mod lateral_planner;
mod laterals;
mod marks;
mod misplanned;
mod pushed;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, Result as PlanResult};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::logical_plan::Subquery;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Aggregate, Distinct, DistinctOn, Expr, Join, LogicalPlan, LogicalPlanBuilder, Projection, Sort, SortExpr, Window,
};
use tidemill_core::Error;

use crate::error::carried;
pub(crate) use lateral_planner::LateralPlanner;
use marks::Marks;

/// Which subqueries are rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those to which DataFusion's optimiser gives another meaning.
    Misplanned,
    /// All that a join of DataFusion's does not stand for.
    All,
}

/// `plan` with subqueries as joins. Columns keep their names and places. `made` numbers the relations that are named, over all
/// calls for one query.
pub(crate) fn rewritten(plan: LogicalPlan, which: Which, made: &mut usize) -> PlanResult<Transformed<LogicalPlan>> {
    let mut rewrite = Rewrite { which, made };
    let rewritten = plan.transform_up_with_subqueries(|node| rewrite.node(node))?;
    match rewritten.transformed {
        // What stands above was planned with other columns below.
        true => rewritten.data.transform_up_with_subqueries(|p| p.recompute_schema().map(Transformed::yes)),
        false => Ok(rewritten),
    }
}

/// Whether `plan` has a subquery, or a reference to an outer query, in an expression.
pub(crate) fn left_behind(plan: &LogicalPlan) -> bool {
    let mut found = false;
    // The visitor has no error of its own.
    let _ = plan.apply(|node| {
        found |= matches!(node, LogicalPlan::Subquery(_)) || node.expressions().iter().any(holds_subquery);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found
}

/// Whether an expression of `plan` still refers to an outer query.
pub(crate) fn refers_outwards(plan: &LogicalPlan) -> bool {
    plan.exists(|node| Ok(node.contains_outer_reference() || !node.all_out_ref_exprs().is_empty())).unwrap_or(false)
}

/// The columns of queries around `plan` that it reads, be it in a subquery.
fn outer_references(plan: &LogicalPlan) -> Vec<Expr> {
    let mut found = vec![];
    // The visitors have no errors of their own.
    let _ = plan.apply_expressions(|expr| {
        let _ = expr.apply(|e| {
            match e {
                Expr::OuterReferenceColumn(..) => found.push(e.clone()),
                Expr::ScalarSubquery(subquery)
                | Expr::Exists(Exists { subquery, .. })
                | Expr::InSubquery(InSubquery { subquery, .. })
                | Expr::SetComparison(SetComparison { subquery, .. }) => {
                    let inputs = plan.inputs();
                    let further = outer_references(&subquery.subquery);
                    found.extend(further.into_iter().filter(|r| !inputs.iter().any(|input| is_of(r, input))));
                }
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        });
        Ok(TreeNodeRecursion::Continue)
    });
    match plan {
        // The right side may be a lateral one.
        LogicalPlan::Join(join) => {
            found.extend(outer_references(&join.left));
            found.extend(outer_references(&join.right).into_iter().filter(|r| !is_of(r, &join.left)));
        }
        other => found.extend(other.inputs().into_iter().flat_map(outer_references)),
    }
    found
}

/// Whether a reference is to a column of `plan`.
fn is_of(reference: &Expr, plan: &LogicalPlan) -> bool {
    matches!(reference, Expr::OuterReferenceColumn(_, column) if plan.schema().has_column(column))
}

/// Whether a subquery refers to a query around it. (What it says of itself is as old as its text.)
fn is_correlated(subquery: &Subquery) -> bool {
    !subquery.subquery.all_out_ref_exprs().is_empty()
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_))
}

fn holds_subquery(expr: &Expr) -> bool {
    expr.exists(|e| Ok(is_subquery(e) || matches!(e, Expr::OuterReferenceColumn(..)))).unwrap_or(false)
}

fn asks(expr: &Expr) -> bool {
    expr.exists(|e| Ok(is_subquery(e))).unwrap_or(false)
}

struct Rewrite<'a> {
    which: Which,
    /// How many relations have been named so far.
    made: &'a mut usize,
}

impl Rewrite<'_> {
    fn node(&mut self, node: LogicalPlan) -> PlanResult<Transformed<LogicalPlan>> {
        let all = self.which == Which::All;
        match node {
            LogicalPlan::Filter(filter) => {
                let conditions = split_conjunction_owned(filter.predicate.clone());
                let input = filter.input.as_ref();
                let ours = |e: &Expr| if all { needs_join(e) } else { misplanned::condition(e, input) };
                if !conditions.iter().any(ours) {
                    return Ok(Transformed::no(LogicalPlan::Filter(filter)));
                }
                let (ours, others): (Vec<_>, Vec<_>) = conditions.into_iter().partition(ours);
                self.filter(input.clone(), ours, others).map(Transformed::yes)
            }
            LogicalPlan::Join(join) if all || misplanned::lateral(&join) || join.filter.as_ref().is_some_and(asks) => {
                self.join(join)
            }
            LogicalPlan::Distinct(Distinct::On(distinct)) if first_rows_ask(&distinct) => {
                self.distinct_on(distinct).map(Transformed::yes)
            }
            other if !other.expressions().iter().any(|e| if all { asks(e) } else { misplanned::value(e, &other) }) => {
                Ok(Transformed::no(other))
            }
            LogicalPlan::Projection(projection) => self.projection(projection).map(Transformed::yes),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate).map(Transformed::yes),
            LogicalPlan::Window(window) => self.window(window).map(Transformed::yes),
            LogicalPlan::Sort(sort) => self.sort(sort).map(Transformed::yes),
            other => Ok(Transformed::no(other)),
        }
    }

    fn filter(&mut self, input: LogicalPlan, ours: Vec<Expr>, mut kept: Vec<Expr>) -> PlanResult<LogicalPlan> {
        let columns = input.schema().columns();
        let mut marks = Marks::over(input, self.made);
        for condition in ours {
            match condition {
                Expr::Exists(Exists { subquery, negated }) => {
                    let kind = if negated { JoinType::LeftAnti } else { JoinType::LeftSemi };
                    marks.partner(&subquery, None, kind)?;
                }
                Expr::InSubquery(InSubquery { expr, subquery, negated: false }) if !asks(&expr) => {
                    marks.partner(&subquery, Some(*expr), JoinType::LeftSemi)?;
                }
                other => kept.push(marks.value(other)?),
            }
        }
        let grown = LogicalPlanBuilder::from(marks.into_plan());
        let filtered = match conjunction(kept) {
            Some(condition) => grown.filter(condition)?,
            None => grown,
        };
        filtered.project(columns.into_iter().map(Expr::Column))?.build()
    }

    fn projection(&mut self, projection: Projection) -> PlanResult<LogicalPlan> {
        let mut marks = Marks::over(projection.input.as_ref().clone(), self.made);
        let named = projection.expr.into_iter().map(|e| marks.named_value(e)).collect::<PlanResult<Vec<_>>>()?;
        LogicalPlanBuilder::from(marks.into_plan()).project(named)?.build()
    }

    fn aggregate(&mut self, aggregate: Aggregate) -> PlanResult<LogicalPlan> {
        let mut marks = Marks::over(aggregate.input.as_ref().clone(), self.made);
        let mut values = |exprs: Vec<Expr>| exprs.into_iter().map(|e| marks.value(e)).collect::<PlanResult<Vec<_>>>();
        let (groups, aggregates) = (values(aggregate.group_expr)?, values(aggregate.aggr_expr)?);
        let grown = LogicalPlan::Aggregate(Aggregate::try_new(marks.into_plan().into(), groups, aggregates)?);
        named_as(grown, &aggregate.schema)
    }

    fn window(&mut self, window: Window) -> PlanResult<LogicalPlan> {
        let columns = window.input.schema().columns();
        let mut marks = Marks::over(window.input.as_ref().clone(), self.made);
        let exprs = window.window_expr.into_iter().map(|e| marks.value(e)).collect::<PlanResult<Vec<_>>>()?;
        let grown = marks.into_plan();
        let before = grown.schema().fields().len();
        let grown = LogicalPlan::Window(Window::try_new(exprs, grown.into())?);
        let new = grown.schema().columns().into_iter().skip(before);
        let names = window.schema.iter().skip(columns.len());
        let new = new.zip(names).map(|(c, (q, f))| Expr::Column(c).alias_qualified(q.cloned(), f.name()));
        let all = columns.into_iter().map(Expr::Column).chain(new.collect::<Vec<_>>());
        LogicalPlanBuilder::from(grown).project(all)?.build()
    }

    fn sort(&mut self, sort: Sort) -> PlanResult<LogicalPlan> {
        let columns = sort.input.schema().columns();
        let mut marks = Marks::over(sort.input.as_ref().clone(), self.made);
        let by = |s: SortExpr| Ok(SortExpr { expr: marks.value(s.expr)?, ..s });
        let by = sort.expr.into_iter().map(by).collect::<PlanResult<Vec<_>>>()?;
        let sorted = LogicalPlan::Sort(Sort { expr: by, input: marks.into_plan().into(), fetch: sort.fetch });
        LogicalPlanBuilder::from(sorted).project(columns.into_iter().map(Expr::Column))?.build()
    }

    /// DataFusion refuses subqueries there that are correlated.
    fn distinct_on(&mut self, distinct: DistinctOn) -> PlanResult<LogicalPlan> {
        let DistinctOn { on_expr, select_expr, sort_expr, input, .. } = distinct;
        let mut marks = Marks::over(input.as_ref().clone(), self.made);
        let mut by = Vec::with_capacity(on_expr.len());
        for expr in &on_expr {
            by.push(marks.value(expr.clone())?);
        }
        // ORDER BY begins with the very expressions of ON.
        let ordered = |(i, s): (usize, SortExpr)| match on_expr.get(i) == Some(&s.expr) {
            true => Ok(SortExpr { expr: by[i].clone(), ..s }),
            false => Ok(SortExpr { expr: marks.value(s.expr)?, ..s }),
        };
        let order = match sort_expr {
            Some(order) => Some(order.into_iter().enumerate().map(ordered).collect::<PlanResult<Vec<_>>>()?),
            None => None,
        };
        let select = select_expr.into_iter().map(|e| marks.named_value(e)).collect::<PlanResult<Vec<_>>>()?;
        let distinct = DistinctOn::try_new(by, select, order, marks.into_plan().into())?;
        Ok(LogicalPlan::Distinct(Distinct::On(distinct)))
    }

    /// A lateral join, or a join whose condition asks.
    fn join(&mut self, join: Join) -> PlanResult<Transformed<LogicalPlan>> {
        if let Some(plan) = laterals::joined(&join, self.made)? {
            return Ok(Transformed::yes(plan));
        }
        let conditions = join.filter.clone().map(split_conjunction_owned).unwrap_or_default();
        if !conditions.iter().any(asks) {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        if join.join_type != JoinType::Inner {
            return self.outer_join(join, conditions);
        }
        // What an inner join asks of its pairs may as well be asked of its rows.
        let (ours, others): (Vec<_>, Vec<_>) = conditions.into_iter().partition(asks);
        let joined = LogicalPlan::Join(Join { filter: conjunction(others), ..join });
        if self.which == Which::All {
            return self.filter(joined, ours, vec![]).map(Transformed::yes);
        }
        let ours = ours.into_iter().reduce(Expr::and);
        let asked = ours.map(|ours| LogicalPlanBuilder::from(joined.clone()).filter(ours)?.build());
        self.node(asked.unwrap_or(Ok(joined))?).map(|plan| Transformed::yes(plan.data))
    }

    /// An outer, semi or anti join whose condition asks: of the rows of its sides, whose columns the answers become. A subquery about
    /// both sides at once is refused.
    fn outer_join(&mut self, join: Join, conditions: Vec<Expr>) -> PlanResult<Transformed<LogicalPlan>> {
        let columns = join.schema.columns();
        let mut sides = [join.left.as_ref().clone(), join.right.as_ref().clone()];
        let mut kept = vec![];
        let mut changed = false;
        for condition in conditions {
            // Each subquery is one about the rows of a side, if it is about those of one alone.
            let asked = condition.transform_down(|e| {
                let side = match is_subquery(&e) {
                    true => sides.iter_mut().find(|side| reads_only(&e, side)),
                    false => None,
                };
                let Some(side) = side else { return Ok(Transformed::no(e)) };
                let mut marks = Marks::over(side.clone(), self.made);
                let value = marks.value(e)?;
                *side = marks.into_plan();
                Ok(Transformed::new(value, true, TreeNodeRecursion::Jump))
            })?;
            changed |= asked.transformed;
            if asks(&asked.data) {
                let error = "a subquery about both sides of an outer join, in its condition, is not supported";
                return Err(carried(Error::unsupported(error).with_hint("Ask it of a query in FROM that is joined.")));
            }
            kept.push(asked.data);
        }
        if !changed {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        let [left, right] = sides.map(Into::into);
        let filter = conjunction(kept);
        let joined = Join::try_new(
            left,
            right,
            join.on,
            filter,
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?;
        let columns = columns.into_iter().map(Expr::Column);
        LogicalPlanBuilder::from(LogicalPlan::Join(joined)).project(columns)?.build().map(Transformed::yes)
    }
}

fn first_rows_ask(distinct: &DistinctOn) -> bool {
    let order = distinct.sort_expr.iter().flatten().map(|s| &s.expr);
    distinct.on_expr.iter().chain(&distinct.select_expr).chain(order).any(asks)
}

/// Whether all columns that `expr` reads, its subqueries too, are of `side`.
fn reads_only(expr: &Expr, side: &LogicalPlan) -> bool {
    let of_side = |column: &Column| side.schema().has_column(column);
    let mut all = expr.column_refs().into_iter().all(of_side);
    // The visitor has no error of its own.
    let _ = expr.apply(|e| {
        if let Expr::ScalarSubquery(subquery)
        | Expr::Exists(Exists { subquery, .. })
        | Expr::InSubquery(InSubquery { subquery, .. })
        | Expr::SetComparison(SetComparison { subquery, .. }) = e
        {
            let references = subquery.subquery.all_out_ref_exprs();
            all &= references.iter().all(|r| matches!(r, Expr::OuterReferenceColumn(_, column) if of_side(column)));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    all
}

/// Whether DataFusion makes no join of this condition: of a plain `IN` without outer columns it does.
fn needs_join(condition: &Expr) -> bool {
    match condition {
        Expr::InSubquery(InSubquery { expr, subquery, .. }) if !asks(expr) => is_correlated(subquery),
        other => asks(other),
    }
}

/// The columns of `plan`, called as in `schema`.
pub(crate) fn named_as(plan: LogicalPlan, schema: &DFSchema) -> PlanResult<LogicalPlan> {
    let columns = plan.schema().columns().into_iter().zip(schema.iter());
    let named: Vec<Expr> = columns
        .map(|(column, (qualifier, field))| {
            match column.relation.as_ref() == qualifier && column.name == *field.name() {
                true => Expr::Column(column),
                false => Expr::Column(column).alias_qualified(qualifier.cloned(), field.name()),
            }
        })
        .collect();
    LogicalPlanBuilder::from(plan).project(named)?.build()
}
