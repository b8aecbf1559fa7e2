//! The function calls with words inside: `EXTRACT(DOW FROM t)`, `SUBSTRING(s FROM 2)`, `POSITION(a IN s)`.
//!
//! DataFusion's planner asks its expression planners, first to last, which function such a form is, and never looks
//! into the registry. This one must come before DataFusion's own.

use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult};
use datafusion::logical_expr::{Expr, ScalarUDF};
use tidemill_core::EpochClock;

use super::declaration::{FlinkFunction, Function};
use super::{text, time};

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
        _ => return None,
    })
}

impl ExprPlanner for FlinkSyntax {
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
    fn other_parts_are_datafusions() {
        check_constant("EXTRACT(EPOCH FROM TIMESTAMP '1970-01-01 00:01:00')", "60.0");
    }

    #[test]
    fn a_substring_may_be_written_with_words() {
        check("SUBSTRING('Tidemill' FROM -4 FOR 3)", "mil");
    }
}
