//! Which pane, or which window that stands in the row, each row of a batch is in: looked up for runs of rows, not for
//! each row.

use arrow::array::{Array, Int64Array};
use hashbrown::HashMap;
use tidemill_core::Micros;
use tidemill_plan::window::Span;

use crate::event_time::min_max;
use crate::operators::window_aggregate::cut::Cut;

/// Up to so many panes a batch, a row finds its own by comparing with all of them, which takes no branch.
const FEW: usize = 4;
/// Up to so many, it finds it from its neighbour's.
const MANY: usize = 4096;

/// Where a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In no window: it has no time, or one between windows.
    Nowhere,
    /// In the pane that starts here.
    Pane(Micros),
    /// In the window that stands in it.
    Window(Span),
}

/// Where the rows of a batch are: row `i` at `list[parts[i]]`.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) parts: Vec<u32>,
    pub(super) list: Vec<Place>,
}

impl Places {
    /// By time on the wall clock.
    pub(super) fn by_time(cut: &Cut, times: &Int64Array) -> Self {
        let panes = match min_max(times) {
            Some((min, max)) if times.null_count() == 0 => panes_between(cut, min, max),
            _ => None,
        };
        let Some(panes) = panes else { return Self::one_by_one(cut, times) };
        let parts =
            if panes.len() <= FEW { by_comparing(&panes, times.values()) } else { by_walking(&panes, times.values()) };
        Self { parts, list: panes.into_iter().map(|(_, place)| place).collect() }
    }

    /// By the bounds in the rows. A row without bounds is nowhere.
    pub(super) fn attached(starts: &Int64Array, ends: &Int64Array) -> Self {
        let mut known: HashMap<Option<Span>, u32> = HashMap::new();
        let mut list = vec![];
        let mut last: Option<(Option<Span>, u32)> = None;
        let valid = |i: usize| starts.is_valid(i) && ends.is_valid(i);
        let mut part_of = |i: usize| {
            let window = valid(i).then(|| Span { start: starts.value(i), end: ends.value(i) });
            match last {
                Some((before, part)) if before == window => part,
                _ => {
                    let part = *known.entry(window).or_insert_with(|| {
                        list.push(window.map_or(Place::Nowhere, Place::Window));
                        list.len() as u32 - 1
                    });
                    last = Some((window, part));
                    part
                }
            }
        };
        let parts = (0..starts.len()).map(&mut part_of).collect();
        Self { parts, list }
    }

    /// For times with NULLs, or far apart.
    fn one_by_one(cut: &Cut, times: &Int64Array) -> Self {
        let mut known: HashMap<Micros, u32> = HashMap::new();
        let mut list = vec![Place::Nowhere];
        let mut last = (Span { start: 0, end: 0 }, 0);
        let mut part_of = |t: Option<Micros>| {
            let Some(t) = t else { return 0 };
            if t < last.0.start || t >= last.0.end {
                let (pane, in_window) = cut.pane_of(t);
                let part = match in_window {
                    false => 0,
                    true => *known.entry(pane.start).or_insert_with(|| {
                        list.push(Place::Pane(pane.start));
                        list.len() as u32 - 1
                    }),
                };
                last = (pane, part);
            }
            last.1
        };
        let parts = times.iter().map(&mut part_of).collect();
        Self { parts, list }
    }
}

/// All panes, and gaps, from the one of `min` to the one of `max`, with the end of each; `None` if they are too many.
fn panes_between(cut: &Cut, min: Micros, max: Micros) -> Option<Vec<(Micros, Place)>> {
    let mut panes = vec![];
    let mut t = min;
    loop {
        let (pane, in_window) = cut.pane_of(t);
        panes.push((pane.end, if in_window { Place::Pane(pane.start) } else { Place::Nowhere }));
        if pane.end > max {
            return Some(panes);
        }
        if panes.len() == MANY || pane.end <= t {
            return None;
        }
        t = pane.end;
    }
}

fn by_comparing(panes: &[(Micros, Place)], times: &[Micros]) -> Vec<u32> {
    let mut parts = vec![0; times.len()];
    for (end, _) in &panes[..panes.len() - 1] {
        for (part, t) in parts.iter_mut().zip(times) {
            *part += u32::from(t >= end);
        }
    }
    parts
}

fn by_walking(panes: &[(Micros, Place)], times: &[Micros]) -> Vec<u32> {
    let mut at = 0;
    let part_of = |t: &Micros| {
        while at > 0 && *t < panes[at - 1].0 {
            at -= 1;
        }
        while *t >= panes[at].0 {
            at += 1;
        }
        at as u32
    };
    times.iter().map(part_of).collect()
}
