//! One watermark for a source with several splits: the least of theirs, which never falls.
//!
//! - A split holds time back from when it joins, also before its first row.
//! - A split without rows for the idle timeout leaves the minimum, until its next row.
//! - An ended split leaves the minimum. When all have ended and no more will join: [`Watermark::MAX`].
//! - When all are idle, so that nobody moves time, the clock does: the watermark goes to the greatest of the splits', and
//!   from there on with the clock, counted from the moment at which the last of them became idle. So the last windows of
//!   a stream that pauses close, each as long after the timeout as event time still had to go.
//!
//! A row that comes in below the merged watermark was left behind by it: its split was idle, or joined late. It is judged
//! by that watermark ([`SplitWatermarks::admit`]), the one case in which lateness depends on timing.
//!
//! Reads no clock: each call is handed its reading.

use std::collections::BTreeMap;

use arrow::array::{Array, Int64Array};
use tidemill_core::{Delta, Micros, Result, SplitId, Watermark};

use crate::event_time::{micros, min_max};

/// The splits of one source.
#[derive(Debug)]
pub struct SplitWatermarks {
    event_time: Option<usize>,
    idle_timeout: Option<Micros>,
    splits: BTreeMap<SplitId, Split>,
    complete: bool,
    merged: Watermark,
}

#[derive(Debug)]
struct Split {
    watermark: Watermark,
    rows: u64,
    /// When it last had a row, joined or ended.
    active_at: Micros,
    activity: Activity,
}

/// Whether a split takes part in the minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It holds time back.
    Active,
    /// It has had no rows for the idle timeout.
    Idle,
    /// It will have no more rows.
    Ended,
}

/// How a split stands, for `EXPLAIN WATERMARK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitReport {
    /// The split.
    pub split: SplitId,
    /// Its own watermark.
    pub watermark: Watermark,
    /// How many rows it has had.
    pub rows: u64,
    /// Whether it takes part in the minimum.
    pub activity: Activity,
}

impl SplitWatermarks {
    /// No splits yet. `event_time` is the source's event-time column; a source without one promises nothing until its
    /// end. Without `idle_timeout` no split is ever idle.
    pub fn new(event_time: Option<usize>, idle_timeout: Option<Micros>) -> Self {
        Self { event_time, idle_timeout, splits: BTreeMap::new(), complete: false, merged: Watermark::MIN }
    }

    /// A split has appeared.
    pub fn join(&mut self, split: SplitId, now: Micros) {
        let new = Split { watermark: Watermark::MIN, rows: 0, active_at: now, activity: Activity::Active };
        self.splits.entry(split).or_insert(new);
    }

    /// No more splits will join.
    pub fn complete(&mut self) {
        self.complete = true;
    }

    /// Rows of `split` as the dataflow may take them in: those below the merged watermark are judged by it. To be called
    /// before [`progress`](Self::progress) for the same rows.
    pub fn admit(&self, split: &SplitId, delta: Delta) -> Result<Delta> {
        let behind = self.splits.get(split).is_none_or(|s| s.watermark < self.merged);
        let (Some(column), true) = (self.event_time, behind) else { return Ok(delta) };
        let times = micros(delta.batch.column(column))?;
        let merged = self.merged.0;
        let own = delta.split_watermark.as_ref();
        if own.is_none() && min_max(&times).is_none_or(|(min, _)| min >= merged) {
            return Ok(delta);
        }
        // Changes carry a watermark each, for the rows that they take back.
        let judged = times.values().iter().enumerate().map(|(row, t)| {
            let own = own.filter(|w| w.is_valid(row)).map(|w| w.value(row));
            own.map_or((*t < merged).then_some(merged), |own| Some(own.max(merged)))
        });
        let split_watermark = Some(judged.collect::<Int64Array>());
        Ok(Delta { split_watermark, ..delta })
    }

    /// A split has had `rows` more rows, and its watermark is now `watermark`.
    pub fn progress(&mut self, split: &SplitId, watermark: Watermark, rows: u64, now: Micros) {
        let Some(split) = self.splits.get_mut(split) else { return };
        let moved = rows > 0 || watermark > split.watermark;
        split.watermark = split.watermark.max(watermark);
        split.rows += rows;
        if moved && split.activity != Activity::Ended {
            split.activity = Activity::Active;
            split.active_at = split.active_at.max(now);
        }
    }

