//! Where time is cut: into panes, so that every window is a row of whole panes; and which windows of a pane a row may
//! still count in.
//!
//! For windows that overlap a pane ends wherever a window begins or ends: one pane a slide, or two where the size is not a
//! multiple of the slide. Windows that do not overlap are panes themselves.
//!
//! All arithmetic, no rows.

use tidemill_core::Micros;
use tidemill_plan::window::{Span, Window, WindowKind, Zone, align};

/// A share of the rows that is aggregated by itself: those of one pane whose first window is the same. Ordered as their
/// first windows end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Bucket {
    /// The end of the first window that the rows count in, on the wall clock. They count in all later windows of the
    /// pane as well. Rows that are not late count from the pane's first window on.
    pub(super) first_end: Micros,
    /// The start of the pane, on the wall clock.
    pub(super) start: Micros,
}

/// Which windows rows fall into, and until when.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    /// `None` where the window stands in the row.
    kind: Option<WindowKind>,
    offset: Micros,
    zone: Zone,
    /// How long after its end a window may still change.
    pub(super) lateness: Micros,
}

/// The windows of a pane: `count` of them, each `step` after the one before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Series {
    first: Span,
    step: Micros,
    /// Whether the next window starts later, or only ends later.
    moves: bool,
    pub(super) count: i64,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Where it counts; `None` if all its windows are over.
    pub(super) bucket: Option<Bucket>,
    /// The end of the last window that it is late for.
    pub(super) missed: Option<Micros>,
}

impl Cut {
    pub(super) fn by_time(window: &Window, lateness: Micros) -> Self {
        Self { kind: Some(window.kind), offset: window.offset, zone: window.zone, lateness }
    }

    pub(super) fn attached(window: &Window, lateness: Micros) -> Self {
        Self { kind: None, offset: 0, zone: window.zone, lateness }
    }

    /// Whether each pane is a window by itself.
    pub(super) fn is_whole(&self) -> bool {
        match self.kind {
            Some(WindowKind::Hop { size, slide }) => slide >= size,
            Some(WindowKind::Cumulate { max, step }) => step >= max,
            _ => true,
        }
    }

    /// How many panes the longest window has.
    pub(super) fn panes_per_window(&self) -> i64 {
        match self.kind {
            _ if self.is_whole() => 1,
            Some(WindowKind::Hop { size, slide }) if size % slide == 0 => size / slide,
            Some(WindowKind::Hop { size, slide }) => 2 * (size / slide) + 1,
            Some(WindowKind::Cumulate { max, step }) => max / step,
            _ => 1,
        }
    }

    /// The instant at which a window that ends at `end` is over.
    pub(super) fn closes(&self, end: Micros) -> Micros {
        self.zone.to_instant(end)
    }

    /// The pane that holds `t`, and whether it is in any window; if not, it is a gap between windows.
    pub(super) fn pane_of(&self, t: Micros) -> (Span, bool) {
        // Times so far away that windows around them cannot be counted are taken for the farthest that can.
        let t = t.clamp(-FAR, FAR);
        let span = |start: Micros, len: Micros| Span { start, end: start + len };
        match self.kind {
            Some(WindowKind::Tumble { size }) => (span(align(t, size, self.offset), size), true),
            Some(WindowKind::Cumulate { step, .. }) => (span(align(t, step, self.offset), step), true),
            Some(WindowKind::Hop { size, slide }) => {
                let start = align(t, slide, self.offset);
                // Between two starts, windows end after so long.
                let to_end = if slide >= size { size } else { size % slide };
                match t - start < to_end {
                    true => (span(start, to_end), true),
                    false => (span(start + to_end, slide - to_end), slide < size),
                }
            }
            Some(WindowKind::Session { .. }) | None => (span(t, 0), false),
        }
    }

