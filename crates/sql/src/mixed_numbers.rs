//! Decimals beside floating-point numbers, where all are to have one type: `price > ratio`, `COALESCE(price, 0.0)`,
//! `CASE .. THEN price ELSE ratio END`.
//!
//! DataFusion makes them a `DECIMAL(30, 15)`: fifteen digits after the point for each of them, and a number from 1e15 on stops the query. Here
//! they are `DOUBLE`, as in Flink; a number that stands in the query is the decimal that it is written as.

use datafusion::arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{Between, InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, ExprSchemable, cast};

use crate::compared::compares;

/// Functions whose arguments are made one type.
const OF_ONE_TYPE: [&str; 5] = ["coalesce", "ifnull", "nvl", "greatest", "least"];

/// `expr`, which compares values or chooses one of them, with what it needs to compare or choose among numbers of one kind.
pub(crate) fn settled(mut expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let mut values: Vec<&mut Expr> = match &mut expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(*op) => vec![left.as_mut(), right.as_mut()],
        Expr::Between(Between { expr, low, high, .. }) => vec![expr.as_mut(), low.as_mut(), high.as_mut()],
        Expr::InList(InList { expr, list, .. }) => std::iter::once(expr.as_mut()).chain(list).collect(),
        Expr::Case(Case { when_then_expr, else_expr, .. }) => {
            let results = when_then_expr.iter_mut().map(|(_, then)| then).chain(else_expr);
            results.map(AsMut::as_mut).collect()
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if OF_ONE_TYPE.contains(&func.name()) => {
            args.iter_mut().collect()
        }
        _ => return Transformed::no(expr),
    };
    let changed = settle(&mut values, schema);
    Transformed::new_transformed(expr, changed)
}

/// Whether there are both kinds among the types.
pub(crate) fn are_mixed<'a>(types: impl Iterator<Item = &'a DataType> + Clone) -> bool {
    types.clone().any(is_decimal) && types.clone().any(DataType::is_floating)
}

fn is_decimal(of: &DataType) -> bool {
    matches!(of, DataType::Decimal128(..))
}

/// Returns whether anything changed.
fn settle(values: &mut [&mut Expr], schema: &DFSchema) -> bool {
    let Some(types) = values.iter().map(|e| e.get_type(schema).ok()).collect::<Option<Vec<_>>>() else { return false };
    if !are_mixed(types.iter()) || values.iter().zip(&types).any(|(value, of)| of.is_floating() && is_computed(value)) {
        return false;
    }
    match written(values, &types) {
        Some(decimals) => {
            for (value, decimal) in values.iter_mut().zip(decimals) {
                if let Some(decimal) = decimal {
                    **value = Expr::Literal(decimal, None);
                }
            }
        }
        None => {
            for (value, _) in values.iter_mut().zip(&types).filter(|(_, of)| is_decimal(of)) {
                **value = cast(std::mem::take(*value), DataType::Float64);
            }
        }
    }
    true
}

/// Whether it is computed from numbers of the query alone. `0.06 + 0.01` is not quite 0.07, which fifteen digits after the point make good.
fn is_computed(value: &Expr) -> bool {
    !matches!(value, Expr::Literal(..)) && value.column_refs().is_empty()
}

/// The floating-point numbers as decimals, if all of them stand in the query and fit into one type with the decimals beside them.
fn written(values: &[&mut Expr], types: &[DataType]) -> Option<Vec<Option<ScalarValue>>> {
    let (mut whole, mut scale) = (0, 0);
    let mut decimals = vec![];
    for (value, of) in values.iter().zip(types) {
        let decimal = match (of.is_floating(), &**value) {
            (true, Expr::Literal(ScalarValue::Float64(Some(number)), _)) => Some(decimal(*number)?),
            (true, _) => return None,
            (false, _) => None,
        };
        if let DataType::Decimal128(p, s) = decimal.as_ref().map_or_else(|| of.clone(), ScalarValue::data_type) {
            (whole, scale) = (whole.max(i16::from(p) - i16::from(s)), scale.max(i16::from(s)));
        }
        decimals.push(decimal);
    }
    (whole + scale <= i16::from(DECIMAL128_MAX_PRECISION)).then_some(decimals)
}

/// A number with as many digits as it takes to write it; `None` where that is too many.
fn decimal(number: f64) -> Option<ScalarValue> {
    let text = format!("{number}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let unscaled: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = u8::try_from(fraction.len()).ok()?;
    let precision = u8::try_from(unscaled.unsigned_abs().to_string().len()).ok()?.max(scale.saturating_add(1));
    let fits = precision <= DECIMAL128_MAX_PRECISION;
    fits.then(|| ScalarValue::Decimal128(Some(unscaled), precision, i8::try_from(scale).unwrap_or(i8::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_decimal_that_it_is_written_as() {
        let of = |number| decimal(number).map(|d| d.to_string());
        let exact = |unscaled, precision, scale| Some(ScalarValue::Decimal128(Some(unscaled), precision, scale));
        assert_eq!(decimal(0.1), exact(1, 2, 1));
        assert_eq!(decimal(-12.50), exact(-125, 3, 1));
        assert_eq!(decimal(0.0), exact(0, 1, 0));
        assert_eq!(decimal(1e20), exact(100_000_000_000_000_000_000, 21, 0));
        assert!(of(1e-37).is_some());
        assert_eq!([of(1e-38), of(1e-255), of(1e39), of(f64::NAN)], [None, None, None, None]);
    }
}
