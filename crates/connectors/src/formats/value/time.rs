//! Dates, times of day and timestamps, read and written by hand.
//!
//! Reading takes the SQL form (`2024-01-31 10:00:00.123`) and ISO-8601 (`2024-01-31T10:00:00.123Z`, `+02:00`) always.
//! Digits beyond a column's precision are cut off, never rounded up.

use std::cell::Cell;
use std::marker::PhantomData;

use arrow::datatypes::{ArrowPrimitiveType, ArrowTimestampType, Date32Type, TimeUnit};
use tidemill_core::time::ticks_per_second;

use super::{Native, Scalar, integer};

const DAY: i64 = 86_400;

/// `DATE`: `2024-01-31`.
pub(crate) struct Date;

impl Scalar for Date {
    type Arrow = Date32Type;

    #[inline]
    fn text(&self, text: &[u8]) -> Option<i32> {
        if text.len() != 10 {
            return None;
        }
        date(text).map(|d| d as i32)
    }
}

/// `TIME`: `10:00`, `10:00:00`, `10:00:00.123`, with or without a `Z` at the end.
pub(crate) struct Time<A> {
    unit: TimeUnit,
    arrow: PhantomData<fn() -> A>,
}

impl<A> Time<A> {
    pub(crate) fn new(unit: TimeUnit) -> Self {
        Self { unit, arrow: PhantomData }
    }
}

impl<A> Scalar for Time<A>
where
    A: ArrowPrimitiveType,
    A::Native: TryFrom<i64>,
{
    type Arrow = A;

    #[inline]
    fn text(&self, text: &[u8]) -> Option<Native<Self>> {
        let (seconds, nanos, end) = time_of_day(text, 0)?;
        if !matches!(&text[end..], b"" | b"Z" | b"z") {
            return None;
        }
        ticks(seconds, nanos, self.unit)?.try_into().ok()
    }
}

/// `TIMESTAMP` and `TIMESTAMP_LTZ`: a date and a time of day, with or without an offset from UTC.
///
/// A text with an offset is that instant: a wall-clock column takes what the wall shows in UTC then. A text without one
/// is the wall clock, or an instant in UTC.
pub(crate) struct Timestamp<A> {
    /// The last date seen, as text, and its midnight: the next one is nearly always the same.
    last: Cell<([u8; 10], i64)>,
    arrow: PhantomData<fn() -> A>,
}

impl<A> Timestamp<A> {
    pub(crate) fn new() -> Self {
        Self { last: Cell::new((*b"1970-01-01", 0)), arrow: PhantomData }
    }

    /// The usual form, `YYYY-MM-DD HH:MM:SS` with a fraction or without.
    #[inline]
    fn usual(&self, text: &[u8]) -> Option<(i64, u32)> {
        let (date, time) = text.split_first_chunk::<10>()?;
        let (separator, time) = time.split_first()?;
        let (clock, fraction) = time.split_first_chunk::<8>()?;
        if !matches!(separator, b' ' | b'T') {
            return None;
        }
        let (last, mut midnight) = self.last.get();
        if *date != last {
            midnight = self::date(date)? * DAY;
            self.last.set((*date, midnight));
        }
        let nanos = match fraction {
            [] => 0,
            [b'.', digits @ ..] if digits.len() <= 9 && !digits.is_empty() => {
                let mut nanos = 0;
                for d in digits {
                    let d = d.wrapping_sub(b'0');
                    if d > 9 {
                        return None;
                    }
                    nanos = nanos * 10 + u32::from(d);
                }
                nanos * TENS[9 - digits.len()]
            }
            _ => return None,
        };
        Some((midnight + clock_seconds(*clock)?, nanos))
    }
}

const TENS: [u32; 10] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// The seconds of `HH:MM:SS`, all eight bytes at once.
#[inline]
fn clock_seconds(text: [u8; 8]) -> Option<i64> {
    const ZERO: u64 = u64::from_le_bytes(*b"00:00:00");
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Digits become 0 to 9, the colons 0. Adding this carries into the high bit of a byte that is above that.
    const ABOVE: u64 = u64::from_le_bytes([0x76, 0x76, 0x7F, 0x76, 0x76, 0x7F, 0x76, 0x76]);
    let x = u64::from_le_bytes(text) ^ ZERO;
    if (x | x.wrapping_add(ABOVE)) & HIGH != 0 {
        return None;
    }
    let digit = |i: u32| (x >> (8 * i)) & 0xF;
    let (hours, minutes, seconds) = (digit(0) * 10 + digit(1), digit(3) * 10 + digit(4), digit(6) * 10 + digit(7));
    (hours <= 23 && minutes <= 59 && seconds <= 59).then_some((hours * 3_600 + minutes * 60 + seconds) as i64)
}

impl<A: ArrowTimestampType> Scalar for Timestamp<A> {
    type Arrow = A;

    #[inline]
    fn text(&self, text: &[u8]) -> Option<i64> {
        let (seconds, nanos) = match self.usual(text) {
            Some(usual) => usual,
            None => timestamp(text).map(|(seconds, nanos, _)| (seconds, nanos))?,
        };
        ticks(seconds, nanos, A::UNIT)
    }
}

fn ticks(seconds: i64, nanos: u32, unit: TimeUnit) -> Option<i64> {
    let per_second = ticks_per_second(unit);
    let fraction = i64::from(nanos) / (1_000_000_000 / per_second);
    if let Some(ticks) = seconds.checked_mul(per_second).and_then(|t| t.checked_add(fraction)) {
        return Some(ticks);
    }
    // The first nanoseconds that fit belong to a second that does not.
    let ticks = i128::from(seconds) * i128::from(per_second) + i128::from(fraction);
    ticks.try_into().ok()
}

