//! Writing a date and time by a pattern.

use std::fmt::Write;

use chrono::{Datelike, NaiveDateTime, TimeDelta, Timelike};

use super::super::zone::Zone;
use super::{DAYS, Item, MONTHS, Pattern};

impl Pattern {
    /// Writes what the wall shows in `zone` at an instant.
    pub(in super::super) fn format(&self, utc: NaiveDateTime, zone: Zone, out: &mut String) -> Option<()> {
        let local = zone.to_local(utc)?;
        write_items(&self.items, &Moment { utc, local, zone }, out);
        Some(())
    }
}

struct Moment {
    utc: NaiveDateTime,
    local: NaiveDateTime,
    zone: Zone,
}

fn write_items(items: &[Item], moment: &Moment, out: &mut String) {
    for item in items {
        match item {
            Item::Literal(text) => out.push_str(text),
            Item::Field(letter, count) => write_field(*letter, *count, moment, out),
            Item::Optional(inner) => write_items(inner, moment, out),
        }
    }
}

/// A number with at least `width` digits.
fn number(out: &mut String, value: i64, width: usize) {
    // The usual fields are two digits, and `write!` is ten times slower.
    if width == 2 && (0..100).contains(&value) {
        out.push((b'0' + (value / 10) as u8) as char);
        out.push((b'0' + (value % 10) as u8) as char);
        return;
    }
    if value < 0 {
        out.push('-');
    }
    // Writing to a string does not fail.
    let _ = write!(out, "{:0width$}", value.unsigned_abs());
}

fn write_field(letter: u8, count: usize, moment: &Moment, out: &mut String) {
    let (date, time) = (moment.local.date(), moment.local.time());
    match letter {
        b'y' | b'u' => year(out, date.year().into(), count),
        b'Y' => year(out, week_of_year(moment.local).0, count),
        b'Q' | b'q' => {
            let quarter = date.quarter();
            match count {
                1 | 2 => number(out, quarter.into(), count),
                3 => out.extend(['Q', digit(quarter)]),
                _ => out
                    .push_str(["1st quarter", "2nd quarter", "3rd quarter", "4th quarter"][(quarter as usize - 1) % 4]),
            }
        }
        b'M' | b'L' => name_or_number(out, MONTHS[date.month0() as usize % 12], date.month(), count),
        b'w' => number(out, week_of_year(moment.local).1, count),
        b'W' => {
            // Weeks begin on Sunday, and the first may be short.
            let first = (7 + date.weekday().num_days_from_sunday() - (date.day0() % 7)) % 7;
            number(out, ((date.day0() + first) / 7 + 1).into(), count);
        }
        b'd' => number(out, date.day().into(), count),
        b'D' => number(out, date.ordinal().into(), count),
        b'F' => number(out, (date.day0() / 7 + 1).into(), count),
        b'E' => name_or_number(out, DAYS[date.weekday() as usize % 7], 0, count.max(3)),
        b'e' | b'c' => {
            let day = date.weekday().num_days_from_sunday() + 1;
            name_or_number(out, DAYS[date.weekday() as usize % 7], day, count);
        }
        b'a' => out.push_str(if time.hour() < 12 { "AM" } else { "PM" }),
        b'H' => number(out, time.hour().into(), count),
        b'k' => number(out, if time.hour() == 0 { 24 } else { time.hour().into() }, count),
        b'K' => number(out, (time.hour() % 12).into(), count),
        b'h' => number(out, time.hour12().1.into(), count),
        b'm' => number(out, time.minute().into(), count),
        b's' => number(out, time.second().into(), count),
        b'S' => {
            let nanos = moment.local.and_utc().timestamp_subsec_nanos() % 1_000_000_000;
            let _ = write!(out, "{:09}", nanos);
            let start = out.len() - 9;
            out.truncate(start + count.min(9));
            out.extend(std::iter::repeat_n('0', count.saturating_sub(9)));
        }
        b'n' => number(out, (time.nanosecond() % 1_000_000_000).into(), count),
        b'A' | b'N' => {
            let nanos = i64::from(time.num_seconds_from_midnight()) * 1_000_000_000 + i64::from(time.nanosecond());
            number(out, if letter == b'A' { nanos / 1_000_000 } else { nanos }, count);
        }
        b'G' => out.push_str(match (date.year() > 0, count) {
            (true, 4) => "Anno Domini",
            (true, _) => "AD",
            (false, 4) => "Before Christ",
            (false, _) => "BC",
        }),
        b'z' => out.push_str(&moment.zone.short_name(moment.utc)),
        b'V' => out.push_str(&moment.zone.id()),
        b'O' | b'X' | b'x' | b'Z' => offset(out, letter, count, moment.zone.offset_at(moment.utc)),
        // `compile` let no other letter in.
        _ => {}
    }
}

fn digit(value: u32) -> char {
    char::from_digit(value % 10, 10).unwrap_or('0')
}

fn year(out: &mut String, value: i64, count: usize) {
    if count == 2 { number(out, value.rem_euclid(100), 2) } else { number(out, value, count) }
}

fn name_or_number(out: &mut String, name: &str, value: u32, count: usize) {
    match count {
        0..3 => number(out, value.into(), count),
        3 => out.push_str(&name[..3]),
        4 => out.push_str(name),
        _ => out.push_str(&name[..1]),
    }
}

/// The year and number of a week that begins on Sunday; the first week is the one with January 1.
fn week_of_year(local: NaiveDateTime) -> (i64, i64) {
    let date = local.date();
    // The Saturday that ends the week decides which year it belongs to.
    let to_saturday = TimeDelta::days(i64::from(6 - date.weekday().num_days_from_sunday()));
    let end = date.checked_add_signed(to_saturday).unwrap_or(date);
    (end.year().into(), i64::from(end.ordinal0() / 7 + 1))
}

fn offset(out: &mut String, letter: u8, count: usize, seconds: i32) {
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    let _ = match (letter, count) {
        (b'X', _) | (b'Z', 5) if seconds == 0 => write!(out, "Z"),
        (b'O', _) | (b'Z', 4) if seconds == 0 => write!(out, "GMT"),
        (b'O', 1) if minutes == 0 => write!(out, "GMT{sign}{hours}"),
        (b'O', 1) => write!(out, "GMT{sign}{hours}:{minutes:02}"),
        (b'O', _) | (b'Z', 4) => write!(out, "GMT{sign}{hours:02}:{minutes:02}"),
        (b'X' | b'x', 1) if minutes == 0 => write!(out, "{sign}{hours:02}"),
        (b'X' | b'x', 1 | 2) | (b'Z', 1..=3) => write!(out, "{sign}{hours:02}{minutes:02}"),
        _ => write!(out, "{sign}{hours:02}:{minutes:02}"),
    };
}
