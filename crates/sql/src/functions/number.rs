//! Arithmetic: `MOD`, `POWER`, `SQRT`, `LOG`, `SIGN`, `ROUND`, `TRUNCATE`, `E`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::compute::kernels::numeric::rem;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::functions::math;
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{Expr, Operator, binary_expr};

use super::call::Call;
use super::declaration::{Function, Kind, Types, takes};

pub(super) static MOD: Function = Function {
    names: &["mod"],
    usage: "MOD(a, b)",
    about: "The rest of a division, with the sign of the first; the same as `a % b`. By 0 it is an error.",
    examples: &[
        ("mod(7, 3)", "1"),
        ("mod(-7, 3)", "-1"),
        ("mod(7.5, 2)", "1.5"),
        ("mod(CAST(NULL AS INT), 2)", "NULL"),
    ],
    types: |args| {
        let [a, b] = args else { return None };
        let common = if a == b { a.clone() } else { comparison_coercion(a, b)? };
        common.is_numeric().then(|| Types { args: vec![common.clone(); 2], result: common })
    },
    compute: |call| Ok(rem(&call.array(0)?, &call.array(1)?)?),
    rewrite: Some(|args| match <[Expr; 2]>::try_from(args) {
        Ok([a, b]) => Ok(binary_expr(a, Operator::Modulo, b)),
        Err(_) => plan_err!("MOD takes two arguments"),
    }),
    ..Function::PLAIN
};

pub(super) static POWER: Function = Function {
    names: &["power", "pow"],
    usage: "POWER(base, exponent)",
    about: "A power, as DOUBLE.",
    examples: &[("power(2, 10)", "1024.0"), ("power(2, -1)", "0.5")],
    types: |args| takes(args, &[Kind::Double, Kind::Double], 2, DataType::Float64),
    compute: |call| {
        let (base, exponent) = (call.double(0)?, call.double(1)?);
        call.collected::<f64, Float64Array>(|row| Ok(base.at(row).zip(exponent.at(row)).map(|(b, e)| b.powf(e))))
    },
    ..Function::PLAIN
};

pub(super) static SQRT: Function = Function {
    names: &["sqrt"],
    usage: "SQRT(number)",
    about: "The square root, as DOUBLE. A number below 0 has none: NaN, as LN has it.",
    examples: &[("sqrt(9)", "3.0"), ("sqrt(-1)", "NaN")],
    types: |args| takes(args, &[Kind::Double], 1, DataType::Float64),
    compute: |call| {
        let numbers = call.array(0)?;
        Ok(Arc::new(numbers.as_primitive::<Float64Type>().unary::<_, Float64Type>(f64::sqrt)))
    },
    ..Function::PLAIN
};

pub(super) static LOG: Function = Function {
    names: &["log"],
    usage: "LOG(number) or LOG(base, number)",
    about: "The logarithm, of base e if none is given, as DOUBLE.",
    examples: &[("log(2, 8)", "3.0"), ("log(1)", "0.0")],
    types: |args| takes(args, &[Kind::Double, Kind::Double], 1, DataType::Float64),
    compute: |call| {
        let first = call.double(0)?;
        let second = if call.len() > 1 { Some(call.double(1)?) } else { None };
        call.collected::<f64, Float64Array>(|row| {
            Ok(match &second {
                None => first.at(row).map(f64::ln),
                Some(number) => first.at(row).zip(number.at(row)).map(|(base, x)| x.ln() / base.ln()),
            })
        })
    },
    ..Function::PLAIN
};

pub(super) static E: Function = Function {
    names: &["e"],
    usage: "E()",
    about: "The base of the natural logarithm.",
    examples: &[("e()", "2.718281828459045")],
    types: |args| takes(args, &[], 0, DataType::Float64),
    compute: |call| Ok(Arc::new(Float64Array::from_value(std::f64::consts::E, call.rows))),
    ..Function::PLAIN
};

pub(super) static SIGN: Function = Function {
    names: &["sign"],
    usage: "SIGN(number)",
    about: "-1, 0 or 1, of the type of the number.",
    examples: &[
        ("sign(-7)", "-1"),
        ("sign(0.5)", "1.0"),
        ("sign(0)", "0"),
        ("sign(CAST(-1.5 AS DECIMAL(10, 2)))", "-1.00"),
    ],
    types: |args| match args {
        [number] if number.is_numeric() => Some(Types { args: args.to_vec(), result: number.clone() }),
        _ => None,
    },
    compute: |call| {
        let numbers = cast(&call.array(0)?, &DataType::Float64)?;
        let signs: Float64Array =
            numbers.as_primitive::<Float64Type>().unary(|x| if x == 0.0 || x.is_nan() { x } else { x.signum() });
        Ok(cast(&signs, call.result_type())?)
    },
    ..Function::PLAIN
};

/// A whole number as it is; DataFusion would make it a DOUBLE.
fn whole(args: &[DataType]) -> Option<Types> {
    match args {
        [number] if number.is_integer() => Some(Types { args: args.to_vec(), result: number.clone() }),
        _ => None,
    }
}

