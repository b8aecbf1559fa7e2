//! `json -> key` as the text of what is there, which every table can take.
//!
//! The functions for JSON give a union of all that JSON can be, which no sink knows. A cast of the text to a number or a
//! truth value asks for that value itself, so that what is none is NULL.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ScalarUDF};
use datafusion_functions_json::udfs;
use sqlparser::ast::BinaryOperator;

/// Plans `->`. Has to come before the planner of the functions for JSON.
#[derive(Debug)]
pub(crate) struct JsonArrow;

impl ExprPlanner for JsonArrow {
    fn plan_binary_op(&self, expr: RawBinaryExpr, _: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::Arrow {
            return Ok(PlannerResult::Original(expr));
        }
        let name = format!("{} -> {}", written(&expr.left), written(&expr.right));
        let text = udfs::json_get_json_udf().call(vec![expr.left, expr.right]);
        Ok(PlannerResult::Planned(text.alias(name)))
    }
}

/// For the name of the column.
fn written(expr: &Expr) -> String {
    match expr {
        Expr::Column(column) => column.name.clone(),
        Expr::Alias(alias) => alias.name.clone(),
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => format!("'{text}'"),
        Expr::Literal(value, _) => value.to_string(),
        other => other.to_string(),
    }
}

/// Whether it is `json -> key`.
pub(crate) fn is_member(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => is_member(&alias.expr),
        Expr::ScalarFunction(call) => call.func.name() == udfs::json_get_json_udf().name(),
        _ => false,
    }
}

/// What a cast of `json -> key` to `target` casts instead of the text.
pub(crate) fn value_of(inner: &Expr, target: &DataType) -> Option<Expr> {
    if !is_member(inner) {
        return None;
    }
    let Expr::ScalarFunction(ScalarFunction { args, .. }) = inner.clone().unalias_nested().data else { return None };
    let accessor: Arc<ScalarUDF> = match target {
        DataType::Boolean => udfs::json_get_bool_udf(),
        t if t.is_integer() => udfs::json_get_int_udf(),
        t if t.is_floating() || t.is_decimal() => udfs::json_get_float_udf(),
        _ => return None,
    };
    Some(accessor.call(args))
}
