//! `/` of decimals: rounded where DataFusion cuts off, with as many digits as Flink and the standard databases give it.
//!
//! DataFusion's quotient has four digits more than the dividend; a share such as `paid / total` would come out as 0.333333. Here
//! it has the digits of Flink's rule, up to twelve: a product of two quotients still fits.

use datafusion::arrow::array::{Datum, Scalar};
use datafusion::arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, exec_err};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, cast,
};
use datafusion::scalar::ScalarValue;
use sqlparser::ast::BinaryOperator;
use tidemill_plan::decimal::{digits, divide};

/// A quotient has at least so many digits after the point.
const LEAST_SCALE: i16 = 6;
/// It is given no more than so many, but for those that its dividend has.
const ENOUGH_SCALE: i16 = 12;

/// Plans divisions of decimals, before anything is made to fit the type that DataFusion would give them.
#[derive(Debug)]
pub(crate) struct DecimalDivision;

impl ExprPlanner for DecimalDivision {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::Divide {
            return Ok(PlannerResult::Original(expr));
        }
        let types = expr.left.get_type(schema).and_then(|left| Ok([left, expr.right.get_type(schema)?]));
        match types.is_ok_and(|[left, right]| operands(&left, &right).is_some()) {
            true => Ok(PlannerResult::Planned(quotient(expr.left, expr.right))),
            false => Ok(PlannerResult::Original(expr)),
        }
    }
}

/// A division whose sides have their final types; one of decimals becomes a call of [`Divide`].
pub(crate) fn rounded(division: BinaryExpr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let types = division.left.get_type(schema).and_then(|l| Ok([l, division.right.get_type(schema)?]));
    let decimals = types.is_ok_and(|types| types.iter().all(DataType::is_decimal));
    let division = Expr::BinaryExpr(division);
    if !decimals {
        return Ok(Transformed::no(division));
    }
    // What is around it counts on the type that it had.
    let planned = division.get_type(schema)?;
    let Expr::BinaryExpr(division) = division else { return Ok(Transformed::no(division)) };
    Ok(Transformed::yes(cast(quotient(*division.left, *division.right), planned)))
}

fn quotient(left: Expr, right: Expr) -> Expr {
    let divide = ScalarUDF::new_from_impl(Divide { signature: Signature::user_defined(Volatility::Immutable) });
    divide.call(vec![left, right])
}

/// The types to which the sides of a division are cast: decimals of one width. `None` where it is not one of decimals.
fn operands(left: &DataType, right: &DataType) -> Option<[DataType; 2]> {
    if !left.is_decimal() && !right.is_decimal() {
        return None;
    }
    let ([(p1, s1), (p2, s2)], wide) =
        ([digits_of(left)?, digits_of(right)?], [left, right].map(is_wide).contains(&true));
    let of = |p, s| if wide { DataType::Decimal256(p, s) } else { DataType::Decimal128(p, s) };
    Some([of(p1, s1), of(p2, s2)])
}

fn is_wide(of: &DataType) -> bool {
    matches!(of, DataType::Decimal256(..))
}

/// The digits of a decimal, or of an integer as one.
fn digits_of(of: &DataType) -> Option<(u8, i8)> {
    Some(match of {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 | DataType::UInt64 => (20, 0),
        other => return digits(other),
    })
}

/// The type of a quotient.
fn quotient_type(left: &DataType, right: &DataType) -> Option<DataType> {
    let [(p1, s1), (p2, s2)] = [digits(left)?, digits(right)?].map(|(p, s)| (i16::from(p), i16::from(s)));
    let greatest = i16::from(if is_wide(left) { DECIMAL256_MAX_PRECISION } else { DECIMAL128_MAX_PRECISION });
    let scale = (s1 + p2 + 1).clamp(LEAST_SCALE, ENOUGH_SCALE).max(s1);
    let whole = p1 - s1 + s2;
    // Where not all digits fit, those before the point go first: sums of decimals have room for far more than they hold.
    let least = scale.min((s1 + 4).max(LEAST_SCALE));
    let scale = if whole + scale > greatest { (greatest - whole).max(least) } else { scale };
    let (precision, scale) = (u8::try_from((whole + scale).clamp(1, greatest)).ok()?, i8::try_from(scale).ok()?);
    Some(if is_wide(left) { DataType::Decimal256(precision, scale) } else { DataType::Decimal128(precision, scale) })
}

/// `left / right`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Divide {
    signature: Signature,
}

impl ScalarUDFImpl for Divide {
    fn name(&self) -> &str {
        "divide_rounded"
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        match args {
            [left, right] => Ok(format!("{left} / {right}")),
            _ => Ok(self.name().into()),
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [left, right] => match operands(left, right) {
                Some(operands) => Ok(operands.into()),
                None => exec_err!("decimals are divided here"),
            },
            _ => exec_err!("a division has two sides"),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [left, right] = types else { return exec_err!("a division has two sides") };
        let of = operands(left, right).and_then(|[left, right]| quotient_type(&left, &right));
        of.map_or_else(|| exec_err!("decimals are divided here"), Ok)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ([left, right], Some((precision, scale))) = (&args.args[..], digits(args.return_field.data_type())) else {
            return exec_err!("decimals are divided here");
        };
        let quotients = divide(datum(left)?.as_ref(), datum(right)?.as_ref(), precision, scale)?;
        match args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_))) {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&quotients, 0)?)),
            false => Ok(ColumnarValue::Array(quotients)),
        }
    }
}

fn datum(value: &ColumnarValue) -> Result<Box<dyn Datum>> {
    Ok(match value {
        ColumnarValue::Array(array) => Box::new(array.clone()),
        ColumnarValue::Scalar(one) => Box::new(Scalar::new(one.to_array()?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotient_has_digits_enough_and_room_for_what_is_before_the_point() {
        let check = |left: (u8, i8), right: (u8, i8), expected: (u8, i8)| {
            let of = |(p, s)| DataType::Decimal128(p, s);
            assert_eq!(quotient_type(&of(left), &of(right)), Some(of(expected)), "{left:?} / {right:?}");
        };
        check((3, 2), (3, 1), (8, 6));
        check((5, 2), (10, 0), (15, 12));
        check((10, 2), (10, 2), (22, 12));
        check((20, 15), (10, 0), (20, 15));
        check((38, 4), (38, 4), (38, 8));
        check((38, 10), (38, 10), (38, 12));
        check((38, 0), (5, 0), (38, 6));
        check((30, 2), (20, 0), (38, 10));
    }

    #[test]
    fn integers_are_decimals_beside_one() {
        let (decimal, integer) = (DataType::Decimal128(5, 2), DataType::Int32);
        let ten = DataType::Decimal128(10, 0);
        assert_eq!(operands(&decimal, &integer), Some([decimal.clone(), ten.clone()]));
        assert_eq!(operands(&integer, &decimal), Some([ten, decimal.clone()]));
        assert_eq!(operands(&integer, &integer), None);
        assert_eq!(operands(&decimal, &DataType::Float64), None);
    }
}
