//! Which times of a key have rows, and the sessions that they make.
//!
//! A change of the times looks at the sessions that it touches, and at nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use tidemill_core::{Micros, Watermark};

/// The first and the last time of a session.
pub type Span = (Micros, Micros);

/// Times and sessions of all keys.
#[derive(Debug, Default)]
pub struct Spans {
    gap: Micros,
    /// The number of each time of a key.
    points: BTreeMap<(u32, Micros), u32>,
    free: Vec<u32>,
    numbers: u32,
    /// The last time of each session, by key and first time.
    sessions: BTreeMap<(u32, Micros), Micros>,
    by_last: BTreeSet<(Micros, u32, Micros)>,
    /// How many sessions each key has.
    of_key: Vec<u32>,
    live_keys: usize,
}

/// A time whose session has other bounds than before, or that came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Its number.
    pub point: u32,
    /// The session it was in.
    pub old: Option<Span>,
    /// The session it is in.
    pub new: Option<Span>,
}

impl Spans {
    /// No times yet, with this pause between sessions.
    pub fn new(gap: Micros) -> Self {
        Self { gap, ..Self::default() }
    }

    /// The number of a time, which is made if it is not there.
    pub fn point(&mut self, key: u32, time: Micros) -> u32 {
        let (free, numbers) = (&mut self.free, &mut self.numbers);
        *self.points.entry((key, time)).or_insert_with(|| {
            free.pop().unwrap_or_else(|| {
                *numbers += 1;
                *numbers - 1
            })
        })
    }

