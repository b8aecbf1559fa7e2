//! The order of a frame by distances, as in `RANGE BETWEEN 2 PRECEDING AND CURRENT ROW`.
//!
//! DataFusion looks for the first row of a frame by its key less the distance, in the key's own type. Where that is no
//! number of the type any more, it takes rows into the frame that are not in it, such as those whose key is NULL. So
//! whole numbers become numbers of a type with room on both sides.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, Projection, Window, WindowFrame, WindowFrameBound, WindowFrameUnits,
};
use datafusion::scalar::ScalarValue;

/// Gives the keys of such frames in `window` room. Functions by another key than they have then are a node of their own.
pub(super) fn with_room(window: Window) -> Result<LogicalPlan> {
    let Window { input, window_expr, schema } = window;
    let (mut plain, mut wide) = (vec![], vec![]);
    for expr in &window_expr {
        match widened(expr.clone(), input.schema())? {
            Some(expr) => wide.push(expr),
            None => plain.push(expr.clone()),
        }
    }
    if wide.is_empty() {
        return Ok(LogicalPlan::Window(Window { input, window_expr, schema }));
    }
    let below = match plain.is_empty() {
        true => input,
        false => Arc::new(LogicalPlan::Window(Window::try_new(plain, input)?)),
    };
    let all = LogicalPlan::Window(Window::try_new(wide, below)?);
    let columns = schema.iter().map(|(of, field)| Expr::Column(Column::new(of.cloned(), field.name()))).collect();
    Ok(LogicalPlan::Projection(Projection::try_new_with_schema(columns, Arc::new(all), schema)?))
}

/// The function by a key with room, under the name that it has; `None` where it has room.
fn widened(expr: Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    let name = expr.schema_name().to_string();
    let Expr::WindowFunction(mut call) = expr.unalias() else { return Ok(None) };
    Ok(match widen(&mut call, schema)? {
        true => Some(Expr::WindowFunction(call).alias(name)),
        false => None,
    })
}

/// Gives the key of such a frame room. Returns whether anything changed.
fn widen(call: &mut WindowFunction, schema: &DFSchema) -> Result<bool> {
    let frame = &call.params.window_frame;
    let distances = [&frame.start_bound, &frame.end_bound].into_iter().any(has_distance);
    let ([sort], WindowFrameUnits::Range, true) = (&mut call.params.order_by[..], frame.units, distances) else {
        return Ok(false);
    };
    let Some(wide) = roomy(&sort.expr.get_type(schema)?) else { return Ok(false) };
    let (start, end) = (bound(&frame.start_bound, &wide)?, bound(&frame.end_bound, &wide)?);
    call.params.window_frame = WindowFrame::new_bounds(WindowFrameUnits::Range, start, end);
    sort.expr = std::mem::take(&mut sort.expr).cast_to(&wide, schema)?;
    Ok(true)
}

fn has_distance(bound: &WindowFrameBound) -> bool {
    match bound {
        WindowFrameBound::CurrentRow => false,
        WindowFrameBound::Preceding(by) | WindowFrameBound::Following(by) => !by.is_null(),
    }
}

/// A type that holds every number of `of`, and each of them more or less another.
fn roomy(of: &DataType) -> Option<DataType> {
    Some(match of {
        DataType::Int8 | DataType::Int16 | DataType::Int32 => DataType::Int64,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => DataType::Int64,
        DataType::Int64 | DataType::UInt64 => DataType::Decimal128(38, 0),
        _ => return None,
    })
}

fn bound(of: &WindowFrameBound, key: &DataType) -> Result<WindowFrameBound> {
    Ok(match of {
        WindowFrameBound::CurrentRow => WindowFrameBound::CurrentRow,
        WindowFrameBound::Preceding(by) => WindowFrameBound::Preceding(distance(by, key)?),
        WindowFrameBound::Following(by) => WindowFrameBound::Following(distance(by, key)?),
    })
}

fn distance(by: &ScalarValue, key: &DataType) -> Result<ScalarValue> {
    if by.is_null() { ScalarValue::try_new_null(key) } else { by.cast_to(key) }
}