pub(super) static FLOOR: Function = Function {
    names: &["floor"],
    usage: "FLOOR(number)",
    about: "The greatest whole number that is not greater, of the type of the number.",
    examples: &[("floor(-1.2)", "-2.0"), ("floor(7)", "7"), ("floor(CAST(1.5 AS DECIMAL(10, 2)))", "1.00")],
    types: whole,
    compute: |call| call.array(0),
    otherwise: Some(math::floor),
    ..Function::PLAIN
};

pub(super) static CEIL: Function = Function {
    names: &["ceil", "ceiling"],
    usage: "CEIL(number)",
    about: "The least whole number that is not less, of the type of the number.",
    examples: &[("ceil(1.2)", "2.0"), ("ceil(7)", "7")],
    types: whole,
    compute: |call| call.array(0),
    otherwise: Some(math::ceil),
    ..Function::PLAIN
};

/// A number as it is, and how many digits after the point; or less than 0, before it.
fn number_and_digits(args: &[DataType]) -> Option<Types> {
    let (number, digits) = args.split_first()?;
    let mut types = takes(digits, &[Kind::Int], 0, number.clone())?;
    types.args.insert(0, number.clone());
    Some(types)
}

pub(super) static ROUND: Function = Function {
    names: &["round"],
    usage: "ROUND(number[, digits])",
    about: "The number with so many digits after the point (0, if nothing else is said); a 5 is rounded away from 0, \
            as it is written: 2.675 is 2.68.",
    examples: &[
        ("round(2.675, 2)", "2.68"),
        ("round(-2.5)", "-3.0"),
        ("round(1234.5, -2)", "1200.0"),
        ("round(1.005e0, 2)", "1.01"),
        ("round(0.1 + 0.2, 17)", "0.30000000000000004"),
        ("round(CAST(2.345 AS DECIMAL(10, 3)))", "2"),
        ("round(15, -1)", "20"),
        ("round(CAST(NULL AS DOUBLE), 2)", "NULL"),
    ],
    types: |args| match args.first()? {
        DataType::Float64 => number_and_digits(args),
        _ => None,
    },
    compute: |call| doubles(call, true),
    otherwise: Some(math::round),
    ..Function::PLAIN
};

pub(super) static TRUNCATE: Function = Function {
    names: &["truncate"],
    usage: "TRUNCATE(number[, digits])",
    about: "The number cut off after so many digits after the point (0, if nothing else is said).",
    examples: &[
        ("truncate(42.345, 2)", "42.34"),
        ("truncate(-42.9)", "-42.0"),
        ("truncate(42.324, -1)", "40.0"),
        ("truncate(45, -1)", "40"),
        ("truncate(0.29 * 100, 0)", "28.0"),
        ("truncate(CAST(42.349 AS DECIMAL(10, 3)), 2)", "42.340"),
    ],
    types: |args| match args.first()? {
        DataType::Decimal128(..) => number_and_digits(args),
        number if number.is_integer() => {
            let mut types = number_and_digits(args)?;
            types.args[0] = DataType::Int64;
            types.result = DataType::Int64;
            Some(types)
        }
        number if number.is_floating() => {
            let mut types = number_and_digits(args)?;
            types.args[0] = DataType::Float64;
            types.result = DataType::Float64;
            Some(types)
        }
        _ => None,
    },
    compute: |call| {
        let digits = if call.len() > 1 { Some(call.int(1)?) } else { None };
        let digits = |row| match &digits {
            None => Some(0),
            Some(digits) => digits.at(row),
        };
        match call.type_of(0) {
            DataType::Float64 => doubles(call, false),
            DataType::Int64 => {
                let array = call.array(0)?;
                let numbers = array.as_primitive::<Int64Type>();
                call.collected::<i64, Int64Array>(|row| {
                    let (Some(number), Some(digits)) = (value(numbers, row), digits(row)) else { return Ok(None) };
                    Ok(Some(cut(number.into(), digits.saturating_neg()) as i64))
                })
            }
            DataType::Decimal128(precision, scale) => {
                let array = call.array(0)?;
                let numbers = array.as_primitive::<Decimal128Type>();
                let cut: Decimal128Array = (0..call.rows)
                    .map(|row| value(numbers, row).zip(digits(row)))
                    .map(|both| both.map(|(number, digits)| cut(number, i64::from(*scale).saturating_sub(digits))))
                    .collect();
                Ok(Arc::new(cut.with_precision_and_scale(*precision, *scale)?))
            }
            other => internal_err!("TRUNCATE was planned with {other}"),
        }
    },
    ..Function::PLAIN
};

fn value<T: arrow::datatypes::ArrowPrimitiveType>(
    array: &arrow::array::PrimitiveArray<T>,
    row: usize,
) -> Option<T::Native> {
    use arrow::array::Array;
    array.is_valid(row).then(|| array.value(row))
}

