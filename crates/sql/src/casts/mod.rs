//! Casts as Flink has them, and the other operators that DataFusion computes in another way.
//!
//! [`by_place`]: the fields of rows go by place, also within arrays. [`whole`]: texts read as whole numbers. [`written`]: rows, arrays, maps and
//! intervals as texts. Here: casts between times and texts.
//!
//! DataFusion writes a time with a `T` in it and takes the wall clock of an instant to be that of UTC. Here a text has as
//! many digits as the type, and the wall is that of the session. The rule comes after DataFusion's own, so that it also
//! sees the casts that are put in to make types fit.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::compute::cast as cast_array;
use datafusion::arrow::datatypes::{
    DataType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility, lit, try_cast,
};
use datafusion::optimizer::AnalyzerRule;
use tidemill_core::time::{from_micros, to_micros};
use tidemill_plan::window::Zone;

use crate::decimals;
use crate::functions::json::member::value_of;

mod by_place;
mod whole;
mod written;

use by_place::{ByPlace, is_by_place};

/// Writes casts between times and texts as calls of functions that do them as Flink does.
#[derive(Debug)]
pub(crate) struct FlinkCasts {
    to_wall: Arc<ScalarUDF>,
    to_instant: Arc<ScalarUDF>,
    date_format: Option<Arc<ScalarUDF>>,
    zone: Zone,
}

impl FlinkCasts {
    /// With the session's zone, and its function `DATE_FORMAT`.
    pub(crate) fn new(zone: Zone, date_format: Option<Arc<ScalarUDF>>) -> Self {
        let udf = |way| Arc::new(ScalarUDF::new_from_impl(Between::new(zone, way)));
        Self { to_wall: udf(Way::ToWall), to_instant: udf(Way::ToInstant), date_format, zone }
    }

    /// An expression with its casts rewritten.
    pub(crate) fn rewrite(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        expr.transform_up(|e| self.one(e, schema))
    }

    fn one(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        if let Expr::BinaryExpr(binary) = expr {
            return match binary.op {
                Operator::Divide => decimals::rounded(binary, schema),
                _ => Ok(Transformed::no(Expr::BinaryExpr(binary))),
            };
        }
        let (inner, target) = match &expr {
            Expr::Cast(cast) => (&cast.expr, cast.field.data_type()),
            Expr::TryCast(cast) => (&cast.expr, cast.field.data_type()),
            _ => return Ok(Transformed::no(expr)),
        };
        let cast_to = |e: Expr, t: &DataType| match &expr {
            Expr::TryCast(_) => try_cast(e, t.clone()),
            _ => Expr::Cast(Cast::new(Box::new(e), t.clone())),
        };
        if let Some(value) = value_of(inner, target) {
            return Ok(Transformed::yes(cast_to(value, target)));
        }
        let Ok(from) = inner.get_type(schema) else { return Ok(Transformed::no(expr)) };
        let inner = || inner.as_ref().clone();
        let rewritten = match (&from, target) {
            (DataType::Timestamp(unit, _), DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8) => {
                let Some(date_format) = &self.date_format else { return Ok(Transformed::no(expr)) };
                let text = date_format.call(vec![inner(), lit(pattern(*unit))]);
                if *target == DataType::Utf8 { text } else { cast_to(text, target) }
            }
            (from, target) if is_by_place(from, target) => {
                let safe = matches!(expr, Expr::TryCast(_));
                ByPlace::new(target.clone(), safe, self.zone).call(inner())
            }
            _ if self.zone == Zone::Utc => return Ok(Transformed::no(expr)),
            (DataType::Timestamp(unit, Some(_)), DataType::Timestamp(_, None) | DataType::Date32) => {
                let wall = self.to_wall.call(vec![inner()]);
                if *target == DataType::Timestamp(*unit, None) { wall } else { cast_to(wall, target) }
            }
            (DataType::Timestamp(_, Some(_)), DataType::Time32(_) | DataType::Time64(_)) => {
                cast_to(self.to_wall.call(vec![inner()]), target)
            }
            (
                DataType::Timestamp(_, None) | DataType::Date32 | DataType::Utf8 | DataType::Utf8View,
                DataType::Timestamp(unit, Some(_)),
            ) => {
                let wall = DataType::Timestamp(*unit, None);
                self.to_instant.call(vec![if from == wall { inner() } else { cast_to(inner(), &wall) }])
            }
            _ => return Ok(Transformed::no(expr)),
        };
        Ok(Transformed::yes(rewritten))
    }
}

