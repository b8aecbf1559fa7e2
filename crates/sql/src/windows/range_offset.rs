//! `RANGE BETWEEN 5 PRECEDING ..`: what an offset may be, by what it is an offset of.
//!
//! DataFusion reads the offset as a text into whatever type `ORDER BY` has, and has an answer for most: a number would be so many months
//! of a date.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, WindowFrameBound, WindowFrameUnits};
use tidemill_core::Error;

use crate::error::carried;
use crate::parser::types::type_name;

/// Refuses offsets that mean nothing, in a plan whose types are not coerced yet.
///
/// # Errors
/// If there is one.
pub(crate) fn check(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Window(window) = node {
            for expr in &window.window_expr {
                if let Expr::WindowFunction(call) = expr.clone().unalias_nested().data {
                    check_call(&call, window.input.schema())?;
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map(|_| ())
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

/// What to do instead, where an offset does not fit.
fn wrong(offset: &str, by: &DataType) -> Option<&'static str> {
    let number = offset.trim().parse::<f64>().is_ok();
    match by {
        DataType::Null => None,
        by if by.is_integer() => match offset.trim().parse::<u64>() {
            Ok(_) => None,
            Err(_) => Some("Write a whole number, or CAST what is ordered by to DECIMAL."),
        },
        by if by.is_numeric() => (!number).then_some("Write a number."),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
            number.then_some("Write an interval: INTERVAL '1' DAY.")
        }
        DataType::Interval(_) | DataType::Duration(_) => number.then_some("Write an interval: INTERVAL '1' DAY."),
        DataType::Time32(_) | DataType::Time64(_) => Some("ORDER BY a TIMESTAMP, or by a number."),
        _ => Some("ORDER BY a number, a DATE or a TIMESTAMP; or use ROWS or GROUPS."),
    }
}
