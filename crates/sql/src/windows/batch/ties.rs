//! What an order leaves open, in batch: rows that are equal in it stand in the order of all their columns, as the stream has them.
//!
//! DataFusion puts such rows out as they come, which is another answer for another cut of the same input, and none that a stream could be
//! held against. So wherever the order chooses rows or says what a function sees, the other columns are put behind it: below a LIMIT,
//! in `ROW_NUMBER`, `LAG` and the like, in frames of so many rows. Ranks keep their equals.

use std::sync::Arc;

use arrow::row::{RowConverter, SortField};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, ExprSchema, Result as PlanResult};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    Aggregate, Expr, Limit, LogicalPlan, LogicalPlanBuilder, Sort, SortExpr, TableScan, Window, WindowFrameUnits,
    WindowFunctionDefinition,
};
use tidemill_core::Result;

use crate::aggregates::in_turn::IN_TURN;
use crate::error::planning;
use crate::lower::distinct_on::whole_rows;
use crate::subqueries::named_as;
use crate::windows::arrival::arrival_frame;

/// `plan`, in which no order leaves anything open that a result depends on. It is one that reads streams still.
///
/// # Errors
/// If DataFusion does not plan it.
pub fn settled(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(node).data().map_err(planning)
}

fn node(plan: LogicalPlan) -> PlanResult<Transformed<LogicalPlan>> {
    match plan {
        // The LIMIT that was pushed into it stands above it as well.
        LogicalPlan::TableScan(scan) if scan.fetch.is_some() => {
            Ok(Transformed::yes(LogicalPlan::TableScan(TableScan { fetch: None, ..scan })))
        }
        LogicalPlan::Sort(sort) if sort.fetch.is_some() => Ok(Transformed::yes(LogicalPlan::Sort(total(sort)))),
        LogicalPlan::Limit(limit) => limited(limit).map(Transformed::yes),
        LogicalPlan::Aggregate(groups) if whole_rows(&groups).is_some() => {
            Ok(Transformed::yes(LogicalPlan::Aggregate(first_rows(groups)?)))
        }
        LogicalPlan::Window(window)
            if window.window_expr.iter().any(|e| open(&window, e).is_some() || takes_peers_in_turn(&window, e)) =>
        {
            over(window).map(Transformed::yes)
        }
        other => Ok(Transformed::no(other)),
    }
}

/// The columns of `plan` that `order` does not name, ascending.
fn others<'a>(plan: &'a LogicalPlan, order: &'a [SortExpr]) -> impl Iterator<Item = SortExpr> + 'a {
    let comparable = |c: &Column| {
        let field = plan.schema().field_from_column(c);
        field.is_ok_and(|f| RowConverter::supports_fields(&[SortField::new(f.data_type().clone())]))
    };
    let columns = plan.schema().columns().into_iter().filter(comparable).map(Expr::Column);
    // By another name as well, which a part that several expressions have in common has: a column twice in an order is a panic in DataFusion.
    let place = |e: &Expr| match e.clone().unalias_nested().data {
        Expr::Column(c) => plan.schema().maybe_index_of_column(&c),
        _ => None,
    };
    let named: Vec<_> = order.iter().filter_map(|by| place(&by.expr)).collect();
    columns.filter(move |c| place(c).is_some_and(|at| !named.contains(&at))).map(|c| c.sort(true, true))
}

/// The first row of each group, which is a whole one: `DISTINCT ON`.
fn first_rows(groups: Aggregate) -> PlanResult<Aggregate> {
    let firsts = groups.aggr_expr.iter().map(|first| {
        let name = first.schema_name().to_string();
        let longer = first.clone().transform(|e| match e {
            Expr::AggregateFunction(mut call) => {
                let more: Vec<_> = others(&groups.input, &call.params.order_by).collect();
                call.params.order_by.extend(more);
                Ok(Transformed::new(Expr::AggregateFunction(call), true, TreeNodeRecursion::Stop))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(longer.data.alias(name))
    });
    let firsts = firsts.collect::<PlanResult<_>>()?;
    Aggregate::try_new_with_schema(groups.input, groups.group_expr, firsts, groups.schema)
}

fn total(mut sort: Sort) -> Sort {
    let more: Vec<_> = others(&sort.input, &sort.expr).collect();
    sort.expr.extend(more);
    sort
}

/// Over what is sorted, or over nothing that is: then all columns are the order.
fn limited(limit: Limit) -> PlanResult<LogicalPlan> {
    let input = match below(&limit.input)? {
        Some(order) => order,
        None => {
            let order: Vec<_> = others(&limit.input, &[]).collect();
            match order.is_empty() {
                true => limit.input.as_ref().clone(),
                false => LogicalPlanBuilder::from(limit.input.as_ref().clone()).sort(order)?.build()?,
            }
        }
    };
    Ok(LogicalPlan::Limit(Limit { input: input.into(), ..limit }))
}

/// `plan` with the sort that its order comes from made total, if it comes from one.
fn below(plan: &LogicalPlan) -> PlanResult<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::Sort(sort) => Ok(Some(LogicalPlan::Sort(total(sort.clone())))),
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Limit(_) => {
            let [input] = plan.inputs()[..] else { return Ok(None) };
            let total = below(input)?;
            total.map(|input| plan.with_new_exprs(plan.expressions(), vec![input])).transpose()
        }
        _ => Ok(None),
    }
}

/// A function over an order that leaves open what it sees.
fn open<'a>(window: &Window, expr: &'a Expr) -> Option<&'a WindowFunction> {
    let call = match expr {
        Expr::Alias(alias) => return open(window, &alias.expr),
        Expr::WindowFunction(call) => call,
        _ => return None,
    };
    let numbers = matches!(call.fun.name(), "row_number" | "ntile" | "lag" | "lead");
    // A frame may leave rows out because they are equal: that is a function of its own, and keeps them so.
    let values = matches!(call.fun.name(), "first_value" | "last_value" | "nth_value");
    let aggregates = matches!(call.fun, WindowFunctionDefinition::AggregateUDF(_));
    let by_rows = call.params.window_frame.units == WindowFrameUnits::Rows && (values || aggregates);
    // Rows that stand as they came are in no order of their columns.
    ((numbers || by_rows) && arrival_frame(&window.input, call).is_none()).then_some(call.as_ref())
}

