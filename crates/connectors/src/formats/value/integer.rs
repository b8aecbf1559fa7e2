//! Whole numbers: read with every overflow noticed, written by hand.

use std::marker::PhantomData;

use arrow::datatypes::ArrowPrimitiveType;

use super::{Native, Scalar, decimal};

/// Whole numbers of the width of `A`. A JSON number may also be written with a fraction of zeros or an exponent, as
/// long as its value is whole (`1.0`, `1e3`); one that is not (`1.5`) is refused, never rounded.
pub(crate) struct Integer<A>(PhantomData<fn() -> A>);

impl<A> Integer<A> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<A> Scalar for Integer<A>
where
    A: ArrowPrimitiveType,
    A::Native: TryFrom<i64> + TryFrom<i128>,
{
    type Arrow = A;

    #[inline]
    fn text(&self, text: &[u8]) -> Option<Native<Self>> {
        let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
        if digits.is_empty() {
            return None;
        }
        if digits.len() <= 18 {
            // Cannot overflow.
            let (mut n, mut odd) = (0i64, false);
            for b in digits {
                let d = b.wrapping_sub(b'0');
                odd |= d > 9;
                n = n.wrapping_mul(10).wrapping_add(i64::from(d));
            }
            let n = if text[0] == b'-' { -n } else { n };
            return if odd { None } else { A::Native::try_from(n).ok() };
        }
        let magnitude = digits.iter().try_fold(0i128, |n, b| {
            let d = b.wrapping_sub(b'0');
            (d < 10).then_some(())?;
            n.checked_mul(10)?.checked_add(i128::from(d))
        })?;
        A::Native::try_from(if text[0] == b'-' { -magnitude } else { magnitude }).ok()
    }

    fn number(&self, token: &[u8]) -> Option<Native<Self>> {
        A::Native::try_from(decimal::exact(token)?).ok()
    }

    #[inline]
    fn quick(&self, text: &[u8], pos: usize) -> Option<(Native<Self>, usize)> {
        let negative = *text.get(pos)? == b'-';
        let first = pos + usize::from(negative);
        let (mut n, mut digits) = eight_digits(text, first)?;
        if digits == 8 {
            let (low, more) = eight_digits(text, first + 8)?;
            if more == 8 {
                // Numbers of this length may overflow.
                return None;
            }
            n = n * TENS[more] + low;
            digits += more;
        }
        let at = first + digits;
        // A leading zero is not a JSON number.
        if digits == 0 || (text[first] == b'0' && digits > 1) || matches!(text[at], b'.' | b'e' | b'E') {
            return None;
        }
        let n = n as i64;
        Some((A::Native::try_from(if negative { -n } else { n }).ok()?, at))
    }
}

const TENS: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// The number that up to eight digits at `pos` make, and how many there are; `None` too near to the end of `text`.
///
/// All eight bytes at once, the first digit in the lowest byte: first pairs of digits are put together, then pairs of
/// those, then the two halves.
#[inline]
fn eight_digits(text: &[u8], pos: usize) -> Option<(u64, usize)> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // One byte more is there to look at what comes after the digits.
    let bytes: &[u8; 9] = text.get(pos..)?.first_chunk()?;
    let word = u64::from_le_bytes(*bytes.first_chunk().expect("eight of nine bytes"));
    let x = word ^ (EACH * u64::from(b'0'));
    // In the first byte that is no digit, the addition carries into the high bit, or the high bit is set already.
    let other = (x | x.wrapping_add(EACH * 0x76)) & (EACH << 7);
    let digits = (other.trailing_zeros() / 8) as usize;
    if digits == 0 {
        return Some((0, 0));
    }
    // Zeros take the places before the first digit.
    let x = x << (64 - 8 * digits);
    let x = (x.wrapping_mul(10).wrapping_add(x >> 8)) & 0x00FF_00FF_00FF_00FF;
    let x = (x.wrapping_mul(100).wrapping_add(x >> 16)) & 0x0000_FFFF_0000_FFFF;
    let x = (x.wrapping_mul(10_000).wrapping_add(x >> 32)) & 0xFFFF_FFFF;
    Some((x, digits))
}

/// Appends `n` in decimal.
pub(crate) fn write(n: i128, out: &mut Vec<u8>) {
    if n < 0 {
        out.push(b'-');
    }
    write_digits(n.unsigned_abs(), 1, out);
}

/// Appends `n` with at least `width` digits.
pub(crate) fn write_digits(n: u128, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 40];
    let mut at = digits.len();
    // Division of 128 bits is slow, and almost every number is smaller.
    let mut high = n;
    while high > u128::from(u64::MAX) {
        at -= 1;
        digits[at] = b'0' + (high % 10) as u8;
        high /= 10;
    }
    let mut low = high as u64;
    while low > 0 {
        at -= 1;
        digits[at] = b'0' + (low % 10) as u8;
        low /= 10;
    }
    at = at.min(digits.len() - width.clamp(1, digits.len()));
    out.extend_from_slice(&digits[at..]);
}
