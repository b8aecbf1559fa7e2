//! Lengths of time that are compared: `a.ts - b.ts > INTERVAL '7' DAY`, `INTERVAL '24' HOUR = INTERVAL '1' DAY`.
//!
//! The difference of two times is a `Duration`, and an interval has months, days and nanoseconds, each for itself. DataFusion makes an
//! interval of the difference, all of it nanoseconds, and compares month by month, day by day: any number of hours would be less than
//! a day. Here both are compared as durations, by the rule that also holds where intervals are scaled: a month has thirty days and a
//! day twenty-four hours, as in PostgreSQL.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use datafusion::arrow::compute::cast as cast_array;
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, DurationMicrosecondType, DurationNanosecondType, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, binary_expr, cast,
};

use crate::compared::compares;

const NANOS_OF_A_DAY: i128 = 86_400_000_000_000;
const DAYS_OF_A_MONTH: i128 = 30;
const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// `expr`, if it compares intervals, with each of them as a duration.
pub(crate) fn compared(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) => {
            match lengths(&[&left, &right], schema).map(<[Expr; 2]>::try_from) {
                Some(Ok([l, r])) => Transformed::yes(binary_expr(l, op, r)),
                _ => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
            }
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            match lengths(&[&expr, &low, &high], schema).map(<[Expr; 3]>::try_from) {
                Some(Ok([e, l, h])) => {
                    Transformed::yes(Expr::Between(Between::new(Box::new(e), negated, Box::new(l), Box::new(h))))
                }
                _ => Transformed::no(Expr::Between(Between::new(expr, negated, low, high))),
            }
        }
        Expr::InList(InList { expr, list, negated }) => {
            let parts: Vec<&Expr> = std::iter::once(expr.as_ref()).chain(&list).collect();
            match lengths(&parts, schema) {
                Some(mut made) => {
                    let expr = Box::new(made.remove(0));
                    Transformed::yes(Expr::InList(InList::new(expr, made, negated)))
                }
                None => Transformed::no(Expr::InList(InList::new(expr, list, negated))),
            }
        }
        other => Transformed::no(other),
    }
}

/// All parts as durations of one unit; `None` where no part is an interval, or one is no length of time.
fn lengths(parts: &[&Expr], schema: &DFSchema) -> Option<Vec<Expr>> {
    let types = parts.iter().map(|e| e.get_type(schema).ok()).collect::<Option<Vec<_>>>()?;
    let is_length = |t: &DataType| matches!(t, DataType::Interval(_) | DataType::Duration(_) | DataType::Null);
    if !types.iter().any(|t| matches!(t, DataType::Interval(_))) || !types.iter().all(is_length) {
        return None;
    }
    // Microseconds hold the difference of any two times that are not nanoseconds themselves.
    let fine = types.contains(&DataType::Duration(TimeUnit::Nanosecond));
    let unit = DataType::Duration(if fine { TimeUnit::Nanosecond } else { TimeUnit::Microsecond });
    let length = |(part, of): (&&Expr, DataType)| match of {
        DataType::Interval(_) => duration((*part).clone(), fine),
        of if of == unit || of == DataType::Null => (*part).clone(),
        _ => cast((*part).clone(), unit.clone()),
    };
    Some(parts.iter().zip(types).map(length).collect())
}

/// How long an interval is.
fn duration(interval: Expr, fine: bool) -> Expr {
    static FINE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(ScalarUDF::new_from_impl(Length::new(true))));
    static COARSE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(ScalarUDF::new_from_impl(Length::new(false))));
    let function = if fine { &FINE } else { &COARSE };
    function.call(vec![interval])
}

/// An interval as a duration: of nanoseconds, or of microseconds. One that is longer than any duration is the longest.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Length {
    fine: bool,
    signature: Signature,
}

impl Length {
    fn new(fine: bool) -> Self {
        Self { fine, signature: Signature::exact(vec![INTERVAL], Volatility::Immutable) }
    }
}

fn durations<T: ArrowPrimitiveType<Native = i64>>(intervals: &ArrayRef, nanos_of_one: i128) -> ArrayRef {
    let length = |i: IntervalMonthDayNano| {
        let days = i128::from(i.months) * DAYS_OF_A_MONTH + i128::from(i.days);
        let length = (days * NANOS_OF_A_DAY + i128::from(i.nanoseconds)).div_euclid(nanos_of_one);
        length.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    };
    let lengths: PrimitiveArray<T> = intervals.as_primitive::<IntervalMonthDayNanoType>().unary(length);
    Arc::new(lengths)
}

impl ScalarUDFImpl for Length {
    fn name(&self) -> &str {
        "interval_length"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Duration(if self.fine { TimeUnit::Nanosecond } else { TimeUnit::Microsecond }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [interval] = args.args.as_slice() else { return plan_err!("one interval has a length") };
        let scalar = matches!(interval, ColumnarValue::Scalar(_));
        let interval = cast_array(&interval.to_array(if scalar { 1 } else { args.number_rows })?, &INTERVAL)?;
        let lengths = match self.fine {
            true => durations::<DurationNanosecondType>(&interval, 1),
            false => durations::<DurationMicrosecondType>(&interval, 1_000),
        };
        Ok(match scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&lengths, 0)?),
            false => ColumnarValue::Array(lengths),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_thirty_days_and_a_day_twenty_four_hours() {
        let lengths = |months, days, nanos| {
            let array =
                PrimitiveArray::<IntervalMonthDayNanoType>::from(vec![IntervalMonthDayNano::new(months, days, nanos)]);
            let array: ArrayRef = Arc::new(array);
            durations::<DurationMicrosecondType>(&array, 1_000).as_primitive::<DurationMicrosecondType>().value(0)
        };
        assert_eq!(lengths(0, 1, 0), lengths(0, 0, 86_400_000_000_000));
        assert_eq!(lengths(1, 0, 0), lengths(0, 30, 0));
        assert_eq!(lengths(i32::MAX, 0, 0), i64::MAX);
    }
}
