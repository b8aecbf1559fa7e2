//! The function calls with words inside: `EXTRACT(DOW FROM t)`, `SUBSTRING(s FROM 2)`, `POSITION(a IN s)`; and operators that are functions here:
//! `INTERVAL '1' DAY * n`, `map[key]`.
//!
//! DataFusion's planner asks its expression planners, first to last, which function such a form is, and never looks
//! into the registry. This one must come before DataFusion's own.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, Operator, ScalarUDF};
use sqlparser::ast::BinaryOperator;
use tidemill_core::EpochClock;

use super::declaration::{FlinkFunction, Function};
use super::scaled_interval::scaled;
use super::{collection, text, time};
use crate::compared::compared_with_boolean;

/// Plans the forms with words inside as the functions of this module.
#[derive(Debug)]
pub struct FlinkSyntax {
    clock: EpochClock,
}

impl FlinkSyntax {
    /// Its functions are on `clock`: none of these reads it, but functions on different clocks are different ones, and
    /// `EXTRACT(YEAR FROM d)` in GROUP BY has to be that of the SELECT list.
    pub fn new(clock: &EpochClock) -> Self {
        Self { clock: clock.clone() }
    }

    fn call(&self, function: &'static Function, args: Vec<Expr>) -> Expr {
        ScalarUDF::new_from_impl(FlinkFunction::new(function, self.clock.clone())).call(args)
    }
}

/// The function of a part of a time.
fn part(name: &str) -> Option<&'static Function> {
    Some(match name.to_ascii_uppercase().as_str() {
        "YEAR" | "YEARS" => &time::fields::YEAR,
        "QUARTER" => &time::fields::QUARTER,
        "MONTH" | "MONTHS" => &time::fields::MONTH,
        "WEEK" | "WEEKS" => &time::fields::WEEK,
        "DAY" | "DAYS" => &time::fields::DAYOFMONTH,
        "DOY" | "DAYOFYEAR" => &time::fields::DAYOFYEAR,
        "DOW" | "DAYOFWEEK" => &time::fields::DAYOFWEEK,
        "HOUR" | "HOURS" => &time::fields::HOUR,
        "MINUTE" | "MINUTES" => &time::fields::MINUTE,
        "SECOND" | "SECONDS" => &time::fields::SECOND,
        "DECADE" => &time::fields::DECADE,
        "CENTURY" => &time::fields::CENTURY,
        "MILLENNIUM" => &time::fields::MILLENNIUM,
        "ISOYEAR" => &time::fields::ISOYEAR,
        "ISODOW" => &time::fields::ISODOW,
        "EPOCH" => &time::fields::EPOCH,
        "MILLISECOND" | "MILLISECONDS" => &time::fields::MILLISECOND,
        "MICROSECOND" | "MICROSECONDS" => &time::fields::MICROSECOND,
        "NANOSECOND" | "NANOSECONDS" => &time::fields::NANOSECOND,
        _ => return None,
    })
}

impl ExprPlanner for FlinkSyntax {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let compared = match expr.op {
            BinaryOperator::Eq => Some(Operator::Eq),
            BinaryOperator::NotEq => Some(Operator::NotEq),
            _ => None,
        };
        // DataFusion does not know the type of such a comparison, and asks for it before it can be written out.
        if let Some(op) = compared
            && let Some(made) = compared_with_boolean(&expr.left, op, &expr.right, schema)
        {
            return Ok(PlannerResult::Planned(made));
        }
        let (times, over) = match expr.op {
            BinaryOperator::Multiply => (true, false),
            BinaryOperator::Divide => (false, true),
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let is_length = |t: &DataType| matches!(t, DataType::Interval(_) | DataType::Duration(_));
        let is_interval = |e: &Expr| e.get_type(schema).is_ok_and(|t| is_length(&t));
        let is_number = |e: &Expr| e.get_type(schema).is_ok_and(|t| t.is_numeric() || t.is_null());
        Ok(match (is_interval(&expr.left), is_interval(&expr.right)) {
            (true, false) if is_number(&expr.right) => PlannerResult::Planned(scaled(expr.left, expr.right, over)),
            (false, true) if times && is_number(&expr.left) => {
                PlannerResult::Planned(scaled(expr.right, expr.left, false))
            }
            _ => PlannerResult::Original(expr),
        })
    }

    fn plan_field_access(
        &self,
        raw: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let GetFieldAccess::ListIndex { key } = &raw.field_access else { return Ok(PlannerResult::Original(raw)) };
        let map = raw.expr.get_type(schema)?;
        let Some(of) = collection::key_type(&map) else { return Ok(PlannerResult::Original(raw)) };
        // A constant is a field, which DataFusion knows to take out of what it reads.
        if matches!(key.as_ref(), Expr::Literal(value, _) if value.data_type() == *of && !value.is_null()) {
            return Ok(PlannerResult::Original(raw));
        }
        let key = key.as_ref().clone();
        Ok(PlannerResult::Planned(self.call(&collection::MAP_VALUE, vec![raw.expr, key])))
    }

    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        let [Expr::Literal(ScalarValue::Utf8(Some(name)), _), _] = args.as_slice() else {
            return Ok(PlannerResult::Original(args));
        };
        match part(name) {
            Some(function) => Ok(PlannerResult::Planned(self.call(function, args.into_iter().skip(1).collect()))),
            None => Ok(PlannerResult::Original(args)),
        }
    }

    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(self.call(&text::slicing::SUBSTRING, args)))
    }

    fn plan_position(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(self.call(&text::searching::INSTR, args)))
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(self.call(&text::slicing::OVERLAY, args)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_constant, check_in};

    #[test]
    fn extract_is_the_part_in_the_session_zone() {
        check("EXTRACT(DOW FROM DATE '2024-01-07')", "1");
        check("EXTRACT(DAY FROM DATE '2006-06-05')", "5");
        check_in("Europe/Berlin", "EXTRACT(HOUR FROM to_timestamp_ltz(1719784800, 0))", "0");
    }

    #[test]
    fn an_interval_times_a_number_is_one() {
        let at = |interval: &str| format!("CAST(TIMESTAMP '2024-01-31 00:00:00' + {interval} AS STRING)");
        let check = |interval: &str, expected: &str| check_constant(&at(interval), expected);
        check("INTERVAL '1' DAY * 2", "2024-02-02T00:00:00");
        check("3 * INTERVAL '90' SECOND", "2024-01-31T00:04:30");
        check("INTERVAL '1' DAY / 2", "2024-01-31T12:00:00");
        check("INTERVAL '1' MONTH * 1.5", "2024-03-15T00:00:00");
        check("INTERVAL '1' HOUR * -0.5", "2024-01-30T23:30:00");
        check("INTERVAL '1' DAY * CAST(NULL AS INT)", "NULL");
    }

    #[test]
    fn parts_of_a_second_leave_the_second_out() {
        check("EXTRACT(MILLISECOND FROM TIMESTAMP '1970-01-01 00:01:07.123456')", "123");
        check("EXTRACT(EPOCH FROM TIMESTAMP '1970-01-01 00:01:00.5')", "60");
        check_in("Europe/Berlin", "EXTRACT(EPOCH FROM to_timestamp_ltz(7, 0))", "7");
        check_constant("EXTRACT(HOUR FROM INTERVAL '26 hours')", "2");
    }

    #[test]
    fn a_substring_may_be_written_with_words() {
        check("SUBSTRING('Tidemill' FROM -4 FOR 3)", "mil");
    }
}
