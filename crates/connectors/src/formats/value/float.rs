//! Floating point: the nearest value to what is written, and the shortest text that reads back as the same value.

use std::io::Write;
use std::marker::PhantomData;

use arrow::datatypes::{ArrowPrimitiveType, Float32Type, Float64Type};

use super::{Native, Scalar};

/// `FLOAT` and `DOUBLE`. A finite number that is too large for the type is refused; `NaN` and `Infinity` are taken
/// where they are written as text.
pub(crate) struct Float<A>(PhantomData<fn() -> A>);

impl<A> Float<A> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

/// What the two widths do differently.
pub(crate) trait Width: ArrowPrimitiveType {
    fn parse(text: &str) -> Option<Self::Native>;
    fn is_infinite(n: Self::Native) -> bool;
    /// `mantissa / 10^fraction`, if that is exact but for one rounding.
    fn exact(mantissa: u64, fraction: usize) -> Option<Self::Native>;
}

const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

impl Width for Float64Type {
    fn parse(text: &str) -> Option<f64> {
        text.parse().ok()
    }
    fn is_infinite(n: f64) -> bool {
        n.is_infinite()
    }
    #[inline]
    fn exact(mantissa: u64, fraction: usize) -> Option<f64> {
        // Both are exact as they stand (below 2^53, up to 10^22), so the division rounds once: the nearest value.
        (mantissa < 1 << 53 && fraction < TENS.len()).then(|| mantissa as f64 / TENS[fraction])
    }
}

impl Width for Float32Type {
    fn parse(text: &str) -> Option<f32> {
        text.parse().ok()
    }
    fn is_infinite(n: f32) -> bool {
        n.is_infinite()
    }
    #[inline]
    fn exact(mantissa: u64, fraction: usize) -> Option<f32> {
        (mantissa < 1 << 24 && fraction <= 10).then(|| mantissa as f32 / TENS[fraction] as f32)
    }
}

impl<A: Width> Scalar for Float<A>
where
    A::Native: std::ops::Neg<Output = A::Native>,
{
    type Arrow = A;

    #[inline]
    fn text(&self, text: &[u8]) -> Option<Native<Self>> {
        let n = A::parse(std::str::from_utf8(text).ok()?)?;
        let overflow = A::is_infinite(n) && text.iter().any(u8::is_ascii_digit);
        (!overflow).then_some(n)
    }

    fn number(&self, token: &[u8]) -> Option<Native<Self>> {
        self.text(token)
    }

    #[inline]
    fn quick(&self, text: &[u8], pos: usize) -> Option<(Native<Self>, usize)> {
        // The number may stand at the end of `text`: so every look at it may fail.
        let negative = *text.get(pos)? == b'-';
        let first = pos + usize::from(negative);
        let (mut at, mut mantissa) = (first, 0u64);
        let mut digits = |at: &mut usize| {
            let begin = *at;
            loop {
                let d = text.get(*at)?.wrapping_sub(b'0');
                if d > 9 {
                    return Some(*at - begin);
                }
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(d));
                *at += 1;
            }
        };
        let whole = digits(&mut at)?;
        let mut fraction = 0;
        if text[at] == b'.' {
            at += 1;
            fraction = digits(&mut at)?;
            if fraction == 0 {
                return None;
            }
        }
        let odd = whole == 0 || whole + fraction > 19 || (text[first] == b'0' && whole > 1);
        if odd || matches!(text[at], b'e' | b'E') {
            return None;
        }
        let n = A::exact(mantissa, fraction)?;
        Some((if negative { -n } else { n }, at))
    }
}

/// Appends `n` as Java's `Double.toString` does: `1.0`, `1.5E10`, `NaN`, `-Infinity`.
pub(crate) fn write_f64(n: f64, out: &mut Vec<u8>) {
    write_java(n.is_nan(), n.is_infinite(), n.is_sign_negative(), |b| write!(b, "{:e}", n.abs()), out);
}

/// Appends `n` as Java's `Float.toString` does.
pub(crate) fn write_f32(n: f32, out: &mut Vec<u8>) {
    write_java(n.is_nan(), n.is_infinite(), n.is_sign_negative(), |b| write!(b, "{:e}", n.abs()), out);
}

fn write_java(
    nan: bool,
    infinite: bool,
    negative: bool,
    shortest: impl FnOnce(&mut &mut [u8]) -> std::io::Result<()>,
    out: &mut Vec<u8>,
) {
    if nan {
        return out.extend_from_slice(b"NaN");
    }
    if negative {
        out.push(b'-');
    }
    if infinite {
        return out.extend_from_slice(b"Infinity");
    }
    // Rust's `{:e}` gives the shortest digits, `d.ddde-n`: only the layout differs.
    let mut buffer = [0u8; 48];
    let mut rest = &mut buffer[..];
    shortest(&mut rest).expect("the shortest form of a float has at most 24 characters");
    let left = rest.len();
    let text = &buffer[..buffer.len() - left];
    let e = text.iter().position(|b| *b == b'e').expect("{:e} writes an exponent");
    let exponent: i32 = std::str::from_utf8(&text[e + 1..]).ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let (first, others) = (text[0], text.get(2..e).unwrap_or(&[]));
    let zeros = |n: usize, out: &mut Vec<u8>| out.resize(out.len() + n, b'0');
    match exponent {
        0..7 => {
            let exponent = exponent as usize;
            let whole = others.len().min(exponent);
            out.push(first);
            out.extend_from_slice(&others[..whole]);
            zeros(exponent - whole, out);
            out.push(b'.');
            out.extend_from_slice(if others.len() > whole { &others[whole..] } else { b"0" });
        }
        -3..0 => {
            out.extend_from_slice(b"0.");
            zeros((-exponent - 1) as usize, out);
            out.push(first);
            out.extend_from_slice(others);
        }
        _ => {
            out.push(first);
            out.push(b'.');
            out.extend_from_slice(if others.is_empty() { b"0" } else { others });
            out.push(b'E');
            super::integer::write(i128::from(exponent), out);
        }
    }
}
