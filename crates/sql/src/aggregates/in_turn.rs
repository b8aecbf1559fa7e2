//! Aggregates that look at their rows in turn, where nothing says in which order: no `ORDER BY`, or one in which rows are equal, and rows that
//! come in none, out of a join, a grouping or a table of changes. These are ordered by all columns that such aggregates of the grouping read, so
//! that they all see the same order, in the dataflow and in a batch.
//!
//! The rows of a table that only come have an order, that in which they come, and so have sorted ones. Values that count once
//! (`ARRAY_AGG(DISTINCT x)`) are in no order even then, and are put in their own.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment};
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, Extension, LogicalPlan, SortExpr};
use tidemill_plan::window::WindowKind;

use crate::catalog::StreamScan;
use crate::lower::changelog::table_changelog;
use crate::lower::distinct_on::whole_rows;
use crate::windows::node::{WINDOW_COLUMNS, WindowNode};

/// DataFusion's aggregates that look at their rows in turn. Of others only they themselves know.
pub(crate) const IN_TURN: &[&str] = &["any_value", "array_agg", "first_value", "last_value", "nth_value", "string_agg"];

/// The call of such an aggregate that says nothing of an order, under whatever name.
pub(crate) fn without_order(expr: &Expr) -> Option<&AggregateFunction> {
    free(expr).filter(|call| !call.params.distinct)
}

/// A call of such an aggregate with an `ORDER BY` that does not say all of what the function sees, under whatever name. Rows that are equal in
/// it are told apart by what would order them without it.
pub(crate) fn open(expr: &Expr) -> Option<&AggregateFunction> {
    match expr {
        Expr::Alias(alias) => open(&alias.expr),
        Expr::AggregateFunction(call) => {
            let params = &call.params;
            let says = |arg: &Expr| arg.column_refs().is_empty() || params.order_by.iter().any(|s| s.expr == *arg);
            let ordered = !params.order_by.is_empty() && !params.distinct && IN_TURN.contains(&call.func.name());
            (ordered && !params.args.iter().all(says)).then_some(call)
        }
        _ => None,
    }
}

fn free(expr: &Expr) -> Option<&AggregateFunction> {
    match expr {
        Expr::Alias(alias) => free(&alias.expr),
        Expr::AggregateFunction(call) => {
            (call.params.order_by.is_empty() && IN_TURN.contains(&call.func.name())).then_some(call)
        }
        _ => None,
    }
}

/// `expr`, if it is one of these calls, with an order, or a longer one, which leaves its name as it was.
pub(crate) fn ordered(expr: Expr, by: &[SortExpr]) -> Expr {
    if without_order(&expr).is_some() || open(&expr).is_some() { put_in_order(expr, by) } else { expr }
}

/// `order` without what it has twice, under whatever name: `ORDER BY a, a`. DataFusion leaves that out at some places only, and panics.
pub(super) fn each_once(order: &[SortExpr]) -> Vec<SortExpr> {
    let mut seen = vec![];
    let first = |by: &&SortExpr| {
        let plain = by.expr.clone().unalias_nested().data;
        let new = !seen.contains(&plain);
        seen.push(plain);
        new
    };
    order.iter().filter(first).cloned().collect()
}

fn put_in_order(expr: Expr, by: &[SortExpr]) -> Expr {
    match expr {
        Expr::Alias(mut alias) => {
            *alias.expr = put_in_order(*alias.expr, by);
            Expr::Alias(alias)
        }
        Expr::AggregateFunction(mut call) => {
            let name = Expr::AggregateFunction(call.clone()).schema_name().to_string();
            if call.func.name() == "any_value" {
                // Any value is one that is there, and this function takes no order.
                call.func = first_value_udaf();
                call.params.null_treatment = Some(NullTreatment::IgnoreNulls);
            }
            call.params.order_by.extend_from_slice(by);
            call.params.order_by = each_once(&call.params.order_by);
            Expr::AggregateFunction(call).alias(name)
        }
        other => other,
    }
}

