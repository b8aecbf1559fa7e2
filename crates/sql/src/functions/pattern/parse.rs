//! Reading a date and time by a pattern.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::super::zone::{Zone, parse_offset};
use super::{DAYS, Item, MONTHS, Pattern};

/// What to do with text after the pattern's end.
#[derive(Clone, Copy, PartialEq)]
pub(in super::super) enum Rest {
    /// It makes the text unreadable, as for `TO_TIMESTAMP`.
    Rejected,
    /// It is passed over, as by `UNIX_TIMESTAMP`.
    Ignored,
}

/// What was read: what the wall shows, and the offset or zone if the text names one.
pub(in super::super) struct Parsed {
    pub(in super::super) local: NaiveDateTime,
    pub(in super::super) zone: Option<Zone>,
}

impl Parsed {
    /// The instant, where the text names no zone in `default`.
    pub(in super::super) fn to_utc(&self, default: Zone) -> Option<NaiveDateTime> {
        self.zone.unwrap_or(default).to_utc(self.local)
    }
}

impl Pattern {
    /// Reads a text, or gives nothing where it does not follow the pattern or names no day of the calendar.
    pub(in super::super) fn parse(&self, text: &str, rest: Rest) -> Option<Parsed> {
        let mut fields = Fields::default();
        let left = read_items(&self.items, text, &mut fields)?;
        if !left.is_empty() && rest == Rest::Rejected {
            return None;
        }
        Some(Parsed { local: NaiveDateTime::new(fields.date()?, fields.time()?), zone: fields.zone })
    }
}

#[derive(Default, Clone)]
struct Fields {
    year: Option<i64>,
    month: Option<i64>,
    quarter: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    hour_of_half: Option<i64>,
    afternoon: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: Option<i64>,
    nanos_of_day: Option<i64>,
    before_christ: bool,
    zone: Option<Zone>,
}

impl Fields {
    /// What was not read is that of 1970-01-01.
    fn date(&self) -> Option<NaiveDate> {
        let year = self.year.unwrap_or(1970);
        let year = i32::try_from(if self.before_christ { 1 - year } else { year }).ok()?;
        if let (Some(day), None) = (self.day_of_year, self.month) {
            return NaiveDate::from_yo_opt(year, day.try_into().ok()?);
        }
        let month = self.month.or(self.quarter.map(|q| q * 3 - 2)).unwrap_or(1).try_into().ok()?;
        let day: u32 = self.day.unwrap_or(1).try_into().ok()?;
        // February 30 is February 28 or 29, as Java reads it unless told to be strict.
        (day <= 31).then_some(())?;
        NaiveDate::from_ymd_opt(year, month, day).or_else(|| {
            let last = NaiveDate::from_ymd_opt(year, month, 1)?.num_days_in_month();
            NaiveDate::from_ymd_opt(year, month, day.min(last.into()))
        })
    }

    fn time(&self) -> Option<NaiveTime> {
        if let Some(nanos) = self.nanos_of_day {
            return NaiveTime::MIN.overflowing_add_signed(TimeDelta::nanoseconds(nanos)).0.into();
        }
        let hour = match (self.hour, self.hour_of_half) {
            (Some(hour), _) => hour,
            (None, Some(hour)) => hour % 12 + if self.afternoon.unwrap_or(false) { 12 } else { 0 },
            (None, None) => 0,
        };
        NaiveTime::from_hms_nano_opt(
            hour.try_into().ok()?,
            self.minute.unwrap_or(0).try_into().ok()?,
            self.second.unwrap_or(0).try_into().ok()?,
            self.nanos.unwrap_or(0).try_into().ok()?,
        )
    }
}

/// Reads all items, and gives what is left of the text.
fn read_items<'t>(items: &[Item], mut text: &'t str, fields: &mut Fields) -> Option<&'t str> {
    for (i, item) in items.iter().enumerate() {
        text = match item {
            Item::Literal(literal) => text.strip_prefix(literal.as_str())?,
            Item::Optional(inner) => {
                let mut attempt = fields.clone();
                match read_items(inner, text, &mut attempt) {
                    Some(left) => {
                        *fields = attempt;
                        left
                    }
                    None => text,
                }
            }
            Item::Field(letter, count) => {
                let exact = items.get(i + 1).is_some_and(Item::is_number);
                read_field(*letter, *count, exact, text, fields)?
            }
        };
    }
    Some(text)
}

/// A number of at most `most` digits, or of exactly `most`.
fn number(text: &str, most: usize, exact: bool) -> Option<(i64, &str)> {
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if digits == 0 || (exact && digits != most) {
        return None;
    }
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

/// The place in `names` of the one that the text begins with, whole or its first three letters.
fn name<'t>(text: &'t str, names: &[&str]) -> Option<(i64, &'t str)> {
    let starts = |name: &str| text.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
    let (at, len) = names
        .iter()
        .position(|n| starts(n))
        .map(|at| (at, names[at].len()))
        .or_else(|| names.iter().position(|n| starts(&n[..3])).map(|at| (at, 3)))?;
    Some((at as i64, &text[len..]))
}

