//! Frames of a `RANGE` without distances, where `ORDER BY` has a type that no distance is of.
//!
//! Such a frame begins and ends with rows that are equal in the order, or has no bound: it is the same in `GROUPS`. It is also what
//! stands where no frame is written. DataFusion asks for the type of a distance all the same, and has none for a `TIME`, `BYTES` or a row.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, Window, WindowFrame, WindowFrameBound, WindowFrameUnits,
};

/// `plan` with such frames as frames of `GROUPS`. Columns keep their names.
pub(crate) fn in_groups(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Window(window) => of_window(window),
        other => Ok(Transformed::no(other)),
    })
    .map(|rewritten| rewritten.data)
}

fn of_window(window: Window) -> Result<Transformed<LogicalPlan>> {
    let Window { input, window_expr, schema } = window;
    let mut changed = false;
    let mut exprs = Vec::with_capacity(window_expr.len());
    for expr in window_expr {
        let groups = of_call(&expr, input.schema())?;
        changed |= groups.is_some();
        exprs.push(groups.unwrap_or(expr));
    }
    Ok(match changed {
        true => Transformed::yes(LogicalPlan::Window(Window::try_new(exprs, input)?)),
        false => Transformed::no(LogicalPlan::Window(Window { input, window_expr: exprs, schema })),
    })
}

/// The function over such a frame, under the name that it has; `None` where its frame may stay.
fn of_call(expr: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    let Expr::WindowFunction(mut call) = expr.clone().unalias() else { return Ok(None) };
    let frame = &call.params.window_frame;
    let without_distance = !has_distance(&frame.start_bound) && !has_distance(&frame.end_bound);
    if frame.units != WindowFrameUnits::Range || !without_distance || !by_another_type(&call, schema)? {
        return Ok(None);
    }
    let (start, end) = (frame.start_bound.clone(), frame.end_bound.clone());
    call.params.window_frame = WindowFrame::new_bounds(WindowFrameUnits::Groups, start, end);
    let name = expr.schema_name().to_string();
    Ok(Some(Expr::WindowFunction(call).alias(name)))
}

/// Whether a bound of a frame is so far from the row.
pub(crate) fn has_distance(bound: &WindowFrameBound) -> bool {
    match bound {
        WindowFrameBound::CurrentRow => false,
        WindowFrameBound::Preceding(by) | WindowFrameBound::Following(by) => !by.is_null(),
    }
}

/// Whether what the function is ordered by first has a type for whose distances DataFusion has none.
fn by_another_type(call: &WindowFunction, schema: &DFSchema) -> Result<bool> {
    let Some(first) = call.params.order_by.first() else { return Ok(false) };
    Ok(matches!(
        first.expr.get_type(schema)?,
        DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Interval(_)
            | DataType::Duration(_)
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
            | DataType::Struct(_)
            | DataType::Map(..)
    ))
}