/// `aggregate` with an order where it needs one; `None` where it is as it should be.
pub(super) fn with_order(aggregate: &Aggregate) -> Result<Option<Aggregate>> {
    // The first rows of groups are whole rows, which all of their columns tell apart.
    let whole = whole_rows(aggregate).is_some();
    let left_open = |e: &Expr| !whole && open(e).is_some();
    if !aggregate.aggr_expr.iter().any(|e| free(e).is_some() || left_open(e)) {
        return Ok(None);
    }
    let schema = aggregate.input.schema();
    let mut by: Vec<SortExpr> = vec![];
    let rows_in_order = match session_below(&aggregate.input) {
        // Rows that come out of a session are in an order of its own; where the grouping is that of its rows, nothing comes between.
        Some((session, filtered)) => !filtered && groups_of(aggregate, session) && in_order(&session.input),
        None => in_order(&aggregate.input),
    };
    if !rows_in_order {
        by = columns(
            aggregate.aggr_expr.iter().filter_map(|e| without_order(e).or_else(|| open(e).filter(|_| !whole))),
            schema,
        )?;
    }
    let mut changed = false;
    let exprs = aggregate.aggr_expr.iter().map(|expr| {
        let by = match free(expr) {
            // Of the others that count values once ours are made, which do so: see `distinct`.
            Some(call) if call.params.distinct && call.func.name() == "array_agg" => columns([call], schema)?,
            Some(call) if !call.params.distinct => by.clone(),
            None if left_open(expr) => by.clone(),
            _ => vec![],
        };
        changed |= !by.is_empty();
        Ok(if by.is_empty() { expr.clone() } else { put_in_order(expr.clone(), &by) })
    });
    let exprs = exprs.collect::<Result<Vec<_>>>()?;
    let ordered = || Aggregate::try_new(aggregate.input.clone(), aggregate.group_expr.clone(), exprs);
    changed.then(ordered).transpose()
}

/// All that `calls` read, as an order.
fn columns<'a>(calls: impl IntoIterator<Item = &'a AggregateFunction>, schema: &DFSchema) -> Result<Vec<SortExpr>> {
    let mut by: Vec<SortExpr> = vec![];
    for arg in calls.into_iter().flat_map(|call| &call.params.args) {
        if sortable(arg, schema)? && !by.iter().any(|s| s.expr == *arg) {
            by.push(arg.clone().sort(true, false));
        }
    }
    Ok(by)
}

fn sortable(arg: &Expr, schema: &DFSchema) -> Result<bool> {
    let nested = |of: &DataType| of.is_nested() || *of == DataType::Null;
    Ok(!arg.column_refs().is_empty() && !nested(&arg.get_type(schema)?))
}

/// The sessions whose rows these are, and whether some of the rows were left out.
fn session_below(plan: &LogicalPlan) -> Option<(&WindowNode, bool)> {
    match plan {
        LogicalPlan::Projection(projection) => session_below(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => session_below(&alias.input),
        LogicalPlan::Filter(filter) => session_below(&filter.input).map(|(session, _)| (session, true)),
        LogicalPlan::Extension(Extension { node }) => {
            let window = node.as_any().downcast_ref::<WindowNode>()?;
            matches!(window.kind, WindowKind::Session { .. }).then_some((window, false))
        }
        _ => None,
    }
}

/// Whether the groups are the sessions: by both of their bounds and what they are partitioned by.
fn groups_of(aggregate: &Aggregate, session: &WindowNode) -> bool {
    let names: Option<Vec<&str>> = aggregate
        .group_expr
        .iter()
        .map(|key| match key {
            Expr::Column(column) => Some(column.name.as_str()),
            _ => None,
        })
        .collect();
    let Some(names) = names else { return false };
    let bounds = &WINDOW_COLUMNS[..2];
    let others: Vec<&&str> = names.iter().filter(|n| !WINDOW_COLUMNS.contains(n)).collect();
    bounds.iter().all(|b| names.contains(b))
        && others.len() == session.partition_by.len()
        && session.partition_by.iter().all(|c| others.contains(&&c.name.as_str()))
}

/// Whether the rows come in an order that means something.
fn in_order(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(scan) => match scan.source.downcast_ref::<StreamScan>() {
            Some(stream) => matches!(table_changelog(stream), Ok(None)),
            None => true,
        },
        LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Join(_) | LogicalPlan::Union(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) => false,
        other => other.inputs().into_iter().all(in_order) && other.inputs().len() == 1,
    }
}
