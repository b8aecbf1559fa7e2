//! The arithmetic of windows, on microseconds of wall-clock time.
//!
//! Windows over an instant (`TIMESTAMP_LTZ`) are cut on the wall clock of the session's time zone, so that a day is a
//! calendar day through changes to and from daylight-saving time. [`Zone`] goes between the two. A window is over when
//! the watermark, an instant, has reached the last instant at which the clock on the wall shows its end.

use std::fmt;

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{LocalResult, Offset, TimeZone};
use chrono_tz::Tz;
use tidemill_core::Micros;

/// Which windows there are. All lengths are whole milliseconds, in microseconds, and above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WindowKind {
    /// Side by side, `size` long.
    Tumble {
        /// Length.
        size: Micros,
    },
    /// `size` long, a new one every `slide`. They overlap, or, where `slide` is larger, leave gaps.
    Hop {
        /// Length.
        size: Micros,
        /// From one start to the next.
        slide: Micros,
    },
    /// From each multiple of `max` on, one for every multiple of `step` up to `max`. `max` is a multiple of `step`.
    Cumulate {
        /// The longest length.
        max: Micros,
        /// By how much each is longer than the one before.
        step: Micros,
    },
    /// Rows with no more than `gap` between neighbours.
    Session {
        /// The longest pause within a session.
        gap: Micros,
    },
}

/// A window over a column of an operator's input.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// Which windows there are.
    pub kind: WindowKind,
    /// By how much all of them are shifted.
    pub offset: Micros,
    /// The time column of the input.
    pub time: usize,
    /// The type of the time column: a timestamp.
    pub time_type: DataType,
    /// The zone on whose wall clock windows are cut: the session's for instants, UTC for wall-clock columns.
    pub zone: Zone,
}

/// A slice of time, `[start, end)`, on the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First microsecond.
    pub start: Micros,
    /// First microsecond after it.
    pub end: Micros,
}

/// A row's `window_time` is this much before its `window_end`.
pub const WINDOW_TIME_BEFORE_END: Micros = 1_000;

impl Window {
    /// Whether it is a session window.
    pub fn is_session(&self) -> bool {
        matches!(self.kind, WindowKind::Session { .. })
    }

    /// The pause that ends a session, or 0.
    pub fn gap(&self) -> Micros {
        match self.kind {
            WindowKind::Session { gap } => gap,
            _ => 0,
        }
    }

    /// The unit of `window_start`, `window_end` and `window_time`: that of the time column, at least milliseconds.
    pub fn unit(&self) -> TimeUnit {
        match &self.time_type {
            DataType::Timestamp(TimeUnit::Second, _) => TimeUnit::Millisecond,
            DataType::Timestamp(unit, _) => *unit,
            _ => TimeUnit::Millisecond,
        }
    }

    /// The type of `window_start` and `window_end`: wall-clock time.
    pub fn bound_type(&self) -> DataType {
        DataType::Timestamp(self.unit(), None)
    }

    /// The type of `window_time`: as the time column, an instant if that is one.
    pub fn window_time_type(&self) -> DataType {
        match &self.time_type {
            DataType::Timestamp(_, zone) => DataType::Timestamp(self.unit(), zone.clone()),
            other => other.clone(),
        }
    }

    /// The width of the panes that windows are assembled from. 0 for sessions.
    ///
    /// Every window begins and ends at a multiple of it (shifted by the offset).
    pub fn pane_width(&self) -> Micros {
        match self.kind {
            WindowKind::Tumble { size } => size,
            WindowKind::Hop { size, slide } => gcd(size, slide),
            WindowKind::Cumulate { step, .. } => step,
            WindowKind::Session { .. } => 0,
        }
    }

    /// The pane that the wall-clock time `t` falls in. Not for sessions.
    pub fn pane_of(&self, t: Micros) -> Span {
        let width = self.pane_width();
        let start = align(t, width, self.offset);
        Span { start, end: start.saturating_add(width) }
    }

