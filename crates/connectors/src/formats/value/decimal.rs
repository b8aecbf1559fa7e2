//! Decimals: digits to digits, never through a float.

use arrow::datatypes::{ArrowNativeType, ArrowNativeTypeOp, Decimal128Type, Decimal256Type, DecimalType, i256};

use super::{Native, Scalar, integer};

/// `DECIMAL(precision, scale)`. Digits beyond the scale are rounded half up, as Flink does; a value with more digits
/// than the precision is refused.
pub(crate) struct Decimal<A: DecimalType> {
    scale: i8,
    /// The first magnitude that has too many digits.
    bound: A::Native,
}

impl<A: DecimalType> Decimal<A> {
    pub(crate) fn new(precision: u8, scale: i8) -> Self {
        // 10^38 and 10^76 fit into 128 and 256 bits.
        let bound = A::Native::usize_as(10).pow_wrapping(u32::from(precision));
        Self { scale, bound }
    }

    fn read(&self, text: &[u8]) -> Option<A::Native> {
        let digits = Digits::of(text)?;
        let magnitude: A::Native = digits.shifted(i64::from(self.scale), A::MAX_PRECISION.into(), false)?;
        magnitude.is_lt(self.bound).then(|| if digits.negative { magnitude.neg_wrapping() } else { magnitude })
    }
}

macro_rules! scalar {
    ($($t:ty),+) => {
        $(impl Scalar for Decimal<$t> {
            type Arrow = $t;

            #[inline]
            fn text(&self, text: &[u8]) -> Option<Native<Self>> {
                self.read(text)
            }

            fn number(&self, token: &[u8]) -> Option<Native<Self>> {
                self.read(token)
            }
        })+
    };
}

scalar!(Decimal128Type, Decimal256Type);

/// The value of a number if it is whole and fits.
pub(crate) fn exact(text: &[u8]) -> Option<i128> {
    let digits = Digits::of(text)?;
    let magnitude: i128 = digits.shifted(0, 38, true)?;
    Some(if digits.negative { -magnitude } else { magnitude })
}

/// A number in its parts: `± digits × 10^exponent`, the point taken out.
struct Digits<'a> {
    negative: bool,
    /// Digits and at most one point.
    mantissa: &'a [u8],
    /// Significant digits in `mantissa`.
    count: usize,
    exponent: i64,
}

impl<'a> Digits<'a> {
    /// What Java's `BigDecimal` takes: a sign, digits with a point anywhere among them, an exponent.
    fn of(text: &'a [u8]) -> Option<Self> {
        let (negative, unsigned) = match text.first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned.iter().position(|b| matches!(b, b'e' | b'E'));
        let mantissa = &unsigned[..end.unwrap_or(unsigned.len())];
        let mut point = None;
        for (i, b) in mantissa.iter().enumerate() {
            match b {
                b'0'..=b'9' => {}
                b'.' if point.is_none() => point = Some(i),
                _ => return None,
            }
        }
        if mantissa.len() == usize::from(point.is_some()) {
            return None;
        }
        let written = match end {
            Some(e) => exponent(&unsigned[e + 1..])?,
            None => 0,
        };
        let fraction = point.map_or(0, |p| mantissa.len() - p - 1) as i64;
        let leading = mantissa.iter().position(|b| (b'1'..=b'9').contains(b)).unwrap_or(mantissa.len());
        let mantissa = &mantissa[leading..];
        let count = mantissa.len() - usize::from(mantissa.contains(&b'.'));
        Some(Self { negative, mantissa, count, exponent: written.checked_sub(fraction)? })
    }

    /// The magnitude × 10^scale, rounded half up (or refused, if it must be `exact`), where it has at most `most` digits.
    fn shifted<N: ArrowNativeTypeOp>(&self, scale: i64, most: usize, exact: bool) -> Option<N> {
        let ten = N::usize_as(10);
        if self.count == 0 {
            return Some(N::usize_as(0));
        }
        let shift = self.exponent.saturating_add(scale);
        let keep = (self.count as i64).saturating_add(shift);
        if keep > most as i64 {
            return None;
        }
        let keep = keep.max(-1);
        let (mut magnitude, mut seen, mut up) = (N::usize_as(0), 0i64, false);
        for b in self.mantissa.iter().filter(|b| **b != b'.') {
            if seen < keep {
                magnitude = magnitude.mul_wrapping(ten).add_wrapping(N::usize_as(usize::from(b - b'0')));
            } else if exact && *b != b'0' {
                return None;
            } else if seen == keep {
                up = *b >= b'5';
            }
            seen += 1;
        }
        for _ in seen..keep {
            magnitude = magnitude.mul_wrapping(ten);
        }
        Some(if up { magnitude.add_wrapping(N::usize_as(1)) } else { magnitude })
    }
}

/// The exponent's digits; one too large to matter is held at a bound.
fn exponent(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    if digits.is_empty() {
        return None;
    }
    let n =
        digits.iter().try_fold(0i64, |n, b| b.is_ascii_digit().then(|| (n * 10 + i64::from(b - b'0')).min(1 << 40)))?;
    Some(if text[0] == b'-' { -n } else { n })
}

/// Appends `unscaled / 10^scale`: `plain` digits, or as Java's `BigDecimal.toString` does, which writes very small
/// numbers and negative scales with an exponent.
pub(crate) fn write(unscaled: i256, scale: i8, plain: bool, out: &mut Vec<u8>) {
    let mut digits = Vec::with_capacity(80);
    match unscaled.to_i128() {
        Some(n) => integer::write(n, &mut digits),
        None => digits.extend_from_slice(unscaled.to_string().as_bytes()),
    }
    let digits = match digits.strip_prefix(b"-") {
        Some(rest) => {
            out.push(b'-');
            rest
        }
        None => &digits,
    };
    let scale = i32::from(scale);
    let adjusted = digits.len() as i32 - 1 - scale;
    if !plain && (scale < 0 || adjusted < -6) {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        if adjusted != 0 {
            out.push(b'E');
            out.push(if adjusted < 0 { b'-' } else { b'+' });
            integer::write_digits(u128::from(adjusted.unsigned_abs()), 1, out);
        }
        return;
    }
    if scale <= 0 {
        out.extend_from_slice(digits);
        if digits != b"0" {
            out.resize(out.len() + (-scale) as usize, b'0');
        }
        return;
    }
    let scale = scale as usize;
    let whole = digits.len().saturating_sub(scale);
    out.extend_from_slice(if whole == 0 { b"0" } else { &digits[..whole] });
    out.push(b'.');
    out.resize(out.len() + scale.saturating_sub(digits.len()), b'0');
    out.extend_from_slice(&digits[whole..]);
}
