//! Decimals, divided: what does not fit into the digits of the result is rounded, a half away from zero.
//!
//! Arrow's own division cuts those digits off, as no database does. The types of results are DataFusion's.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, Datum, PrimitiveArray, new_null_array};
use arrow::compute::DecimalCast;
use arrow::compute::kernels::arity::{try_binary, try_unary};
use arrow::datatypes::{
    ArrowNativeType, DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType, i256,
};
use arrow::error::ArrowError;

/// `left / right`, both decimals of one width, with `precision` and `scale`.
///
/// # Errors
/// Where a divisor is zero, a result has more digits than `precision`, or these are no such columns.
pub fn divide(left: &dyn Datum, right: &dyn Datum, precision: u8, scale: i8) -> Result<ArrayRef, ArrowError> {
    macro_rules! wide {
        ($t:ty) => {
            divided::<$t>(left, right, precision, scale)
        };
    }
    match (left.get().0.data_type(), right.get().0.data_type()) {
        (DataType::Decimal32(..), DataType::Decimal32(..)) => wide!(Decimal32Type),
        (DataType::Decimal64(..), DataType::Decimal64(..)) => wide!(Decimal64Type),
        (DataType::Decimal128(..), DataType::Decimal128(..)) => wide!(Decimal128Type),
        (DataType::Decimal256(..), DataType::Decimal256(..)) => wide!(Decimal256Type),
        (left, right) => Err(ArrowError::InvalidArgumentError(format!("{left} is not divided by {right} here"))),
    }
}

/// The precision and scale of a decimal.
pub fn digits(of: &DataType) -> Option<(u8, i8)> {
    match of {
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => Some((*p, *s)),
        _ => None,
    }
}

fn divided<T>(left: &dyn Datum, right: &dyn Datum, precision: u8, scale: i8) -> Result<ArrayRef, ArrowError>
where
    T: DecimalType,
    T::Native: DecimalCast,
{
    let ((left, one_left), (right, one_right)) = (left.get(), right.get());
    let scales = digits(left.data_type()).zip(digits(right.data_type()));
    let Some(((_, left_scale), (_, right_scale))) = scales else {
        return Err(ArrowError::InvalidArgumentError("only decimals are divided here".into()));
    };
    let quotient = Quotient::<T>::new(left_scale, right_scale, precision, scale);
    let (left, right) = (left.as_primitive::<T>(), right.as_primitive::<T>());
    let nothing = || Ok(new_null_array(&T::TYPE_CONSTRUCTOR(precision, scale), left.len().max(right.len())));
    let values: PrimitiveArray<T> = match (one_left, one_right) {
        (false, true) if right.is_null(0) => return nothing(),
        (true, false) if left.is_null(0) => return nothing(),
        (false, true) => {
            let by = right.value(0);
            try_unary(left, |l| quotient.of(l, by))?
        }
        (true, false) => {
            let of = left.value(0);
            try_unary(right, |r| quotient.of(of, r))?
        }
        _ => try_binary(left, right, |l, r| quotient.of(l, r))?,
    };
    Ok(Arc::new(values.with_precision_and_scale(precision, scale)?))
}

/// Divides unscaled numbers.
#[derive(Debug)]
pub struct Quotient<T: DecimalType> {
    /// By how many powers of ten the dividend is to be greater for the quotient to have its scale; less than none means
    /// the divisor.
    power: i32,
    /// Ten to that power, where it is one of the dividend's and fits.
    factor: Option<T::Native>,
    precision: u8,
    scale: i8,
}

