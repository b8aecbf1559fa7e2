//! Which subqueries DataFusion's optimiser makes joins of that mean something else (version 55).
//!
//! - `x IN (..)` anywhere but among the conditions of a WHERE: its mark is false where SQL says NULL, which shows below NOT.
//! - `1 NOT IN (..)`, of a value without a column: its equality becomes a filter of the subquery, which drops the NULLs that it is about.
//! - A condition on outer columns below a function with OVER, an outer join, or a LIMIT: it is pulled up as if they were not there;
//!   or within a subquery in FROM: it is pulled up without its columns.
//! - A condition on outer columns below an aggregate over all rows, of which more is asked than its value: it has a row over nothing
//!   too, which DataFusion only sees where the value is the subquery's, or a plain calculation with it. So has a set of groups
//!   that is empty, as in ROLLUP.
//! - A condition on outer columns other than `column = outer column` below a grouping or a DISTINCT: rows of several of its values are
//!   several groups then.
//! - A condition on outer columns that holds a subquery of its own: it is pulled up with what is joined for that, under names that
//!   are no longer there.
//! - A condition on outer columns that reads a column whose name another has as well: above the subquery they are one.
//! - `x > ANY (..)` over the same table as the rows: both sides are compared as if they were one column. `MIN(x) IN (SELECT MIN(x) ..)`:
//!   neither has a table's name, so that the join that it becomes would not know which is which.
//! - A subquery in the condition of a join: it is moved to either side, where it still asks for the columns of the other. (Seen to
//!   where joins are rewritten.)
//! - A subquery within a subquery that refers to the query around both: the column is looked for one level too low.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, Result as PlanResult};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::logical_plan::{Aggregate, Join, Subquery, SubqueryAlias};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Distinct, Expr, LogicalPlan, Operator};

use super::pushed::rows_over_nothing;

/// Of one of the conditions of a WHERE over `input`.
pub(super) fn condition(condition: &Expr, input: &LogicalPlan) -> bool {
    // A plain NOT IN is a join that knows of NULL, as long as it has a key and no outer column is in it.
    let plain_not_in = match condition {
        Expr::InSubquery(of) if of.negated => Some(of),
        Expr::Not(inner) => match inner.as_ref() {
            Expr::InSubquery(of) if !of.negated => Some(of),
            _ => None,
        },
        _ => None,
    };
    match plain_not_in {
        Some(of) if !super::asks(&of.expr) => {
            !of.expr.any_column_refs() || names_itself(of) || super::is_correlated(&of.subquery)
        }
        _ => {
            null_matters(condition, false)
                || compares_with_itself(condition)
                || any_subquery(condition, &|s| below(s) || looks_past(s, &[input]))
        }
    }
}

/// Of an expression of `node` that gives a value.
pub(super) fn value(expr: &Expr, node: &LogicalPlan) -> bool {
    null_matters(expr, true)
        || compares_with_itself(expr)
        || any_subquery(expr, &|s| below(s) || looks_past(s, &node.inputs()))
}

/// Of a join whose right side is a subquery.
pub(super) fn lateral(join: &Join) -> bool {
    let subquery = match join.right.as_ref() {
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. }) => input.as_ref(),
        other => other,
    };
    matches!(subquery, LogicalPlan::Subquery(subquery) if below(subquery) || looks_past(subquery, &[&join.left]))
}

/// `matters`: whether NULL is not the same as false at this place.
fn null_matters(expr: &Expr, matters: bool) -> bool {
    match expr {
        Expr::InSubquery(of) => matters || of.negated || null_matters(&of.expr, true),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
            null_matters(left, matters) || null_matters(right, matters)
        }
        Expr::Alias(alias) => null_matters(&alias.expr, matters),
        other => {
            let mut found = false;
            // The visitor has no error of its own.
            let _ = other.apply_children(|child| {
                found |= null_matters(child, true);
                Ok(TreeNodeRecursion::Continue)
            });
            found
        }
    }
}

/// Whether a value is compared with those of a subquery in which its columns have the names of others.
fn compares_with_itself(expr: &Expr) -> bool {
    let named_so = |e: &Expr| match e {
        Expr::SetComparison(SetComparison { expr, subquery, .. }) => {
            let columns = expr.column_refs();
            let has = |node: &LogicalPlan| Ok(columns.iter().any(|c| node.schema().has_column(c)));
            subquery.subquery.exists(has)
        }
        Expr::InSubquery(of) => Ok(names_itself(of)),
        _ => Ok(false),
    };
    expr.exists(named_so).unwrap_or(false)
}

/// Whether a column without a table has the name of that which it is looked for in.
fn names_itself(of: &InSubquery) -> bool {
    let found = of.subquery.subquery.schema().field(0).name();
    of.expr.column_refs().iter().any(|c| c.relation.is_none() && c.name == *found)
}

