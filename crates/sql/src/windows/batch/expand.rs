//! Window functions as plain DataFusion.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, NullHandling, Result as PlanResult, ScalarValue, UnnestOptions, internal_err};
use datafusion::functions_aggregate::expr_fn::{max, min, sum};
use datafusion::functions_nested::range::range;
use datafusion::functions_window::expr_fn::lag;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, ExprSchemable, Extension, LogicalPlan, LogicalPlanBuilder, SortExpr, WindowFrame,
    WindowFrameBound, WindowFrameUnits, lit, when,
};
use tidemill_core::Result;
use tidemill_plan::window::{WINDOW_TIME_BEFORE_END, Window, WindowKind};

use super::arithmetic::{floor_to, instant_of, micros, timestamp, wall_micros, wall_of};
use crate::as_of;
use crate::error::planning;
use crate::windows::{WINDOW_COLUMNS, WindowNode, arrival};

/// Names of columns that are there only between two steps.
const T: &str = "__window_t";
const EDGE: &str = "__window_edge";
const BEFORE: &str = "__window_before";
const SESSION: &str = "__window_session";
const FIRST: &str = "__window_first";
const LAST: &str = "__window_last";

/// `plan` with plain DataFusion in place of every window function and every join by time.
pub fn expand(plan: LogicalPlan) -> Result<LogicalPlan> {
    let expanded = arrival::in_batch(plan).map_err(planning)?.transform_up_with_subqueries(|plan| {
        let changed = match &plan {
            LogicalPlan::Extension(Extension { node }) => match node.as_any().downcast_ref::<WindowNode>() {
                Some(window) => Some(expand_node(window)?),
                None => as_of::batch::in_batch(node.as_any())?,
            },
            _ => None,
        };
        Ok(match changed {
            Some(plan) => Transformed::yes(plan),
            // The bounds are computed, so that to DataFusion they may be NULL: all that is above has to know.
            None => Transformed::yes(plan.recompute_schema()?),
        })
    });
    Ok(expanded.map_err(planning)?.data)
}

fn expand_node(node: &WindowNode) -> PlanResult<LogicalPlan> {
    let time = Expr::Column(node.time.clone());
    let time_type = time.get_type(node.input.schema())?;
    // The index is not needed: the column is named.
    let window = node.window(0, time_type.clone());
    let timed = LogicalPlanBuilder::from(node.input.clone()).filter(time.clone().is_not_null())?;
    let input = node.input.schema().columns();
    match node.kind {
        WindowKind::Session { gap } => session(timed, &input, micros(time, &time_type), node, &window, gap),
        kind => {
            let t = wall_micros(time, &time_type, node.zone);
            let rows = timed.project(with(&input, [t.alias(T)]))?;
            sliced(rows, &input, kind, &window)
        }
    }
}

/// TUMBLE, HOP and CUMULATE: the wall's time cut by arithmetic.
fn sliced(rows: LogicalPlanBuilder, input: &[Column], kind: WindowKind, window: &Window) -> PlanResult<LogicalPlan> {
    let t = || Expr::Column(Column::from_name(T));
    let edge = || Expr::Column(Column::from_name(EDGE));
    let each = |rows: LogicalPlanBuilder, edges: Expr| {
        let options = UnnestOptions { null_handling: NullHandling::Drop, recursions: vec![] };
        let rows = rows.project(with(input, [t(), edges.alias(EDGE)]))?;
        rows.unnest_column_with_options(Column::from_name(EDGE), options)
    };
    let (rows, start, end) = match kind {
        WindowKind::Tumble { size } => {
            let start = floor_to(t(), size, window.offset);
            (rows, start.clone(), start + lit(size))
        }
        WindowKind::Hop { size, slide } => {
            let starts = range(floor_to(t(), slide, window.offset), t() - lit(size), lit(-slide));
            (each(rows, starts)?, edge(), edge() + lit(size))
        }
        WindowKind::Cumulate { max, step } => {
            let start = floor_to(t(), max, window.offset);
            let first = start.clone() + ((t() - start.clone()) / lit(step) + lit(1_i64)) * lit(step);
            let ends = range(first, start + lit(max) + lit(1_i64), lit(step));
            (each(rows, ends)?, floor_to(t(), max, window.offset), edge())
        }
        WindowKind::Session { .. } => return internal_err!("a session is not a slice of time"),
    };
    let instant = instant_of(end.clone(), window.zone) - lit(WINDOW_TIME_BEFORE_END);
    bounds(rows, input, window, start, end, instant)
}

/// SESSION: a row begins one if the row before it in its partition is further away than the gap.
fn session(
    timed: LogicalPlanBuilder,
    input: &[Column],
    t: Expr,
    node: &WindowNode,
    window: &Window,
    gap: i64,
) -> PlanResult<LogicalPlan> {
    let column = |name: &str| Expr::Column(Column::from_name(name));
    let partition: Vec<Expr> = node.partition_by.iter().cloned().map(Expr::Column).collect();
    let in_order = vec![column(T).sort(true, true)];

    let rows = timed.project(with(input, [t.alias(T)]))?;
    let before = lag(column(T), Some(1), None).partition_by(partition.clone()).order_by(in_order.clone()).build()?;
    let rows = rows.window(vec![before.alias(BEFORE)])?;
    let begins = when(column(BEFORE).is_null(), lit(1_i64))
        .when((column(T) - column(BEFORE)).gt(lit(gap)), lit(1_i64))
        .otherwise(lit(0_i64))?;
    let rows = rows.project(with(input, [column(T), begins.alias(BEFORE)]))?;
    let so_far = WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
        WindowFrameBound::CurrentRow,
    );
    let number = over(sum(column(BEFORE)), partition.clone(), in_order, so_far)?;
    let rows = rows.window(vec![number.alias(SESSION)])?;
    let mut of_session = partition;
    of_session.push(column(SESSION));
    let first = over(min(column(T)), of_session.clone(), vec![], WindowFrame::new(None))?;
    let last = over(max(column(T)), of_session, vec![], WindowFrame::new(None))?;
    let rows = rows.window(vec![first.alias(FIRST), last.alias(LAST)])?;

    let end = column(LAST) + lit(gap);
    let (start_wall, end_wall) = (wall_of(column(FIRST), window.zone), wall_of(end.clone(), window.zone));
    bounds(rows, input, window, start_wall, end_wall, end - lit(WINDOW_TIME_BEFORE_END))
}

fn over(aggregate: Expr, partition: Vec<Expr>, order: Vec<SortExpr>, frame: WindowFrame) -> PlanResult<Expr> {
    let Expr::AggregateFunction(call) = aggregate else {
        return internal_err!("not an aggregate");
    };
    let call = WindowFunction::new(call.func, call.params.args);
    Expr::from(call).partition_by(partition).order_by(order).window_frame(frame).build()
}

/// The columns of the window function: those of its input and the bounds.
fn bounds(
    rows: LogicalPlanBuilder,
    input: &[Column],
    window: &Window,
    start: Expr,
    end: Expr,
    instant: Expr,
) -> PlanResult<LogicalPlan> {
    let (bound, time) = (window.bound_type(), window.window_time_type());
    let named = [timestamp(start, &bound), timestamp(end, &bound), timestamp(instant, &time)];
    let named = named.into_iter().zip(WINDOW_COLUMNS).map(|(e, name)| e.alias(name));
    rows.project(with(input, named))?.build()
}

fn with(input: &[Column], more: impl IntoIterator<Item = Expr>) -> Vec<Expr> {
    input.iter().cloned().map(Expr::Column).chain(more).collect()
}