/// As many digits after the second as the type has.
fn pattern(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "yyyy-MM-dd HH:mm:ss",
        TimeUnit::Millisecond => "yyyy-MM-dd HH:mm:ss.SSS",
        TimeUnit::Microsecond => "yyyy-MM-dd HH:mm:ss.SSSSSS",
        TimeUnit::Nanosecond => "yyyy-MM-dd HH:mm:ss.SSSSSSSSS",
    }
}

/// `plan` with its expressions rewritten, which keep their names. `rewrite` is told what columns there are.
pub(crate) fn each_expression(
    plan: LogicalPlan,
    rewrite: impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&plan);
    let schema = match plan.inputs().as_slice() {
        [] => plan.schema().as_ref().clone(),
        inputs => merge_schema(inputs),
    };
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        Ok(rewrite(expr, &schema)?.update_data(|e| name.restore(e)))
    })
}

impl AnalyzerRule for FlinkCasts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            let plan = each_expression(plan, |expr, schema| self.rewrite(expr, schema))?;
            match plan.transformed {
                true => plan.map_data(LogicalPlan::recompute_schema),
                false => Ok(plan),
            }
        })?;
        Ok(rewritten.data)
    }

    fn name(&self) -> &str {
        "flink_casts"
    }
}

/// Which way between an instant and the clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    ToWall,
    ToInstant,
}

/// What the clock on the session's wall shows at an instant, or the instant at which it shows it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Between {
    zone: Zone,
    way: Way,
    signature: Signature,
}

impl Between {
    fn new(zone: Zone, way: Way) -> Self {
        Self { zone, way, signature: Signature::any(1, Volatility::Immutable) }
    }

    /// The timestamps shifted, as ones of the type `to`.
    fn shifted(&self, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
        let shifted: ArrayRef = match array.data_type() {
            DataType::Timestamp(unit @ TimeUnit::Second, _) => Arc::new(
                array.as_primitive::<TimestampSecondType>().unary::<_, TimestampSecondType>(|t| self.shift(t, *unit)),
            ),
            DataType::Timestamp(unit @ TimeUnit::Millisecond, _) => Arc::new(
                array
                    .as_primitive::<TimestampMillisecondType>()
                    .unary::<_, TimestampMillisecondType>(|t| self.shift(t, *unit)),
            ),
            DataType::Timestamp(unit @ TimeUnit::Microsecond, _) => Arc::new(
                array
                    .as_primitive::<TimestampMicrosecondType>()
                    .unary::<_, TimestampMicrosecondType>(|t| self.shift(t, *unit)),
            ),
            DataType::Timestamp(unit @ TimeUnit::Nanosecond, _) => Arc::new(
                array
                    .as_primitive::<TimestampNanosecondType>()
                    .unary::<_, TimestampNanosecondType>(|t| self.shift(t, *unit)),
            ),
            other => return plan_err!("{} needs a timestamp, not {other}", ScalarUDFImpl::name(self)),
        };
        // The kernel keeps no zone; where the result has one it is UTC, in which the ticks count.
        Ok(cast_array(&shifted, to)?)
    }

    fn shift(&self, ticks: i64, unit: TimeUnit) -> i64 {
        let micros = to_micros(ticks, unit);
        let shifted = match self.way {
            Way::ToWall => self.zone.to_wall(micros),
            Way::ToInstant => self.zone.to_instant(micros),
        };
        // Zones differ by whole seconds, so that what is finer than a microsecond stays.
        ticks.saturating_add(from_micros(shifted.saturating_sub(micros), unit))
    }
}

impl ScalarUDFImpl for Between {
    fn name(&self) -> &str {
        match self.way {
            Way::ToWall => "wall_clock_of_instant",
            Way::ToInstant => "instant_of_wall_clock",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match args {
            [DataType::Timestamp(unit, _)] => Ok(DataType::Timestamp(
                *unit,
                match self.way {
                    Way::ToWall => None,
                    Way::ToInstant => Some("UTC".into()),
                },
            )),
            _ => plan_err!("{} needs a timestamp", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let value = args.args.into_iter().next();
        let is_scalar = matches!(value, Some(ColumnarValue::Scalar(_)));
        let Some(value) = value else { return plan_err!("{} needs a timestamp", self.name()) };
        let array = value.into_array(if is_scalar { 1 } else { rows })?;
        let shifted = self.shifted(&array, args.return_field.data_type())?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&shifted, 0)?),
            false => ColumnarValue::Array(shifted),
        })
    }
}
