//! What DataFusion's window functions do not say of themselves, and has to be known to let go of rows.
//!
//! Keeps nothing and computes nothing.

use arrow::array::{Array, ArrayRef, new_empty_array};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::{WindowFrameBound, WindowFunctionDefinition};
use datafusion_physical_expr::expressions::{Column, Literal};
use datafusion_physical_expr::window::WindowExpr;
use tidemill_core::Result;
use tidemill_plan::op::OverFunction;

use crate::expression::data_error;

/// What is to be known of a function beyond its expression.
#[derive(Debug, Clone)]
pub struct Habit {
    /// No result, with the type of its results.
    pub none: ArrayRef,
    /// It needs so many of its last results to see that its value is final.
    pub tail: usize,
    /// It looks back, however far, for the last row with a value in this work column, and needs no row before that.
    pub last_value: Option<usize>,
}

impl Habit {
    /// Of `function`, whose expression is `expr`.
    pub fn of(function: &OverFunction, expr: &dyn WindowExpr) -> Result<Self> {
        let none = new_empty_array(expr.field().map_err(data_error)?.data_type());
        Ok(Self { none, tail: tail(function), last_value: last_value_column(function, expr) })
    }

    /// The last row with a value; where there is none, no row is needed.
    pub fn last_valid(column: &ArrayRef) -> usize {
        (0..column.len()).rev().find(|i| column.is_valid(*i)).unwrap_or(column.len())
    }
}

/// How many of its last results a function needs to see that its value is final.
fn tail(function: &OverFunction) -> usize {
    let WindowFunctionDefinition::WindowUDF(udf) = &function.function else { return 0 };
    if udf.name() != "nth_value" {
        return 0;
    }
    let n = function.args.get(1).and_then(|a| a.downcast_ref::<Literal>());
    match n.map(|n| n.value().cast_to(&DataType::Int64)) {
        Some(Ok(ScalarValue::Int64(Some(n)))) => usize::try_from(n).map_or(0, |n| n + 1),
        _ => 0,
    }
}

/// See [`Habit::last_value`]: `LAST_VALUE(x) IGNORE NULLS` over all rows up to the current one.
fn last_value_column(function: &OverFunction, expr: &dyn WindowExpr) -> Option<usize> {
    let WindowFunctionDefinition::WindowUDF(udf) = &function.function else { return None };
    let frame = &function.frame;
    let all_before = frame.start_bound.is_unbounded() && frame.end_bound == WindowFrameBound::CurrentRow;
    if udf.name() != "last_value" || !function.ignore_nulls || !all_before {
        return None;
    }
    expr.expressions().first().and_then(|arg| Some(arg.downcast_ref::<Column>()?.index()))
}