impl<T: DecimalType> Quotient<T>
where
    T::Native: DecimalCast,
{
    /// Of numbers with the scales `left` and `right`; results have `precision` and `scale`.
    pub fn new(left: i8, right: i8, precision: u8, scale: i8) -> Self {
        let power = i32::from(scale) + i32::from(right) - i32::from(left);
        let factor = u32::try_from(power).ok().and_then(|p| T::Native::usize_as(10).pow_checked(p).ok());
        Self { power, factor, precision, scale }
    }

    /// `left / right`.
    ///
    /// # Errors
    /// If `right` is zero, or the result has too many digits.
    pub fn of(&self, left: T::Native, right: T::Native) -> Result<T::Native, ArrowError> {
        if right.is_zero() {
            return Err(ArrowError::DivideByZero);
        }
        let quotient = match self.factor.map(|f| left.mul_checked(f)) {
            Some(Ok(left)) => half_up(left, right),
            _ => self.wide(left, right).ok_or_else(|| self.overflow())?,
        };
        T::validate_decimal_precision(quotient, self.precision, self.scale).map_err(|_| self.overflow())?;
        Ok(quotient)
    }

    /// The same by way of more digits, for what does not fit otherwise.
    fn wide(&self, left: T::Native, right: T::Native) -> Option<T::Native> {
        let scaled = |n: T::Native, power: i32| {
            let factor = i256::from_i128(10).pow_checked(u32::try_from(power).unwrap_or(0)).ok()?;
            n.to_i256()?.mul_checked(factor).ok()
        };
        T::Native::from_decimal(half_up(scaled(left, self.power)?, scaled(right, -self.power)?))
    }

    fn overflow(&self) -> ArrowError {
        let message = format!("a quotient has more digits than DECIMAL({}, {}) holds", self.precision, self.scale);
        ArrowError::ArithmeticOverflow(message)
    }
}

/// `n / d`, to the nearest whole number, a half away from zero. `d` is not zero.
fn half_up<N: ArrowNativeTypeOp>(n: N, d: N) -> N {
    let magnitude = |n: N| if n.is_lt(N::ZERO) { N::ZERO.sub_wrapping(n) } else { n };
    let quotient = n.div_wrapping(d);
    let (rest, whole) = (magnitude(n.mod_wrapping(d)), magnitude(d));
    if rest.is_lt(whole.sub_wrapping(rest)) {
        quotient
    } else if n.is_lt(N::ZERO) == d.is_lt(N::ZERO) {
        quotient.add_wrapping(N::ONE)
    } else {
        quotient.sub_wrapping(N::ONE)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Decimal128Array;

    use super::*;

    #[test]
    fn a_half_goes_away_from_zero() {
        let cases = [(7, 2, 4), (-7, 2, -4), (7, -2, -4), (-7, -2, 4), (1, 3, 0), (2, 3, 1), (0, 5, 0), (6, 3, 2)];
        for (n, d, expected) in cases {
            assert_eq!(half_up(n, d), expected, "{n} / {d}");
            assert_eq!(half_up(i256::from_i128(n), i256::from_i128(d)), i256::from_i128(expected), "{n} / {d}");
        }
    }

    #[test]
    fn what_does_not_fit_on_the_way_may_fit_at_the_end() {
        let great = Quotient::<Decimal128Type>::new(0, 0, 38, 4);
        assert_eq!(great.of(10_i128.pow(37), 10_i128.pow(34) * 3).ok(), Some(3_333_333));
        assert!(great.of(10_i128.pow(37), 1).is_err_and(|e| e.to_string().contains("DECIMAL(38, 4)")));
        assert!(matches!(great.of(1, 0), Err(ArrowError::DivideByZero)));
        // A divisor with a scale below zero: 5 / 2e3.
        assert_eq!(Quotient::<Decimal128Type>::new(0, -3, 10, 2).of(5, 2).ok(), Some(0));
        assert_eq!(Quotient::<Decimal128Type>::new(0, -3, 10, 2).of(10, 2).ok(), Some(1));
    }

    #[test]
    fn columns_by_columns_and_by_one_number() {
        let column = |values: Vec<Option<i128>>, scale| {
            Decimal128Array::from(values).with_precision_and_scale(10, scale).expect("fits")
        };
        let left = column(vec![Some(200), None, Some(-200), Some(100)], 2);
        let three = column(vec![Some(3); 4], 0);
        let expected = column(vec![Some(666_667), None, Some(-666_667), Some(333_333)], 6);
        let expected = expected.with_precision_and_scale(14, 6).expect("fits");
        assert_eq!(divide(&left, &three, 14, 6).expect("divides").as_primitive(), &expected);
        let three = arrow::array::Scalar::new(three.slice(0, 1));
        assert_eq!(divide(&left, &three, 14, 6).expect("divides").as_primitive(), &expected);
        let null = arrow::array::Scalar::new(column(vec![None], 0));
        assert_eq!(divide(&left, &null, 14, 6).expect("divides").null_count(), 4);
    }
}
