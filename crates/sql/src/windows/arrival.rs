//! `OVER (ORDER BY PROCTIME())`: in the order in which rows come.
//!
//! The clock is read once for many rows, and they would all be peers of each other. What is meant is that each row sees itself and
//! those before it. The exception is `RANGE BETWEEN INTERVAL .. PRECEDING`, which asks what the clock said.

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::logical_plan::{Sort, Window};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, WindowFrame, WindowFrameBound, WindowFrameUnits,
};

use crate::as_of::bind::is_processing_time;

/// The column with the number of a row as it came.
pub(super) const ARRIVAL: &str = "__arrival";

/// Of these the last rows to come may be asked for, by `ORDER BY PROCTIME() DESC`: no frame tells which rows they see.
const RANKS: &[&str] = &["row_number", "rank", "dense_rank"];

/// The frame of a function whose rows stand in the order in which they came; `None` where its rows do not, or where it looks at rows
/// that come later.
pub(crate) fn arrival_frame(input: &LogicalPlan, call: &WindowFunction) -> Option<WindowFrame> {
    let (frame, first) = (&call.params.window_frame, call.params.order_by.first()?);
    if !first.asc || !is_processing_time(input, &first.expr) {
        return None;
    }
    let unbounded = WindowFrameBound::Preceding(ScalarValue::UInt64(None));
    let start = match &frame.start_bound {
        start if start.is_unbounded() => unbounded,
        WindowFrameBound::CurrentRow => WindowFrameBound::CurrentRow,
        _ if frame.units == WindowFrameUnits::Range => return None,
        start => start.clone(),
    };
    let end = match &frame.end_bound {
        WindowFrameBound::CurrentRow => WindowFrameBound::CurrentRow,
        end @ WindowFrameBound::Preceding(_) if frame.units != WindowFrameUnits::Range => end.clone(),
        _ => return None,
    };
    Some(WindowFrame::new_bounds(WindowFrameUnits::Rows, start, end))
}

/// The same for a batch: in the order in which it reads them, whatever stands between two functions of one query.
pub(super) fn in_batch(plan: LogicalPlan) -> Result<LogicalPlan> {
    let changed = plan.transform_down_with_subqueries(|plan| {
        if let LogicalPlan::Sort(sort) = &plan {
            return match sort.expr.iter().any(|s| is_processing_time(&sort.input, &s.expr)) {
                true => Ok(Transformed::new(sorted(sort)?, true, TreeNodeRecursion::Jump)),
                false => Ok(Transformed::no(plan)),
            };
        }
        if !matches!(plan, LogicalPlan::Window(_)) {
            return Ok(Transformed::no(plan));
        }
        // What only passes rows on stands between two functions.
        let (mut chain, mut below) = (vec![], vec![&plan]);
        while let [
            next @ (LogicalPlan::Window(_)
            | LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::SubqueryAlias(_)),
        ] = below[..]
        {
            chain.push(next);
            below = next.inputs();
        }
        let arrives = |node: &&LogicalPlan| match node {
            LogicalPlan::Window(window) => window.window_expr.iter().any(|e| by_arrival(window, e).is_some()),
            _ => false,
        };
        let Some(first) = chain.iter().rposition(arrives) else { return Ok(Transformed::no(plan)) };
        let bottom = chain[first].inputs()[0].clone();
        let mut rows = LogicalPlanBuilder::from(in_batch(bottom)?).window(vec![row_number().alias(ARRIVAL)])?;
        for node in chain[..=first].iter().rev() {
            rows = match node {
                LogicalPlan::Window(window) => {
                    let exprs = window.window_expr.iter().map(|e| by_arrival(window, e).unwrap_or_else(|| e.clone()));
                    rows.window(exprs.collect::<Vec<_>>())?
                }
                LogicalPlan::Projection(projection) => {
                    let number = Expr::Column(Column::from_name(ARRIVAL));
                    rows.project(projection.expr.iter().cloned().chain([number]))?
                }
                LogicalPlan::SubqueryAlias(alias) => rows.alias(alias.alias.clone())?,
                LogicalPlan::Filter(filter) => rows.filter(filter.predicate.clone())?,
                _ => rows,
            };
        }
        let columns = plan.schema().columns().into_iter().map(Expr::Column);
        Ok(Transformed::new(rows.project(columns)?.build()?, true, TreeNodeRecursion::Jump))
    });
    Ok(changed?.data)
}

/// `ORDER BY PROCTIME()` in the order in which rows come.
fn sorted(sort: &Sort) -> Result<LogicalPlan> {
    let order = sort.expr.iter().map(|key| match is_processing_time(&sort.input, &key.expr) {
        true => Expr::Column(Column::from_name(ARRIVAL)).sort(key.asc, key.nulls_first),
        false => key.clone(),
    });
    let numbered = LogicalPlanBuilder::from(in_batch(sort.input.as_ref().clone())?)
        .window(vec![row_number().alias(ARRIVAL)])?
        .sort_with_limit(order.collect::<Vec<_>>(), sort.fetch)?;
    let columns = sort.input.schema().columns().into_iter().map(Expr::Column);
    numbered.project(columns)?.build()
}

/// A function over rows in the order in which they came, if it is one, with the name that it had.
fn by_arrival(window: &Window, expr: &Expr) -> Option<Expr> {
    let Expr::WindowFunction(mut call) = expr.clone().unalias_nested().data else { return None };
    let first = call.params.order_by.first()?;
    let (ascending, ranks) = (first.asc, RANKS.contains(&call.fun.name()));
    if ascending {
        call.params.window_frame = arrival_frame(&window.input, &call)?;
    } else if !ranks || !is_processing_time(&window.input, &first.expr) {
        return None;
    }
    call.params.order_by = vec![Expr::Column(Column::from_name(ARRIVAL)).sort(ascending, false)];
    Some(Expr::WindowFunction(call).alias(expr.schema_name().to_string()))
}