/// A function that looks at the rows of its frame in turn, in a frame that has all rows that are equal in its order, or none of them.
fn takes_peers_in_turn(window: &Window, expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => takes_peers_in_turn(window, &alias.expr),
        Expr::WindowFunction(call) => {
            IN_TURN.contains(&call.fun.name())
                && call.params.window_frame.units != WindowFrameUnits::Rows
                && arrival_frame(&window.input, call).is_none()
        }
        _ => false,
    }
}

/// More rows than there ever are.
const ALL_ROWS: usize = i64::MAX as usize;

/// The rows of `input` in the order of a function over them, and equal ones in that of all their columns. What sorts them for the
/// function finds them sorted. (A sort of all rows would be dropped, since nothing asks for so much of an order; the first rows are
/// another matter, however many.)
fn sorted(input: LogicalPlan, call: &Expr) -> PlanResult<LogicalPlan> {
    let Some((partition_by, order_by)) = sorted_by(call) else { return Ok(input) };
    let partition_by = partition_by.iter().map(|key| key.clone().sort(true, true));
    let order: Vec<_> = partition_by.chain(order_by.iter().cloned()).collect();
    let more: Vec<_> = others(&input, &order).collect();
    LogicalPlanBuilder::from(input).sort_with_limit(order.into_iter().chain(more), Some(ALL_ROWS))?.build()
}

/// Functions over one order may come to be over several: each has a step of its own then, since a step sorts its rows once.
fn over(window: Window) -> PlanResult<LogicalPlan> {
    let mut steps: Vec<Vec<(usize, Expr)>> = vec![];
    for (place, expr) in window.window_expr.iter().enumerate() {
        let settled = match open(&window, expr) {
            Some(call) => {
                let mut call = call.clone();
                let more: Vec<_> = others(&window.input, &call.params.order_by).collect();
                call.params.order_by.extend(more);
                Expr::WindowFunction(Box::new(call))
            }
            None => expr.clone(),
        };
        match steps.iter_mut().find(|step| step.first().is_some_and(|(_, e)| sorted_by(e) == sorted_by(&settled))) {
            Some(step) => step.push((place, settled)),
            None => steps.push(vec![(place, settled)]),
        }
    }
    let before = window.input.schema().fields().len();
    let places = (0..before).chain(steps.iter().flatten().map(|(place, _)| before + place));
    let mut columns: Vec<_> = places.zip(0..).collect();
    columns.sort_unstable();
    let step = |input, step: Vec<(usize, Expr)>| {
        let input = match step.iter().find(|(_, e)| takes_peers_in_turn(&window, e)) {
            Some((_, call)) => sorted(input, call)?,
            None => input,
        };
        let exprs = step.into_iter().map(|(_, expr)| expr).collect();
        Window::try_new(exprs, Arc::new(input)).map(LogicalPlan::Window)
    };
    let all = steps.into_iter().try_fold(window.input.as_ref().clone(), step)?;
    let named = all.schema().columns();
    let in_place = columns.into_iter().map(|(_, at): (usize, usize)| Expr::Column(named[at].clone()));
    named_as(LogicalPlanBuilder::from(all).project(in_place)?.build()?, &window.schema)
}

/// How the rows are to be sorted for a function.
fn sorted_by(expr: &Expr) -> Option<(&[Expr], &[SortExpr])> {
    match expr {
        Expr::Alias(alias) => sorted_by(&alias.expr),
        Expr::WindowFunction(call) => Some((&call.params.partition_by, &call.params.order_by)),
        _ => None,
    }
}