fn read_field<'t>(letter: u8, count: usize, exact: bool, text: &'t str, fields: &mut Fields) -> Option<&'t str> {
    let digits = |most: usize| number(text, if exact { count } else { count.max(most) }, exact);
    let left = match letter {
        b'y' | b'u' | b'Y' => {
            let (value, left) = digits(4)?;
            let two_digits = count == 2 && text.len() - left.len() == 2;
            fields.year = Some(if two_digits { 2000 + value } else { value });
            left
        }
        b'M' | b'L' if count >= 3 => {
            let (at, left) = name(text, &MONTHS)?;
            fields.month = Some(at + 1);
            left
        }
        b'E' => name(text, &DAYS)?.1,
        b'e' | b'c' if count >= 3 => name(text, &DAYS)?.1,
        b'a' => {
            let (at, left) = match text.get(..2)? {
                half if half.eq_ignore_ascii_case("am") => (false, &text[2..]),
                half if half.eq_ignore_ascii_case("pm") => (true, &text[2..]),
                _ => return None,
            };
            fields.afternoon = Some(at);
            left
        }
        b'G' => {
            fields.before_christ = text.get(..2)?.eq_ignore_ascii_case("bc");
            &text[2..]
        }
        b'S' => {
            let (value, left) = number(text, count.min(9), exact)?;
            let read = (text.len() - left.len()) as u32;
            fields.nanos = Some(value * 10_i64.pow(9_u32.saturating_sub(read)));
            left
        }
        b'n' => keep(&mut fields.nanos, digits(9)?),
        b'N' => keep(&mut fields.nanos_of_day, digits(14)?),
        b'A' => {
            let (value, left) = digits(8)?;
            fields.nanos_of_day = Some(value.checked_mul(1_000_000)?);
            left
        }
        b'M' | b'L' => keep(&mut fields.month, digits(2)?),
        b'Q' | b'q' if count < 3 => keep(&mut fields.quarter, digits(1)?),
        b'd' => keep(&mut fields.day, digits(2)?),
        b'D' => keep(&mut fields.day_of_year, digits(3)?),
        b'H' => keep(&mut fields.hour, digits(2)?),
        b'k' => {
            let (value, left) = digits(2)?;
            fields.hour = Some(value % 24);
            left
        }
        b'h' | b'K' => keep(&mut fields.hour_of_half, digits(2)?),
        b'm' => keep(&mut fields.minute, digits(2)?),
        b's' => keep(&mut fields.second, digits(2)?),
        // Weeks are read and passed over: the day says which one it is.
        b'w' | b'W' | b'F' | b'e' | b'c' => digits(2)?.1,
        b'X' | b'x' | b'Z' | b'O' | b'z' | b'V' => {
            let (zone, left) = zone(text)?;
            fields.zone = Some(zone);
            left
        }
        _ => return None,
    };
    Some(left)
}

fn keep<'t>(field: &mut Option<i64>, (value, left): (i64, &'t str)) -> &'t str {
    *field = Some(value);
    left
}

/// An offset or the name of a zone at the start of the text.
fn zone(text: &str) -> Option<(Zone, &str)> {
    if let Some((seconds, used)) = parse_offset(text) {
        return Some((Zone::Fixed(chrono::FixedOffset::east_opt(seconds)?), &text[used..]));
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "/_+-:".contains(c))).unwrap_or(text.len());
    Some((Zone::parse(&text[..end])?, &text[end..]))
}

/// Reads the text that `CAST(x AS STRING)` gives, in its ISO form too, and without the time: `2024-01-31`,
/// `2024-01-31 10:00`, `2024-01-31T10:00:00.123Z`.
pub(in super::super) fn parse_standard(text: &str) -> Option<Parsed> {
    let text = text.trim();
    let (year, left) = number(text, 4, false)?;
    let (month, left) = number(left.strip_prefix('-')?, 2, false)?;
    let (day, left) = number(left.strip_prefix('-')?, 2, false)?;
    let date = NaiveDate::from_ymd_opt(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?)?;
    if left.is_empty() {
        return Some(Parsed { local: date.into(), zone: None });
    }
    let (hour, left) = number(left.strip_prefix([' ', 'T'])?, 2, false)?;
    let (minute, mut left) = number(left.strip_prefix(':')?, 2, false)?;
    let (mut second, mut nanos) = (0, 0);
    if let Some(seconds) = left.strip_prefix(':') {
        (second, left) = number(seconds, 2, false)?;
        if let Some(fraction) = left.strip_prefix('.') {
            let (value, rest) = number(fraction, 9, false)?;
            let read = (fraction.len() - rest.len()) as u32;
            nanos = value * 10_i64.pow(9_u32.saturating_sub(read));
            left = rest;
        }
    }
    let time = NaiveTime::from_hms_nano_opt(
        hour.try_into().ok()?,
        minute.try_into().ok()?,
        second.try_into().ok()?,
        nanos.try_into().ok()?,
    )?;
    let local = NaiveDateTime::new(date, time);
    if left.is_empty() {
        return Some(Parsed { local, zone: None });
    }
    let (zone, left) = zone(left.trim_start())?;
    left.is_empty().then_some(Parsed { local, zone: Some(zone) })
}