    /// A split has ended.
    pub fn end(&mut self, split: &SplitId, now: Micros) {
        if let Some(split) = self.splits.get_mut(split) {
            split.activity = Activity::Ended;
            split.active_at = split.active_at.max(now);
        }
    }

    /// The merged watermark at the end of an epoch whose clock reads `now`; it never falls.
    pub fn advance(&mut self, now: Micros) -> Watermark {
        let timeout = self.idle_timeout;
        for split in self.splits.values_mut().filter(|s| s.activity == Activity::Active) {
            if timeout.is_some_and(|timeout| now.saturating_sub(split.active_at) >= timeout) {
                split.activity = Activity::Idle;
            }
        }
        let all_ended = self.splits.values().all(|s| s.activity == Activity::Ended);
        let merged = match self.active().map(|(_, s)| s.watermark).min() {
            _ if self.complete && all_ended => Watermark::MAX,
            _ if self.event_time.is_none() => Watermark::MIN,
            Some(least) => least,
            None => self.by_the_clock(now),
        };
        self.merged = self.merged.max(merged);
        self.merged
    }

    /// Where the clock has brought time while all splits were idle or ended.
    fn by_the_clock(&self, now: Micros) -> Watermark {
        let Some(timeout) = self.idle_timeout else { return self.merged };
        let furthest = self.splits.values().map(|s| s.watermark).max().unwrap_or(Watermark::MIN);
        let last = self.splits.values().map(|s| s.active_at).max().unwrap_or(now);
        let beyond = now.saturating_sub(last).saturating_sub(timeout);
        if furthest == Watermark::MIN || beyond < 0 {
            return self.merged;
        }
        Watermark(furthest.0.saturating_add(beyond).min(i64::MAX - 1))
    }

    /// The merged watermark, as [`advance`](Self::advance) returned it last.
    pub fn watermark(&self) -> Watermark {
        self.merged
    }

    /// The split that holds time back, where one does.
    pub fn holding(&self) -> Option<SplitReport> {
        let (split, state) = self.active().min_by_key(|(_, s)| s.watermark)?;
        Some(report(split, state))
    }

    /// All splits, by name.
    pub fn report(&self) -> Vec<SplitReport> {
        self.splits.iter().map(|(split, state)| report(split, state)).collect()
    }

    fn active(&self) -> impl Iterator<Item = (&SplitId, &Split)> {
        self.splits.iter().filter(|(_, s)| s.activity == Activity::Active)
    }
}

