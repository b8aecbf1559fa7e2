//! Frames of `RANGE`, by what they are over.
//!
//! DataFusion reads an offset (`RANGE BETWEEN 5 PRECEDING ..`) as a text into whatever type `ORDER BY` has, and has an answer for most: a
//! number would be so many months of a date. It also asks for a type of offsets where there are none, and has none for times of day, bytes,
//! intervals and rows.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::logical_plan::Window;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, WindowFrame, WindowFrameBound, WindowFrameUnits};
use tidemill_core::Error;

use crate::error::carried;
use crate::parser::types::type_name;

/// The plan, whose types are not coerced yet, with frames that DataFusion can coerce and that mean the same. The functions keep their names.
///
/// # Errors
/// If an offset means nothing.
pub(crate) fn settled(plan: LogicalPlan) -> Result<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Window(window) = &node else { return Ok(Transformed::no(node)) };
        let mut functions = window.window_expr.clone();
        let mut changed = false;
        for function in &mut functions {
            let Expr::WindowFunction(mut call) = function.clone().unalias_nested().data else { continue };
            check_call(&call, window.input.schema())?;
            if let Some(frame) = settled_frame(&call, window.input.schema())? {
                let name = function.schema_name().to_string();
                call.params.window_frame = frame;
                *function = Expr::WindowFunction(call).alias(name);
                changed = true;
            }
        }
        match changed {
            true => {
                Window::try_new(functions, Arc::clone(&window.input)).map(LogicalPlan::Window).map(Transformed::yes)
            }
            false => Ok(Transformed::no(node)),
        }
    });
    Ok(changed?.data)
}

/// Another frame in the place of this one of `RANGE`, if it needs one.
fn settled_frame(call: &WindowFunction, schema: &DFSchema) -> Result<Option<WindowFrame>> {
    let (frame, Some(order)) = (&call.params.window_frame, call.params.order_by.first()) else { return Ok(None) };
    if frame.units != WindowFrameUnits::Range {
        return Ok(None);
    }
    let by = order.expr.get_type(schema)?;
    let (start, end) = (&frame.start_bound, &frame.end_bound);
    if by.is_integer() {
        // Between whole numbers there is nothing: of a fraction what counts is the whole number within it.
        let (start, end) = (whole(start, true), whole(end, false));
        let changed = start != frame.start_bound || end != frame.end_bound;
        return Ok(changed.then(|| WindowFrame::new_bounds(WindowFrameUnits::Range, start, end)));
    }
    // Without offsets a frame ends and begins with rows that are equal, which is what GROUPS are.
    let of_peers = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::Preceding(n) if n.is_null() => Some(WindowFrameBound::Preceding(ScalarValue::UInt64(None))),
        WindowFrameBound::Following(n) if n.is_null() => Some(WindowFrameBound::Following(ScalarValue::UInt64(None))),
        WindowFrameBound::CurrentRow => Some(WindowFrameBound::CurrentRow),
        _ => None,
    };
    let peers = of_peers(start).zip(of_peers(end)).filter(|_| has_no_offsets(&by));
    Ok(peers.map(|(start, end)| WindowFrame::new_bounds(WindowFrameUnits::Groups, start, end)))
}

fn check_call(call: &WindowFunction, schema: &DFSchema) -> Result<()> {
    let (frame, [order]) = (&call.params.window_frame, &call.params.order_by[..]) else { return Ok(()) };
    if frame.units != WindowFrameUnits::Range {
        return Ok(());
    }
    for bound in [&frame.start_bound, &frame.end_bound] {
        let (WindowFrameBound::Preceding(offset) | WindowFrameBound::Following(offset)) = bound else { continue };
        let ScalarValue::Utf8(Some(offset)) = offset else { continue };
        let by = order.expr.get_type(schema)?;
        if let Some(hint) = wrong(offset, &by) {
            let number = offset.trim().parse::<f64>().is_ok();
            let offset = if number { format!("an offset of {offset}") } else { "an interval as its offset".into() };
            let message = format!("RANGE with {offset} is not for ORDER BY a {}", type_name(&by));
            return Err(carried(Error::statement(message).with_hint(hint)));
        }
    }
    Ok(())
}

/// The bound with a whole number as its offset, of the rows that it reaches over whole numbers. What is left out before the first row
/// is rounded up, and so is what is left out behind the last; the others are rounded down.
fn whole(bound: &WindowFrameBound, first: bool) -> WindowFrameBound {
    let rounded = |offset: &ScalarValue, up: bool| {
        let ScalarValue::Utf8(Some(text)) = offset else { return offset.clone() };
        match text.trim().parse::<f64>() {
            Ok(n) if n.fract() != 0.0 => ScalarValue::from(format!("{:.0}", if up { n.ceil() } else { n.floor() })),
            _ => offset.clone(),
        }
    };
    match bound {
        WindowFrameBound::Preceding(n) => WindowFrameBound::Preceding(rounded(n, !first)),
        WindowFrameBound::Following(n) => WindowFrameBound::Following(rounded(n, first)),
        WindowFrameBound::CurrentRow => WindowFrameBound::CurrentRow,
    }
}

/// Whether DataFusion knows no type of offsets for this type.
fn has_no_offsets(by: &DataType) -> bool {
    matches!(
        by,
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
    )
}

/// What to do instead, where an offset does not fit.
fn wrong(offset: &str, by: &DataType) -> Option<&'static str> {
    let number = offset.trim().parse::<f64>().is_ok();
    match by {
        DataType::Null => None,
        by if by.is_numeric() => (!number).then_some("Write a number."),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
            number.then_some("Write an interval: INTERVAL '1' DAY.")
        }
        DataType::Interval(_) | DataType::Duration(_) => number.then_some("Write an interval: INTERVAL '1' DAY."),
        DataType::Time32(_) | DataType::Time64(_) => Some("ORDER BY a TIMESTAMP, or by a number."),
        _ => Some("ORDER BY a number, a DATE or a TIMESTAMP; or use ROWS or GROUPS."),
    }
}
