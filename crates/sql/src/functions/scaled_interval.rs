//! An interval times a number, and through one: `INTERVAL '1' DAY * n`, `INTERVAL '1' HOUR / 2`.
//!
//! Months, days and nanoseconds are scaled each for itself. What is left of a month are days, of which it has thirty, and of a day hours, as in PostgreSQL.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{AsArray, IntervalMonthDayNanoArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast as cast_expr,
};

const NANOS_OF_A_DAY: f64 = 86_400e9;
const DAYS_OF_A_MONTH: f64 = 30.0;
const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// `interval * number`, or `interval / number`, where the interval may also be the difference of two times.
pub(super) fn scaled(interval: Expr, number: Expr, over: bool) -> Expr {
    static TIMES: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(ScalarUDF::new_from_impl(Scaled::new(false))));
    static OVER: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(ScalarUDF::new_from_impl(Scaled::new(true))));
    let args = vec![cast_expr(interval, INTERVAL), number];
    if over { OVER.call(args) } else { TIMES.call(args) }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Scaled {
    over: bool,
    signature: Signature,
}

impl Scaled {
    fn new(over: bool) -> Self {
        Self { over, signature: Signature::exact(vec![INTERVAL, DataType::Float64], Volatility::Immutable) }
    }

    fn one(&self, interval: IntervalMonthDayNano, number: f64) -> Result<IntervalMonthDayNano> {
        if self.over && number == 0.0 {
            return exec_err!("an interval is divided by zero");
        }
        let scale = |part: f64| if self.over { part / number } else { part * number };
        // What is written as 0.1 is not quite that, and a tenth of ten days is one.
        let whole = |part: f64| if (part - part.round()).abs() < 1e-9 { part.round() } else { part.trunc() };
        let months = scale(f64::from(interval.months));
        let days = scale(f64::from(interval.days)) + (months - whole(months)) * DAYS_OF_A_MONTH;
        let nanos = scale(interval.nanoseconds as f64) + (days - whole(days)) * NANOS_OF_A_DAY;
        let (months, days, nanos) = (whole(months), whole(days), nanos.round());
        let fits = |part: f64, most: f64| part.abs() < most;
        if !fits(months, f64::from(i32::MAX)) || !fits(days, f64::from(i32::MAX)) || !fits(nanos, i64::MAX as f64) {
            return exec_err!("an interval times {number} is too long");
        }
        Ok(IntervalMonthDayNano::new(months as i32, days as i32, nanos as i64))
    }
}

impl ScalarUDFImpl for Scaled {
    fn name(&self) -> &str {
        if self.over { "interval_over" } else { "interval_times" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let [interval, number] = args.args.as_slice() else { return plan_err!("an interval is scaled by one number") };
        let interval = cast(&interval.to_array(rows)?, &INTERVAL)?;
        let number = cast(&number.to_array(rows)?, &DataType::Float64)?;
        let pairs =
            interval.as_primitive::<IntervalMonthDayNanoType>().iter().zip(number.as_primitive::<Float64Type>());
        let scaled = pairs.map(|(interval, number)| match (interval, number) {
            (Some(interval), Some(number)) => self.one(interval, number).map(Some),
            _ => Ok(None),
        });
        let scaled = scaled.collect::<Result<IntervalMonthDayNanoArray>>()?;
        debug_assert_eq!(scaled.len(), rows);
        Ok(match scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&scaled, 0)?),
            false => ColumnarValue::Array(Arc::new(scaled)),
        })
    }
}