    /// The windows of the pane that starts at `start`.
    pub(super) fn series(&self, start: Micros) -> Series {
        match self.kind {
            Some(WindowKind::Tumble { size }) => Series::one(start, start + size),
            Some(WindowKind::Hop { size, slide }) => {
                let last = align(start, slide, self.offset);
                let behind = start - last;
                let count = if behind >= size { 0 } else { (size - behind - 1) / slide + 1 };
                let first = last - (count - 1).max(0) * slide;
                Series { first: Span { start: first, end: first + size }, step: slide, moves: true, count }
            }
            Some(WindowKind::Cumulate { max, step }) => {
                let from = align(start, max, self.offset);
                let before = (start - from) / step;
                let first = Span { start: from, end: from + (before + 1) * step };
                Series { first, step, moves: false, count: max / step - before }
            }
            Some(WindowKind::Session { .. }) | None => Series { count: 0, ..Series::one(start, start) },
        }
    }

    /// The windows that the rows of `bucket` count in.
    pub(super) fn windows(&self, bucket: Bucket) -> impl Iterator<Item = Span> + use<> {
        let series = match self.kind {
            Some(_) => self.series(bucket.start),
            None => Series::one(bucket.start, bucket.first_end),
        };
        series.iter().filter(move |w| w.end >= bucket.first_end)
    }

    /// The window that ends at `end`, of those that the pane that starts at `start` is in.
    pub(super) fn window_ending(&self, start: Micros, end: Micros) -> Span {
        match self.kind {
            Some(WindowKind::Hop { size, .. }) => Span { start: end - size, end },
            Some(WindowKind::Cumulate { max, .. }) => Span { start: align(start, max, self.offset), end },
            _ => Span { start, end },
        }
    }

    /// The window that ends next after `window`, where windows are cut by time.
    pub(super) fn next(&self, window: Span) -> Span {
        let Span { start, end } = window;
        match self.kind {
            Some(WindowKind::Hop { slide, .. }) => Span { start: start + slide, end: end + slide },
            Some(WindowKind::Cumulate { max, step }) if end - start < max => Span { start, end: end + step },
            Some(WindowKind::Cumulate { step, .. }) => Span { start: end, end: end + step },
            _ => Span { start: end, end: end + (end - start) },
        }
    }

    /// Whether windows that have the same start grow, rather than move on.
    pub(super) fn grows(&self) -> bool {
        matches!(self.kind, Some(WindowKind::Cumulate { .. }))
    }

    /// What becomes of a row in the pane that starts at `start`, by `watermark`.
    pub(super) fn judge(&self, start: Micros, watermark: Micros) -> Verdict {
        self.judge_series(start, self.series(start), watermark)
    }

    /// What becomes of a row whose window stands in it.
    pub(super) fn judge_window(&self, window: Span, watermark: Micros) -> Verdict {
        self.judge_series(window.start, Series::one(window.start, window.end), watermark)
    }

    fn judge_series(&self, start: Micros, series: Series, watermark: Micros) -> Verdict {
        let over = |k: i64| self.closes(series.at(k).end).saturating_add(self.lateness) <= watermark;
        // Windows are over in the order of their ends: the number of those that are.
        let (mut below, mut above) = (0, series.count);
        if series.count > 0 && !over(0) {
            above = 0;
        }
        while below < above {
            let middle = below + (above - below) / 2;
            if over(middle) { below = middle + 1 } else { above = middle }
        }
        Verdict {
            bucket: (below < series.count).then(|| Bucket { first_end: series.at(below).end, start }),
            missed: (below > 0).then(|| series.at(below - 1).end),
        }
    }
}

/// As far from 1970 as times are told apart: 146,000 years.
const FAR: Micros = 1 << 62;

impl Series {
    fn one(start: Micros, end: Micros) -> Self {
        Self { first: Span { start, end }, step: 0, moves: false, count: 1 }
    }

    fn at(self, k: i64) -> Span {
        let by = k * self.step;
        Span { start: if self.moves { self.first.start + by } else { self.first.start }, end: self.first.end + by }
    }

    /// The end of the last window; `None` if there is no window at all.
    pub(super) fn last_end(self) -> Option<Micros> {
        (self.count > 0).then(|| self.at(self.count - 1).end)
    }

    /// The windows, the earliest first.
    pub(super) fn iter(self) -> impl Iterator<Item = Span> {
        (0..self.count).map(move |k| self.at(k))
    }
}
