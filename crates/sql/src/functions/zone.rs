//! Time zones: between an instant and what the clock on the wall shows.

use chrono::{FixedOffset, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{OffsetName, Tz};

/// A time zone, by name or as a fixed offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Zone {
    /// `Europe/Berlin`.
    Named(Tz),
    /// `+08:00`.
    Fixed(FixedOffset),
}

/// Short names that are zones for Java but not in the time zone database.
const SHORT_NAMES: &[(&str, Tz)] = &[
    ("PST", Tz::America__Los_Angeles),
    ("CST", Tz::America__Chicago),
    ("IST", Tz::Asia__Kolkata),
    ("JST", Tz::Asia__Tokyo),
    ("CTT", Tz::Asia__Shanghai),
    ("Z", Tz::UTC),
];

impl Zone {
    pub(super) const UTC: Self = Self::Named(Tz::UTC);

    /// `Europe/Berlin`, `PST`, `+08:00`, `GMT+8`, `UTC-03:30`.
    pub(super) fn parse(name: &str) -> Option<Self> {
        if let Ok(tz) = name.parse::<Tz>() {
            return Some(Self::Named(tz));
        }
        if let Some((_, tz)) = SHORT_NAMES.iter().find(|(short, _)| *short == name) {
            return Some(Self::Named(*tz));
        }
        let rest = ["GMT", "UTC", "UT"].iter().find_map(|p| name.strip_prefix(p)).unwrap_or(name);
        let (offset, used) = parse_offset(rest)?;
        (used == rest.len()).then(|| FixedOffset::east_opt(offset).map(Self::Fixed)).flatten()
    }

    fn is_utc(self) -> bool {
        self == Self::UTC
    }

    /// Seconds east of UTC at an instant.
    pub(super) fn offset_at(self, utc: NaiveDateTime) -> i32 {
        match self {
            _ if self.is_utc() => 0,
            Self::Named(tz) => tz.offset_from_utc_datetime(&utc).fix().local_minus_utc(),
            Self::Fixed(offset) => offset.local_minus_utc(),
        }
    }

    /// What the wall shows at an instant.
    pub(super) fn to_local(self, utc: NaiveDateTime) -> Option<NaiveDateTime> {
        utc.checked_add_signed(TimeDelta::seconds(self.offset_at(utc).into()))
    }

    /// The instant at which the wall shows `local`.
    ///
    /// Of an hour that comes twice it is the first; a time that is skipped moves on by as much as was skipped: as
    /// Java's `ZonedDateTime.of` has it.
    pub(super) fn to_utc(self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let offset = match self {
            _ if self.is_utc() => 0,
            Self::Fixed(offset) => offset.local_minus_utc(),
            Self::Named(tz) => match tz.offset_from_local_datetime(&local).earliest() {
                Some(offset) => offset.fix().local_minus_utc(),
                // Skipped: the offset that held before.
                None => self.offset_at(local.checked_sub_signed(TimeDelta::days(1))?),
            },
        };
        local.checked_sub_signed(TimeDelta::seconds(offset.into()))
    }

    /// `CET`, or `GMT+08:00` for a fixed offset.
    pub(super) fn short_name(self, utc: NaiveDateTime) -> String {
        match self {
            Self::Named(tz) => match tz.offset_from_utc_datetime(&utc).abbreviation() {
                Some(name) if name.starts_with(|c: char| c.is_ascii_alphabetic()) => name.to_string(),
                _ => format!("GMT{}", tz.offset_from_utc_datetime(&utc).fix()),
            },
            Self::Fixed(offset) => format!("GMT{offset}"),
        }
    }

    /// `Europe/Berlin`, or the offset.
    pub(super) fn id(self) -> String {
        match self {
            Self::Named(tz) => tz.name().to_string(),
            Self::Fixed(offset) => offset.to_string(),
        }
    }
}

/// `+8`, `+08`, `+0800`, `+08:00`, `Z` at the start of a text: seconds east of UTC, and how many bytes they take.
pub(super) fn parse_offset(text: &str) -> Option<(i32, usize)> {
    let bytes = text.as_bytes();
    let sign = match bytes.first()? {
        b'Z' | b'z' => return Some((0, 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let number = |from: usize, to: usize| text[from..to].parse::<i32>().ok();
    let (hours, minutes, used) = match digits(1) {
        4.. => (number(1, 3)?, number(3, 5)?, 5),
        n @ 1..=2 => {
            let end = 1 + n;
            if bytes.get(end) == Some(&b':') && digits(end + 1) >= 2 {
                (number(1, end)?, number(end + 1, end + 3)?, end + 3)
            } else {
                (number(1, end)?, 0, end)
            }
        }
        _ => return None,
    };
    (hours <= 18 && minutes < 60).then_some((sign * (hours * 3600 + minutes * 60), used))
}
