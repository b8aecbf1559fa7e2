//! `INTERVAL '1 10:20:30.5' DAY TO SECOND`: the text of an interval and its units, as a length.

use tidemill_core::Micros;

/// A length of time: months, days and nanoseconds, none of which has a fixed number of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Length {
    /// Months.
    pub months: i64,
    /// Days.
    pub days: i64,
    /// Nanoseconds.
    pub nanos: i64,
}

impl Length {
    /// The length in microseconds, days being of 24 hours; `None` where it has months, or is too long.
    pub fn micros(self) -> Option<Micros> {
        if self.months != 0 {
            return None;
        }
        self.days.checked_mul(86_400_000_000)?.checked_add(self.nanos / 1_000)
    }

    /// As DataFusion reads it.
    pub fn text(self) -> String {
        format!("{} months {} days {} nanoseconds", self.months, self.days, self.nanos)
    }
}

/// A unit of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Twelve months.
    Year,
    /// Three months.
    Quarter,
    /// A month.
    Month,
    /// Seven days.
    Week,
    /// A day.
    Day,
    /// An hour.
    Hour,
    /// A minute.
    Minute,
    /// A second.
    Second,
    /// A thousandth of a second.
    Millisecond,
    /// A millionth of a second.
    Microsecond,
    /// A thousandth of that.
    Nanosecond,
}

const SECOND: i64 = 1_000_000_000;

impl Unit {
    /// `SECOND` or `SECONDS`, whatever the case.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_uppercase();
        Some(match word.strip_suffix('S').unwrap_or(&word) {
            "YEAR" => Self::Year,
            "QUARTER" => Self::Quarter,
            "MONTH" => Self::Month,
            "WEEK" => Self::Week,
            "DAY" => Self::Day,
            "HOUR" => Self::Hour,
            "MINUTE" => Self::Minute,
            "SECOND" => Self::Second,
            "MILLISECOND" => Self::Millisecond,
            "MICROSECOND" => Self::Microsecond,
            "NANOSECOND" => Self::Nanosecond,
            _ => return None,
        })
    }

    fn one(self) -> Length {
        let (months, days, nanos) = match self {
            Self::Year => (12, 0, 0),
            Self::Quarter => (3, 0, 0),
            Self::Month => (1, 0, 0),
            Self::Week => (0, 7, 0),
            Self::Day => (0, 1, 0),
            Self::Hour => (0, 0, 3_600 * SECOND),
            Self::Minute => (0, 0, 60 * SECOND),
            Self::Second => (0, 0, SECOND),
            Self::Millisecond => (0, 0, 1_000_000),
            Self::Microsecond => (0, 0, 1_000),
            Self::Nanosecond => (0, 0, 1),
        };
        Length { months, days, nanos }
    }
}

/// Reads `text` as a number of `first`, or, with `last`, as the fields from `first` to `last`: `'1:30'`, minute to second.
pub fn parse(text: &str, first: Unit, last: Option<Unit>) -> Option<Length> {
    let text = text.trim();
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let length = match last {
        None | Some(_) if last.is_none_or(|l| l == first) => amount(text, first)?,
        Some(last) => fields(text, first, last)?,
        None => return None,
    };
    let sign = if negative { -1 } else { 1 };
    Some(Length { months: sign * length.months, days: sign * length.days, nanos: sign * length.nanos })
}

/// `1-6` or `1 10:20:30.5`: each field of the next smaller unit.
fn fields(text: &str, first: Unit, last: Unit) -> Option<Length> {
    let order: &[Unit] = match first {
        Unit::Year => &[Unit::Year, Unit::Month],
        _ => &[Unit::Day, Unit::Hour, Unit::Minute, Unit::Second],
    };
    let from = order.iter().position(|u| *u == first)?;
    let to = order.iter().position(|u| *u == last)?;
    let units = order.get(from..=to)?;
    let mut parts = text.split([' ', ':', '-']).filter(|p| !p.is_empty());
    let mut sum = Length::default();
    for unit in units {
        let part = amount(parts.next()?, *unit)?;
        sum = Length {
            months: sum.months + part.months,
            days: sum.days + part.days,
            nanos: sum.nanos.checked_add(part.nanos)?,
        };
    }
    parts.next().is_none().then_some(sum)
}

/// A number of a unit. Only units below a month can be taken in fractions.
fn amount(text: &str, unit: Unit) -> Option<Length> {
    let one = unit.one();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let n: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut length =
        Length { months: one.months.checked_mul(n)?, days: one.days.checked_mul(n)?, nanos: one.nanos.checked_mul(n)? };
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    if part != 0 {
        if one.months != 0 {
            return None;
        }
        let nanos = i128::from(one.nanos) + i128::from(one.days) * 86_400 * i128::from(SECOND);
        length.nanos = length.nanos.checked_add(i64::try_from(part * nanos / scale).ok()?)?;
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, first: &str, last: Option<&str>, expected: Option<(i64, i64, i64)>) {
        let unit = |word: &str| Unit::parse(word).unwrap();
        let length = parse(text, unit(first), last.map(unit));
        assert_eq!(length.map(|l| (l.months, l.days, l.nanos / 1_000_000)), expected, "'{text}' {first} {last:?}");
    }

    #[test]
    fn intervals() {
        check("10", "SECONDS", None, Some((0, 0, 10_000)));
        check("1.5", "minute", None, Some((0, 0, 90_000)));
        check("0.5", "DAY", None, Some((0, 0, 43_200_000)));
        check("-2", "DAY", None, Some((0, -2, 0)));
        check("1:30", "MINUTE", Some("SECOND"), Some((0, 0, 90_000)));
        check("1 10:20:30.5", "DAY", Some("SECOND"), Some((0, 1, 37_230_500)));
        check("1-6", "YEAR", Some("MONTH"), Some((18, 0, 0)));
        check("ten", "SECOND", None, None);
        check("1:30:10", "MINUTE", Some("SECOND"), None);
        check("1.5", "MONTH", None, None);
    }
}
