//! PostgreSQL's patterns of dates and times, for `TO_CHAR`: `YYYY-MM-DD HH24:MI:SS`.
//!
//! Only writing; what is no field stands for itself, text that would be one stands in double quotes.

use std::fmt::Write;

use chrono::{Datelike, NaiveDateTime, Timelike};

use super::super::zone::Zone;
use super::{DAYS, MONTHS};

/// A pattern, taken apart.
#[derive(Debug)]
pub(in super::super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    /// A field by its name in [`FIELDS`], and whether `FM` says to leave blanks and zeros before it away.
    Field(&'static str, bool),
}

/// The fields; one that begins like another stands before it.
const FIELDS: &[&str] = &[
    "YYYY", "YYY", "YY", "Y,YYY", "Y", "IYYY", "IW", "MONTH", "Month", "month", "MON", "Mon", "mon", "MM", "MI", "MS",
    "DDD", "DD", "DAY", "Day", "day", "DY", "Dy", "dy", "D", "ID", "HH24", "HH12", "HH", "SSSSS", "SSSS", "SS", "US",
    "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "AM", "PM", "am", "pm", "A.M.", "P.M.", "a.m.", "p.m.", "Q", "WW", "W",
    "CC", "TZH", "TZM", "TZ", "tz", "OF",
];

impl Template {
    pub(in super::super) fn compile(pattern: &str) -> Self {
        let (mut parts, mut rest, mut fill) = (vec![], pattern, true);
        while let Some(first) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix('"') {
                let (text, after) = after.split_once('"').unwrap_or((after, ""));
                parts.push(Part::Text(text.to_string()));
                rest = after;
            } else if let Some(after) = rest.strip_prefix("FM").or_else(|| rest.strip_prefix("fm")) {
                (fill, rest) = (false, after);
            } else if let Some((field, after)) = field(rest) {
                parts.push(Part::Field(field, fill));
                (fill, rest) = (true, after);
            } else {
                parts.push(Part::Text(first.to_string()));
                rest = &rest[first.len_utf8()..];
            }
        }
        Self { parts }
    }

    /// Writes what the wall shows in `zone` at an instant.
    pub(in super::super) fn format(&self, utc: NaiveDateTime, zone: Zone, out: &mut String) -> Option<()> {
        let local = zone.to_local(utc)?;
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Field(field, fill) => write_field(field, *fill, utc, local, zone, out),
            }
        }
        Some(())
    }
}

/// The field that `text` begins with. The case matters only where it is that of the name.
fn field(text: &str) -> Option<(&'static str, &str)> {
    let begins = |field: &&&str| text.get(..field.len()).is_some_and(|t| t == **field);
    let exact = FIELDS.iter().find(begins).copied();
    let any = || {
        let same = |f: &&&str| text.get(..f.len()).is_some_and(|t| t.eq_ignore_ascii_case(f));
        FIELDS.iter().find(same).copied()
    };
    let loose = any();
    // `yyyy` is a year, and not `Y` four times: the longer of the two.
    let found = match (exact, loose) {
        (Some(e), Some(l)) if l.len() > e.len() => l,
        (Some(e), _) => e,
        (None, l) => l?,
    };
    Some((found, &text[found.len()..]))
}