/// What a timestamp's text told beside its time, for guessing the type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// A time of day was written, not only a date.
    pub(crate) time: bool,
    /// An offset or `Z` was written.
    pub(crate) zoned: bool,
    /// Digits of the fraction.
    pub(crate) fraction: usize,
}

/// Seconds since 1970-01-01 00:00, nanoseconds after that, and how it was written.
#[inline]
pub(crate) fn timestamp(text: &[u8]) -> Option<(i64, u32, Form)> {
    let midnight = date(text)? * DAY;
    let Some(separator) = text.get(10) else {
        return Some((midnight, 0, Form { time: false, zoned: false, fraction: 0 }));
    };
    if !matches!(separator, b' ' | b'T' | b't') {
        return None;
    }
    let (seconds, nanos, end) = time_of_day(text, 11)?;
    let fraction = end.saturating_sub(20);
    let (offset, zoned) = match &text[end..] {
        b"" => (0, false),
        b"Z" | b"z" => (0, true),
        rest => (offset(rest.strip_prefix(b" ").unwrap_or(rest))?, true),
    };
    Some((midnight + seconds - offset, nanos, Form { time: true, zoned, fraction }))
}

/// Two digits, or something above 99.
#[inline]
fn two(text: &[u8], at: usize) -> u32 {
    let (a, b) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    if a > 9 || b > 9 { 100 } else { u32::from(a) * 10 + u32::from(b) }
}

/// Days since 1970-01-01 of the `YYYY-MM-DD` at the beginning of `text`.
#[inline]
fn date(text: &[u8]) -> Option<i64> {
    let text: &[u8; 10] = text.first_chunk()?;
    let (century, year, month, day) = (two(text, 0), two(text, 2), two(text, 5), two(text, 8));
    if text[4] != b'-' || text[7] != b'-' || century > 99 || year > 99 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let year = century * 100 + year;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (day <= last).then(|| days(i64::from(year), month, day))
}

/// Days since 1970-01-01: years begin in March, so that the leap day is the last (Howard Hinnant's `days_from_civil`).
#[inline]
fn days(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400) as u32;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    era * 146_097 + i64::from(day_of_era) - 719_468
}

/// The `HH:MM[:SS[.f]]` at `at`: seconds, nanoseconds, and the position after it.
#[inline]
fn time_of_day(text: &[u8], at: usize) -> Option<(i64, u32, usize)> {
    if text.len() < at + 5 {
        return None;
    }
    let (hour, minute) = (two(text, at), two(text, at + 3));
    if text[at + 2] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    let minutes = i64::from(hour * 60 + minute);
    if text.get(at + 5) != Some(&b':') {
        return Some((minutes * 60, 0, at + 5));
    }
    if text.len() < at + 8 {
        return None;
    }
    let second = two(text, at + 6);
    if second > 59 {
        return None;
    }
    let mut end = at + 8;
    let mut nanos = 0;
    if matches!(text.get(end), Some(b'.' | b',')) {
        end += 1;
        let mut unit = 100_000_000;
        let first = end;
        while let Some(d) = text.get(end).map(|b| b.wrapping_sub(b'0')).filter(|d| *d <= 9) {
            nanos += u32::from(d) * unit;
            unit /= 10;
            end += 1;
        }
        if end == first {
            return None;
        }
    }
    Some((minutes * 60 + i64::from(second), nanos, end))
}

/// Seconds east of UTC: `+02:00`, `-0800`, `+02`.
fn offset(text: &[u8]) -> Option<i64> {
    let sign = match text.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = match text.len() {
        3 => (two(text, 1), 0),
        5 => (two(text, 1), two(text, 3)),
        6 if text[3] == b':' => (two(text, 1), two(text, 4)),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then(|| sign * i64::from(hours * 3_600 + minutes * 60))
}

/// Appends `YYYY-MM-DD`.
pub(crate) fn write_date(days_since_1970: i64, out: &mut Vec<u8>) {
    let z = days_since_1970 + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    if year < 0 {
        out.push(b'-');
    }
    integer::write_digits(u128::from(year.unsigned_abs()), 4, out);
    out.push(b'-');
    integer::write_digits(month as u128, 2, out);
    out.push(b'-');
    integer::write_digits(day as u128, 2, out);
}

/// Appends `HH:MM:SS`, and the fraction without the zeros at its end.
pub(crate) fn write_time(ticks: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let per_second = ticks_per_second(unit);
    let (seconds, fraction) = (ticks.div_euclid(per_second).rem_euclid(DAY), ticks.rem_euclid(per_second));
    for (i, n) in [seconds / 3_600, seconds / 60 % 60, seconds % 60].into_iter().enumerate() {
        if i > 0 {
            out.push(b':');
        }
        integer::write_digits(n as u128, 2, out);
    }
    if fraction > 0 {
        out.push(b'.');
        integer::write_digits((fraction * (1_000_000_000 / per_second)) as u128, 9, out);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

/// Appends the date, `separator`, the time of day.
pub(crate) fn write_timestamp(ticks: i64, unit: TimeUnit, separator: u8, out: &mut Vec<u8>) {
    write_date(ticks.div_euclid(ticks_per_second(unit) * DAY), out);
    out.push(separator);
    write_time(ticks, unit, out);
}