/// The number with its last `digits` digits set to 0.
fn cut(number: i128, digits: i64) -> i128 {
    match u32::try_from(digits) {
        Err(_) if digits < 0 => number,
        Ok(digits) => 10_i128.checked_pow(digits).map_or(0, |unit| number - number % unit),
        Err(_) => 0,
    }
}

fn doubles(call: &Call, half_up: bool) -> Result<ArrayRef> {
    let number = call.double(0)?;
    let digits = if call.len() > 1 { Some(call.int(1)?) } else { None };
    call.collected::<f64, Float64Array>(|row| {
        let digits = match &digits {
            None => Some(0),
            Some(digits) => digits.at(row),
        };
        Ok(number.at(row).zip(digits).map(|(number, digits)| shorten(number, digits, half_up)))
    })
}

/// Leaves `digits` digits after the point of the number as it is written in decimals.
fn shorten(number: f64, digits: i64, half_up: bool) -> f64 {
    if !number.is_finite() || number == 0.0 {
        return number;
    }
    // In nearly all cases the number is clearly on one side, and 10^22 and what is below 2^53 are exact.
    if let Ok(places @ 0..=22) = i32::try_from(digits) {
        let unit = 10_f64.powi(places);
        let scaled = number * unit;
        let distance = if half_up { scaled.abs().fract() - 0.5 } else { scaled - scaled.round() }.abs();
        if scaled.abs() < 9e15 && distance > 1e-15 * scaled.abs() + 1e-9 {
            return if half_up { scaled.round() / unit } else { scaled.trunc() / unit };
        }
    }
    shorten_exactly(number, digits, half_up).unwrap_or(number)
}

/// [`shorten`] by the digits of the shortest text that reads as the number; nothing where it has no more digits.
fn shorten_exactly(number: f64, digits: i64, half_up: bool) -> Option<f64> {
    let text = format!("{:e}", number.abs());
    let (mantissa, exponent) = text.split_once('e')?;
    let significant: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i64 = exponent.parse().ok()?;
    // How many of the significant digits stay.
    let kept = exponent.saturating_add(1).saturating_add(digits);
    let Ok(kept) = usize::try_from(kept) else { return Some(0.0_f64.copysign(number)) };
    let next = *significant.as_bytes().get(kept)?;
    let head: u64 = if kept == 0 { 0 } else { significant[..kept].parse().ok()? };
    let head = head + u64::from(half_up && next >= b'5');
    let shortened: f64 = format!("{head}e{}", exponent + 1 - kept as i64).parse().ok()?;
    Some(shortened.copysign(number))
}

pub(super) static SHIFTLEFT: Function = Function {
    names: &["shiftleft"],
    usage: "SHIFTLEFT(number, bits)",
    about: "A whole number with its bits moved to the left, as BIGINT.",
    examples: &[("shiftleft(123456, 2)", "493824"), ("shiftleft(1, CAST(NULL AS INT))", "NULL")],
    types: |args| takes(args, &[Kind::Int, Kind::Int], 2, DataType::Int64),
    compute: |call| {
        let (number, bits) = (call.int(0)?, call.int(1)?);
        // Only the last six bits of the count matter, as in Java.
        call.collected::<i64, Int64Array>(|row| {
            Ok(number.at(row).zip(bits.at(row)).map(|(number, bits)| number.wrapping_shl(bits as u32)))
        })
    },
    ..Function::PLAIN
};

pub(super) static SHIFTRIGHT: Function = Function {
    names: &["shiftright"],
    usage: "SHIFTRIGHT(number, bits)",
    about: "A whole number with its bits moved to the right, as BIGINT; its sign stays.",
    examples: &[("shiftright(123456, 2)", "30864"), ("shiftright(-4, 1)", "-2")],
    types: |args| takes(args, &[Kind::Int, Kind::Int], 2, DataType::Int64),
    compute: |call| {
        let (number, bits) = (call.int(0)?, call.int(1)?);
        // Only the last six bits of the count matter, as in Java.
        call.collected::<i64, Int64Array>(|row| {
            Ok(number.at(row).zip(bits.at(row)).map(|(number, bits)| number.wrapping_shr(bits as u32)))
        })
    },
    ..Function::PLAIN
};

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn ties_are_those_of_the_written_number() {
        for (number, digits, rounded, truncated) in [
            (1.005, 2, 1.01, 1.0),
            (-1.005, 2, -1.01, -1.0),
            (0.5, 0, 1.0, 0.0),
            (0.05, 0, 0.0, 0.0),
            (9.995, 2, 10.0, 9.99),
            (4.35, 2, 4.35, 4.35),
            (1e300, 2, 1e300, 1e300),
            (1e-300, 2, 0.0, 0.0),
            (555.0, -1, 560.0, 550.0),
            (555.0, -4, 0.0, 0.0),
            (f64::MAX, i64::MAX, f64::MAX, f64::MAX),
            (f64::MAX, i64::MIN, 0.0, 0.0),
        ] {
            assert_eq!(shorten(number, digits, true), rounded, "round({number}, {digits})");
            assert_eq!(shorten(number, digits, false), truncated, "truncate({number}, {digits})");
        }
    }
}