fn write_field(field: &str, fill: bool, utc: NaiveDateTime, local: NaiveDateTime, zone: Zone, out: &mut String) {
    let (date, time) = (local.date(), local.time());
    let year = i64::from(date.year());
    // Years before the first are counted from 1 BC on.
    let counted = if year > 0 { year } else { 1 - year };
    let month = MONTHS[date.month0() as usize % 12];
    let day = DAYS[date.weekday() as usize % 7];
    let offset = zone.offset_at(utc);
    let micros = time.nanosecond() % 1_000_000_000 / 1_000;
    let mut number = |value: i64, width: usize| {
        let width = if fill { width } else { 1 };
        // Writing to a string does not fail.
        let _ = write!(out, "{value:0width$}");
    };
    match field {
        "YYYY" => number(counted, 4),
        "YYY" => number(counted % 1000, 3),
        "YY" => number(counted % 100, 2),
        "Y" => number(counted % 10, 1),
        "IYYY" => number(date.iso_week().year().into(), 4),
        "IW" => number(date.iso_week().week().into(), 2),
        "MM" => number(date.month().into(), 2),
        "DDD" => number(date.ordinal().into(), 3),
        "DD" => number(date.day().into(), 2),
        "D" => number(i64::from(date.weekday().num_days_from_sunday()) + 1, 1),
        "ID" => number(date.weekday().number_from_monday().into(), 1),
        "WW" => number(i64::from(date.ordinal0()) / 7 + 1, 2),
        "W" => number(i64::from(date.day0()) / 7 + 1, 1),
        "Q" => number(date.quarter().into(), 1),
        "CC" => number((counted + 99) / 100, 2),
        "HH24" => number(time.hour().into(), 2),
        "HH12" | "HH" => number(time.hour12().1.into(), 2),
        "MI" => number(time.minute().into(), 2),
        "SS" => number(time.second().into(), 2),
        "SSSS" | "SSSSS" => number(time.num_seconds_from_midnight().into(), 1),
        "MS" => number((micros / 1_000).into(), 3),
        "US" => number(micros.into(), 6),
        "TZM" => number(i64::from(offset.abs() / 60 % 60), 2),
        _ => write_text(
            field,
            fill,
            (counted, month, day, offset, micros),
            (time.hour() < 12, zone.short_name(utc)),
            out,
        ),
    }
}

fn write_text(
    field: &str,
    fill: bool,
    (year, month, day, offset, micros): (i64, &str, &str, i32, u32),
    (morning, zone): (bool, impl AsRef<str>),
    out: &mut String,
) {
    // Whole names are filled up to the longest, as PostgreSQL does.
    let width = if fill { 9 } else { 0 };
    let sign = if offset < 0 { '-' } else { '+' };
    let (hours, minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    let half = if morning { 'A' } else { 'P' };
    let _ = match field {
        "MONTH" => write!(out, "{:width$}", month.to_uppercase()),
        "Month" => write!(out, "{month:width$}"),
        "month" => write!(out, "{:width$}", month.to_lowercase()),
        "MON" => write!(out, "{}", month[..3].to_uppercase()),
        "Mon" => write!(out, "{}", &month[..3]),
        "mon" => write!(out, "{}", month[..3].to_lowercase()),
        "DAY" => write!(out, "{:width$}", day.to_uppercase()),
        "Day" => write!(out, "{day:width$}"),
        "day" => write!(out, "{:width$}", day.to_lowercase()),
        "DY" => write!(out, "{}", day[..3].to_uppercase()),
        "Dy" => write!(out, "{}", &day[..3]),
        "dy" => write!(out, "{}", day[..3].to_lowercase()),
        "AM" | "PM" => write!(out, "{half}M"),
        "am" | "pm" => write!(out, "{}m", half.to_ascii_lowercase()),
        "A.M." | "P.M." => write!(out, "{half}.M."),
        "a.m." | "p.m." => write!(out, "{}.m.", half.to_ascii_lowercase()),
        "Y,YYY" => write!(out, "{},{:03}", year / 1000, year % 1000),
        "TZ" => write!(out, "{}", zone.as_ref()),
        "tz" => write!(out, "{}", zone.as_ref().to_lowercase()),
        "TZH" => write!(out, "{sign}{hours:02}"),
        "OF" if minutes == 0 => write!(out, "{sign}{hours:02}"),
        "OF" => write!(out, "{sign}{hours:02}:{minutes:02}"),
        // FF1 to FF6: so many digits of the second.
        _ => match field.strip_prefix("FF").and_then(|n| n.parse::<usize>().ok()) {
            Some(digits) => write!(out, "{}", &format!("{micros:06}")[..digits.min(6)]),
            None => Ok(()),
        },
    };
}
