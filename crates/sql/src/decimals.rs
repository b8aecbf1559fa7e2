//! `/` of decimals: rounded where DataFusion cuts off.
//!
//! The types are DataFusion's: what it makes of `a / b` is what the call here gives, only that the last digit is right.

use datafusion::arrow::array::{Datum, Scalar};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, exec_err};
use datafusion::logical_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::scalar::ScalarValue;
use tidemill_plan::decimal::{digits, divide};

/// A division whose sides have their final types; one of decimals becomes a call of [`Divide`].
pub(crate) fn rounded(division: BinaryExpr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let types = division.left.get_type(schema).and_then(|l| Ok([l, division.right.get_type(schema)?]));
    let decimals = types.is_ok_and(|types| types.iter().all(DataType::is_decimal));
    if !decimals {
        return Ok(Transformed::no(Expr::BinaryExpr(division)));
    }
    let divide = ScalarUDF::new_from_impl(Divide { signature: Signature::any(2, Volatility::Immutable) });
    Ok(Transformed::yes(divide.call(vec![*division.left, *division.right])))
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

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [left, right] => BinaryTypeCoercer::new(left, &Operator::Divide, right).get_result_type(),
            _ => exec_err!("a division has two sides"),
        }
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