    /// One more than the largest number.
    pub fn numbers(&self) -> usize {
        self.numbers as usize
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// How many keys have a session.
    pub fn live_keys(&self) -> usize {
        self.live_keys
    }

    /// The session that a time is in.
    pub fn of(&self, key: u32, time: Micros) -> Option<Span> {
        let ((k, start), last) = self.sessions.range(..=(key, time)).next_back()?;
        (*k == key && *last >= time).then_some((*start, *last))
    }

    /// Some times came or went: `changed` has the key, the time and whether it has rows now, ascending, each once. Finds what
    /// moved by that. Numbers of times that went are given to others from now on.
    pub fn change(&mut self, changed: &[(u32, Micros, bool)]) -> Vec<Moved> {
        let mut moved = vec![];
        let mut next = 0;
        while let Some((key, time, _)) = changed.get(next).copied() {
            let first = next;
            next += 1;
            let (mut low, mut high, mut from) = (time, time, time);
            let mut old: Vec<Span> = vec![];
            if let Some(((k, start), last)) = self.sessions.range(..=(key, time)).next_back()
                && *k == key
                && last.saturating_add(self.gap) >= time
            {
                old.push((*start, *last));
                (low, high) = (*start, high.max(*last));
            }
            // What is within a gap belongs to it too: sessions, and other times that changed.
            loop {
                let reach = high.saturating_add(self.gap);
                let session = self.sessions.range((Excluded((key, from)), Unbounded)).next();
                if let Some(((k, start), last)) = session
                    && *k == key
                    && *start <= reach
                {
                    old.push((*start, *last));
                    (from, high) = (*start, high.max(*last));
                } else if let Some((k, time, _)) = changed.get(next)
                    && *k == key
                    && *time <= reach
                {
                    high = high.max(*time);
                    next += 1;
                } else {
                    break;
                }
            }
            self.cut(key, (low, high), &old, &changed[first..next], &mut moved);
        }
        moved
    }

    /// Cuts the times of a stretch into sessions anew.
    fn cut(&mut self, key: u32, stretch: Span, old: &[Span], changed: &[(u32, Micros, bool)], moved: &mut Vec<Moved>) {
        for span in old {
            self.forget_session(key, *span);
        }
        let fresh = |time: Micros| changed.binary_search_by_key(&time, |c| c.1).is_ok_and(|i| changed[i].2);
        let mut new: Vec<Span> = vec![];
        let mut gone: Vec<Micros> = vec![];
        let mut here: Vec<(u32, Option<Span>, Option<usize>)> = vec![];
        let mut was = 0;
        for ((_, time), point) in self.points.range((key, stretch.0)..=(key, stretch.1)) {
            while old.get(was).is_some_and(|o| o.1 < *time) {
                was += 1;
            }
            let before = old.get(was).filter(|o| o.0 <= *time && !fresh(*time)).copied();
            if changed.binary_search_by_key(time, |c| c.1).is_ok_and(|i| !changed[i].2) {
                gone.push(*time);
                here.push((*point, before, None));
                continue;
            }
            match new.last_mut() {
                Some(last) if last.1.saturating_add(self.gap) >= *time => last.1 = *time,
                _ => new.push((*time, *time)),
            }
            here.push((*point, before, Some(new.len() - 1)));
        }
        for (point, old, now) in here {
            let new = now.map(|i| new[i]);
            if old != new {
                moved.push(Moved { point, old, new });
            }
        }
        for time in gone {
            self.free.extend(self.points.remove(&(key, time)));
        }
        for (start, last) in new {
            self.sessions.insert((key, start), last);
            self.by_last.insert((last, key, start));
            let of_key = &mut self.of_key;
            if of_key.len() <= key as usize {
                of_key.resize(key as usize + 1, 0);
            }
            self.live_keys += usize::from(of_key[key as usize] == 0);
            of_key[key as usize] += 1;
        }
    }

    fn forget_session(&mut self, key: u32, (start, last): Span) {
        self.sessions.remove(&(key, start));
        self.by_last.remove(&(last, key, start));
        let count = &mut self.of_key[key as usize];
        *count -= 1;
        self.live_keys -= usize::from(*count == 0);
    }

    /// Forgets the sessions whose last time is at least `behind` before the watermark, and shows the number of each of their
    /// times to `gone`.
    pub fn expire(&mut self, watermark: Watermark, behind: Micros, mut gone: impl FnMut(u32)) {
        while let Some((last, key, start)) = self.by_last.first().copied()
            && last.saturating_add(behind) <= watermark.0
        {
            let times: Vec<Micros> = self.points.range((key, start)..=(key, last)).map(|((_, t), _)| *t).collect();
            for time in times {
                if let Some(point) = self.points.remove(&(key, time)) {
                    gone(point);
                    self.free.push(point);
                }
            }
            self.forget_session(key, (start, last));
        }
    }

    /// The last time of the session that ends first.
    pub fn earliest(&self) -> Option<Micros> {
        self.by_last.first().map(|(last, _, _)| *last)
    }

    /// For each key with a session, ascending, the key and one of its times' numbers.
    pub fn keys(&self) -> Vec<(u32, u32)> {
        let mut keys: Vec<(u32, u32)> = vec![];
        for ((key, _), point) in &self.points {
            if keys.last().is_none_or(|(k, _)| k != key) {
                keys.push((*key, *point));
            }
        }
        keys
    }

    /// Gives keys new numbers: `old[i]`, ascending, becomes key `i`.
    pub fn renumber_keys(&mut self, old: &[u32]) {
        let new = |key: u32| old.binary_search(&key).map_or(u32::MAX, |i| i as u32);
        let points = std::mem::take(&mut self.points).into_iter();
        self.points = points.map(|((key, time), point)| ((new(key), time), point)).collect();
        let sessions = std::mem::take(&mut self.sessions).into_iter();
        self.sessions = sessions.map(|((key, start), last)| ((new(key), start), last)).collect();
        self.by_last = self.sessions.iter().map(|((key, start), last)| (*last, *key, *start)).collect();
        self.of_key = vec![0; old.len()];
        self.sessions.keys().for_each(|(key, _)| self.of_key[*key as usize] += 1);
    }

    /// About how many bytes are held.
    pub fn bytes(&self) -> usize {
        let (points, sessions) = (self.points.len() * 20, self.sessions.len() * 44);
        (points + sessions) * 4 / 3 + size_of_val(&self.of_key[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spans: &mut Spans, changed: &[(Micros, bool)], expected: &[(Option<Span>, Option<Span>)]) {
        let changed: Vec<_> = changed.iter().map(|(t, has)| (7, *t, *has)).collect();
        for (key, time, _) in &changed {
            spans.point(*key, *time);
        }
        let moved: Vec<_> = spans.change(&changed).into_iter().map(|m| (m.old, m.new)).collect();
        assert_eq!(moved, expected);
    }

    #[test]
    fn sessions_grow_merge_and_come_apart() {
        let mut spans = Spans::new(5);
        check(
            &mut spans,
            &[(10, true), (15, true), (30, true)],
            &[(None, Some((10, 15))), (None, Some((10, 15))), (None, Some((30, 30)))],
        );
        // A time in between makes one of two, by way of another.
        check(
            &mut spans,
            &[(20, true), (25, true)],
            &[
                (Some((10, 15)), Some((10, 30))),
                (Some((10, 15)), Some((10, 30))),
                (None, Some((10, 30))),
                (None, Some((10, 30))),
                (Some((30, 30)), Some((10, 30))),
            ],
        );
        // One that changes no bounds moves nothing else.
        check(&mut spans, &[(22, true)], &[(None, Some((10, 30)))]);
        check(
            &mut spans,
            &[(15, false)],
            &[
                (Some((10, 30)), Some((10, 10))),
                (Some((10, 30)), None),
                (Some((10, 30)), Some((20, 30))),
                (Some((10, 30)), Some((20, 30))),
                (Some((10, 30)), Some((20, 30))),
                (Some((10, 30)), Some((20, 30))),
            ],
        );
        assert_eq!((spans.sessions(), spans.live_keys()), (2, 1));
        let mut gone = 0;
        spans.expire(Watermark(40), 10, |_| gone += 1);
        assert_eq!((gone, spans.sessions(), spans.live_keys(), spans.earliest()), (5, 0, 0, None));
    }
}