    /// The windows that hold the wall-clock time `t`, the earliest first. None where a HOP leaves a gap. Not for sessions.
    pub fn windows_of(&self, t: Micros) -> Windows {
        match self.kind {
            WindowKind::Tumble { size } => {
                let start = align(t, size, self.offset);
                Windows { next: Span { start, end: start.saturating_add(size) }, step: 0, by_end: false, left: 1 }
            }
            WindowKind::Hop { size, slide } => {
                // The last window that starts at or before t, then back as long as the end is after t.
                let last = align(t, slide, self.offset);
                let behind = t - last;
                let left = if behind >= size { 0 } else { (size - behind - 1) / slide + 1 };
                let start = last - (left - 1).max(0) * slide;
                Windows { next: Span { start, end: start.saturating_add(size) }, step: slide, by_end: false, left }
            }
            WindowKind::Cumulate { max, step } => {
                let start = align(t, max, self.offset);
                let first = (t - start) / step;
                let end = start.saturating_add((first + 1) * step);
                Windows { next: Span { start, end }, step, by_end: true, left: max / step - first }
            }
            WindowKind::Session { .. } => Windows { next: Span { start: t, end: t }, step: 0, by_end: false, left: 0 },
        }
    }
}

/// The windows of a row, the earliest first.
#[derive(Debug, Clone)]
pub struct Windows {
    next: Span,
    step: Micros,
    by_end: bool,
    left: i64,
}

impl Iterator for Windows {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let span = self.next;
        self.next.end = span.end.saturating_add(self.step);
        if !self.by_end {
            self.next.start = span.start.saturating_add(self.step);
        }
        Some(span)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

/// The largest multiple of `width` (shifted by `offset`) that is not above `t`.
pub fn align(t: Micros, width: Micros, offset: Micros) -> Micros {
    t - (t.wrapping_sub(offset)).rem_euclid(width)
}

fn gcd(a: Micros, b: Micros) -> Micros {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A time zone, as the relation between instants and a clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Zone {
    /// The wall clock shows the instant itself.
    Utc,
    /// A zone of the IANA database.
    Named(Tz),
}

impl PartialOrd for Zone {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Zone {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name().cmp(other.name())
    }
}

impl Zone {
    /// The zone named `name`: `UTC`, or a name of the IANA database. `None` if there is no such zone.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "UTC" | "utc" | "Z" | "+00:00" | "Etc/UTC" => Some(Self::Utc),
            _ => name.parse().ok().map(Self::Named),
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Utc => "UTC",
            Self::Named(tz) => tz.name(),
        }
    }

    /// What the clock on the wall shows at the instant `t`.
    pub fn to_wall(self, t: Micros) -> Micros {
        match self {
            Self::Utc => t,
            Self::Named(tz) => t + offset_at(tz, t),
        }
    }

    /// The last instant at which the clock on the wall shows `wall`; where it skips over `wall`, the instant it skips.
    pub fn to_instant(self, wall: Micros) -> Micros {
        let Self::Named(tz) = self else { return wall };
        let Some(local) = arrow::temporal_conversions::timestamp_us_to_datetime(wall) else { return wall };
        match tz.offset_from_local_datetime(&local) {
            LocalResult::Single(o) => wall - seconds(o.fix()),
            LocalResult::Ambiguous(a, b) => (wall - seconds(a.fix())).max(wall - seconds(b.fix())),
            // Skipped: the first instant at which the clock shows more. So a later time on the wall is never over earlier.
            LocalResult::None => {
                let (before, after) = (offset_at(tz, wall - 86_400_000_000), offset_at(tz, wall + 86_400_000_000));
                let (mut less, mut more) = (wall - before.max(after), wall - before.min(after));
                while more - less > 1 {
                    let middle = less + (more - less) / 2;
                    *(if self.to_wall(middle) < wall { &mut less } else { &mut more }) = middle;
                }
                more
            }
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn offset_at(tz: Tz, instant: Micros) -> Micros {
    match arrow::temporal_conversions::timestamp_us_to_datetime(instant) {
        Some(utc) => seconds(tz.offset_from_utc_datetime(&utc).fix()),
        None => 0,
    }
}

fn seconds(offset: chrono::FixedOffset) -> Micros {
    i64::from(offset.local_minus_utc()) * 1_000_000
}

impl fmt::Display for WindowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Tumble { size } => write!(f, "TUMBLE size {}", Length(size)),
            Self::Hop { size, slide } => write!(f, "HOP size {} slide {}", Length(size), Length(slide)),
            Self::Cumulate { max, step } => write!(f, "CUMULATE max {} step {}", Length(max), Length(step)),
            Self::Session { gap } => write!(f, "SESSION gap {}", Length(gap)),
        }
    }
}