fn report(split: &SplitId, state: &Split) -> SplitReport {
    SplitReport { split: split.clone(), watermark: state.watermark, rows: state.rows, activity: state.activity }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{RecordBatch, TimestampMicrosecondArray};

    use super::*;

    /// What happens, and the watermark after it.
    enum Event {
        Join(&'static str),
        Complete,
        /// A split's rows, and its watermark after them.
        Rows(&'static str, i64),
        End(&'static str),
        /// Nothing but time.
        Wait,
    }
    use Event::*;

    /// Runs events at times of the clock; after each the merged watermark must be as expected.
    fn check(idle_timeout: Option<i64>, events: Vec<(i64, Event, Watermark)>) -> SplitWatermarks {
        let mut splits = SplitWatermarks::new(Some(0), idle_timeout);
        for (number, (now, event, expected)) in events.into_iter().enumerate() {
            match event {
                Join(split) => splits.join(split.into(), now),
                Complete => splits.complete(),
                Rows(split, watermark) => splits.progress(&split.into(), Watermark(watermark), 1, now),
                End(split) => splits.end(&split.into(), now),
                Wait => {}
            }
            assert_eq!(splits.advance(now), expected, "after event {number}");
        }
        splits
    }

    const MIN: Watermark = Watermark::MIN;
    const MAX: Watermark = Watermark::MAX;

    #[test]
    fn the_least_counts_and_ended_splits_leave_it() {
        let splits = check(
            None,
            vec![
                (0, Join("a"), MIN),
                (0, Join("b"), MIN),
                (0, Rows("a", 50), MIN),
                (0, Rows("b", 20), Watermark(20)),
                (0, Rows("a", 60), Watermark(20)),
                (9_999, Wait, Watermark(20)),
                (9_999, End("b"), Watermark(60)),
                // It joined late: nothing falls.
                (9_999, Join("c"), Watermark(60)),
                (9_999, Rows("c", 30), Watermark(60)),
                (9_999, End("a"), Watermark(60)),
                (9_999, Complete, Watermark(60)),
                (9_999, Rows("c", 70), Watermark(70)),
                (9_999, End("c"), MAX),
            ],
        );
        assert_eq!(splits.holding(), None);
    }

    #[test]
    fn no_split_at_all_ends_at_once() {
        check(None, vec![(0, Wait, MIN), (0, Complete, MAX)]);
    }

    #[test]
    fn an_idle_split_leaves_and_comes_back() {
        let splits = check(
            Some(10),
            vec![
                (0, Join("a"), MIN),
                (0, Join("b"), MIN),
                (5, Rows("a", 50), MIN),
                (9, Wait, MIN),
                (10, Wait, Watermark(50)),
                (14, Rows("a", 60), Watermark(60)),
                // Back, and behind: it holds time where it is until it has caught up.
                (15, Rows("b", 20), Watermark(60)),
                (16, Rows("a", 80), Watermark(60)),
                (17, Rows("b", 70), Watermark(70)),
            ],
        );
        let holding = splits.holding().unwrap();
        assert_eq!((holding.split, holding.watermark, holding.rows), ("b".into(), Watermark(70), 2));
    }

    #[test]
    fn when_all_are_idle_the_clock_moves_time() {
        check(
            Some(10),
            vec![
                (0, Join("a"), MIN),
                (0, Join("b"), MIN),
                // No split has ever had a row: there is no time to move.
                (40, Wait, MIN),
                (40, Rows("a", 100), Watermark(100)),
                (45, Rows("b", 130), Watermark(100)),
                (50, Wait, Watermark(130)),
                (54, Wait, Watermark(130)),
                (55, Wait, Watermark(130)),
                (58, Wait, Watermark(133)),
                (60, Rows("a", 131), Watermark(133)),
                (61, Rows("a", 140), Watermark(140)),
            ],
        );
    }

    #[test]
    fn rows_that_time_has_passed_are_judged_by_it() {
        let mut splits =
            check(Some(10), vec![(0, Join("a"), MIN), (0, Join("b"), MIN), (10, Rows("a", 60), Watermark(60))]);
        let rows = |times: Vec<i64>, own: Option<Vec<Option<i64>>>| {
            let batch = RecordBatch::try_from_iter([("ts", Arc::new(TimestampMicrosecondArray::from(times)) as _)]);
            Delta { split_watermark: own.map(Int64Array::from), ..Delta::insert(batch.unwrap()) }
        };
        let admitted =
            |splits: &SplitWatermarks, split: &str, delta| splits.admit(&split.into(), delta).unwrap().split_watermark;
        let own = Some(vec![None, Some(90), None]);
        assert_eq!(
            admitted(&splits, "b", rows(vec![10, 80, 70], own)),
            Some(Int64Array::from(vec![Some(60), Some(90), None]))
        );
        assert_eq!(admitted(&splits, "b", rows(vec![60, 61], None)), None);
        // A split that was never left behind is judged by itself alone.
        assert_eq!(admitted(&splits, "a", rows(vec![10], None)), None);
        splits.progress(&"b".into(), Watermark(75), 1, 11);
        assert_eq!(admitted(&splits, "b", rows(vec![10], None)), None);
    }

    #[test]
    fn without_event_time_only_the_end_is_known() {
        let mut splits = SplitWatermarks::new(None, Some(10));
        splits.join("a".into(), 0);
        splits.progress(&"a".into(), Watermark::MIN, 5, 0);
        assert_eq!(splits.advance(100), MIN);
        splits.complete();
        splits.end(&"a".into(), 100);
        assert_eq!(splits.advance(100), MAX);
    }
}