/// Whether it is so of a subquery in `expr`.
fn any_subquery(expr: &Expr, is_so: &dyn Fn(&Subquery) -> bool) -> bool {
    expr.exists(|e| {
        Ok(match e {
            Expr::ScalarSubquery(subquery)
            | Expr::Exists(Exists { subquery, .. })
            | Expr::InSubquery(InSubquery { subquery, .. })
            | Expr::SetComparison(SetComparison { subquery, .. }) => is_so(subquery),
            _ => false,
        })
    })
    .unwrap_or(false)
}

/// Whether outer columns stand where conditions cannot be pulled up from.
fn below(subquery: &Subquery) -> bool {
    let plan = &subquery.subquery;
    let held_back = |node: &LogicalPlan| Ok(holds_back(node) && !node.all_out_ref_exprs().is_empty());
    super::is_correlated(subquery)
        && (plan.exists(held_back).unwrap_or(false)
            || row_over_nothing(plan)
            || plan.exists(asks_beside_outer).unwrap_or(false)
            || plan.exists(groups_apart).unwrap_or(false)
            || same_names(plan))
}

/// Whether a condition on outer columns holds a subquery of its own.
fn asks_beside_outer(node: &LogicalPlan) -> PlanResult<bool> {
    let mut found = false;
    node.apply_expressions(|expr| {
        found |= split_conjunction(expr).into_iter().any(|e| e.contains_outer() && super::asks(e));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Whether groups would be told apart by what a condition compares with outer columns.
fn groups_apart(node: &LogicalPlan) -> PlanResult<bool> {
    let grouped = match node {
        LogicalPlan::Aggregate(aggregate) => !aggregate.group_expr.is_empty(),
        LogicalPlan::Distinct(_) => true,
        _ => false,
    };
    let compares = |below: &LogicalPlan| {
        let mut found = false;
        below.apply_expressions(|expr| {
            found |= split_conjunction(expr).into_iter().any(|e| e.contains_outer() && !is_equality(e));
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(found)
    };
    Ok(grouped && node.inputs()[0].exists(compares)?)
}

/// `own column = outer column`.
fn is_equality(condition: &Expr) -> bool {
    let outer = |e: &Expr| matches!(e, Expr::OuterReferenceColumn(..));
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            outer(left) && !right.contains_outer() || outer(right) && !left.contains_outer()
        }
        _ => false,
    }
}

/// Whether the row that an aggregate has over nothing, of which outer columns decide, is asked for more than its value.
fn row_over_nothing(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) if projection.expr.iter().all(is_plain_value) => {
            row_over_nothing(&projection.input)
        }
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => below_more(&aggregate.input),
        other => below_more(other),
    }
}

/// Whether there is such an aggregate anywhere in `plan`, below something else.
fn below_more(plan: &LogicalPlan) -> bool {
    plan.exists(|node| Ok(matches!(node, LogicalPlan::Aggregate(aggregate) if over_all(aggregate)))).unwrap_or(false)
}

/// Whether it has a row over nothing, as an aggregate over all rows has, and outer columns choose its rows.
fn over_all(aggregate: &Aggregate) -> bool {
    rows_over_nothing(aggregate) > 0 && !aggregate.input.all_out_ref_exprs().is_empty()
}

/// A value, or a calculation with it whose operators are NULL for NULL.
fn is_plain_value(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::Alias(alias) => is_plain_value(&alias.expr),
        Expr::Cast(cast) => is_plain_value(&cast.expr),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            op.is_numerical_operators() && is_plain_value(left) && is_plain_value(right)
        }
        _ => false,
    }
}

/// Whether a condition on outer columns reads a column whose name others have as well, where it stands.
fn same_names(plan: &LogicalPlan) -> bool {
    let several = |node: &LogicalPlan, column: &Column| {
        let inputs = node.inputs();
        inputs.iter().flat_map(|i| i.schema().fields()).filter(|f| *f.name() == column.name).count() > 1
    };
    let shared = |node: &LogicalPlan| {
        let mut found = false;
        node.apply_expressions(|expr| {
            let correlated = split_conjunction(expr).into_iter().filter(|e| e.contains_outer());
            found |= correlated.flat_map(Expr::column_refs).any(|c| several(node, c));
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(found)
    };
    plan.exists(shared).unwrap_or(false)
}

/// Whether a subquery of an expression over `inputs` refers to a query further out.
fn looks_past(subquery: &Subquery, inputs: &[&LogicalPlan]) -> bool {
    let further = |e: &Expr| match e {
        Expr::OuterReferenceColumn(_, column) => !inputs.iter().any(|i| i.schema().has_column(column)),
        _ => false,
    };
    subquery.subquery.all_out_ref_exprs().iter().any(further)
}

/// Whether a condition means something else above the node than below it.
fn holds_back(node: &LogicalPlan) -> bool {
    match node {
        LogicalPlan::Window(_) | LogicalPlan::Limit(_) | LogicalPlan::Distinct(Distinct::On(_)) => true,
        // A subquery in FROM: its columns have other names above it.
        LogicalPlan::SubqueryAlias(_) => true,
        LogicalPlan::Join(join) => join.join_type != JoinType::Inner,
        _ => false,
    }
}