/// A length of time as people write it: `10 s`, `1 h 30 min`.
#[derive(Debug, Clone, Copy)]
pub struct Length(pub Micros);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            (86_400_000_000, "d"),
            (3_600_000_000, "h"),
            (60_000_000, "min"),
            (1_000_000, "s"),
            (1_000, "ms"),
            (1, "us"),
        ];
        let mut left = self.0;
        let mut first = true;
        for (micros, name) in units {
            if left / micros != 0 {
                write!(f, "{}{} {name}", if first { "" } else { " " }, left / micros)?;
                left %= micros;
                first = false;
            }
        }
        if first { f.write_str("0 s") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Micros = 1_000_000;

    fn window(kind: WindowKind, offset: Micros) -> Window {
        Window { kind, offset, time: 0, time_type: DataType::Timestamp(TimeUnit::Millisecond, None), zone: Zone::Utc }
    }

    fn spans(kind: WindowKind, offset: Micros, t: Micros) -> Vec<(i64, i64)> {
        window(kind, offset * S).windows_of(t * S).map(|w| (w.start / S, w.end / S)).collect()
    }

    #[test]
    fn rows_fall_into_windows() {
        let (t, h, c) = (
            WindowKind::Tumble { size: 10 * S },
            WindowKind::Hop { size: 10 * S, slide: 4 * S },
            WindowKind::Cumulate { max: 10 * S, step: 5 * S },
        );
        assert_eq!(spans(t, 0, 10), [(10, 20)]);
        assert_eq!(spans(t, 3, 12), [(3, 13)]);
        assert_eq!(spans(t, 0, -1), [(-10, 0)]);
        // A size that is not a multiple of the slide: sometimes three windows, sometimes two.
        assert_eq!(spans(h, 0, 9), [(0, 10), (4, 14), (8, 18)]);
        assert_eq!(spans(h, 0, 11), [(4, 14), (8, 18)]);
        assert_eq!(window(h, 0).pane_width(), 2 * S);
        // A slide that is larger than the size leaves gaps.
        let gaps = WindowKind::Hop { size: 2 * S, slide: 5 * S };
        assert_eq!(spans(gaps, 0, 6), [(5, 7)]);
        assert_eq!(spans(gaps, 0, 8), []);
        assert_eq!(spans(c, 0, 3), [(0, 5), (0, 10)]);
        assert_eq!(spans(c, 0, 17), [(10, 20)]);
    }

    #[test]
    fn a_day_follows_the_zone_through_daylight_saving_time() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let utc = |s: &str| s.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_micros();
        // 2024-03-31: the clock goes from 02:00 to 03:00; the wall's midnight is 23:00 UTC before, 22:00 UTC after.
        assert_eq!(berlin.to_instant(utc("2024-03-31T00:00:00Z")), utc("2024-03-30T23:00:00Z"));
        assert_eq!(berlin.to_instant(utc("2024-04-01T00:00:00Z")), utc("2024-03-31T22:00:00Z"));
        // 02:30 does not exist that day; it is over when the clock has jumped.
        assert_eq!(berlin.to_instant(utc("2024-03-31T02:30:00Z")), utc("2024-03-31T01:00:00Z"));
        // 2024-10-27: 02:30 comes twice; it is over the second time.
        assert_eq!(berlin.to_instant(utc("2024-10-27T02:30:00Z")), utc("2024-10-27T01:30:00Z"));
        assert_eq!(berlin.to_wall(utc("2024-07-01T00:00:00Z")), utc("2024-07-01T02:00:00Z"));
    }

    #[test]
    fn lengths_read_well() {
        assert_eq!(Length(5_400 * S).to_string(), "1 h 30 min");
        assert_eq!(Length(10 * S).to_string(), "10 s");
    }
}
