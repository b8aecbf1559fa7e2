//! From the rows of a delta to the buckets they count in, and the rows that come too late.

use arrow::array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{DataType, TimeUnit};
use tidemill_core::delta::take_rows;
use tidemill_core::time::{from_micros, to_micros};
use tidemill_core::{Delta, Micros, Result, Watermark};
use tidemill_plan::op::RowWindow;
use tidemill_plan::window::{WINDOW_TIME_BEFORE_END, Zone};

use crate::event_time::{micros, wall_micros};
use crate::operator::LateRows;
use crate::operators::window_aggregate::cut::{Bucket, Cut, Verdict};
use crate::operators::window_aggregate::places::{Place, Places};
use crate::operators::window_aggregate::shares::{Rows, part};

const DAY: Micros = 86_400_000_000;

/// Says where rows count.
#[derive(Debug, Clone)]
pub(super) struct Assign {
    window: RowWindow,
    pub(super) cut: Cut,
}

/// What becomes of the rows of a delta.
#[derive(Debug, Default)]
pub(super) struct Assigned {
    pub(super) shares: Vec<(Bucket, Rows)>,
    pub(super) late: Option<LateRows>,
}

impl Assign {
    pub(super) fn new(window: &RowWindow, lateness: Micros) -> Self {
        let cut = match window {
            RowWindow::ByTime(w) => Cut::by_time(w, lateness),
            RowWindow::Attached { window, .. } => Cut::attached(window, lateness),
        };
        Self { window: window.clone(), cut }
    }

    /// What becomes of the rows of `delta`.
    ///
    /// Windows that `passed` has left behind are over for every row. This follows from the promise of a watermark, as
    /// long as rows are either above it or carry their split's; where the promise is broken, the row is late too.
    pub(super) fn assign(&self, delta: &Delta, passed: Watermark) -> Result<Assigned> {
        let marks = delta.split_watermark.as_ref().filter(|m| m.null_count() < m.len());
        let places = match &self.window {
            RowWindow::ByTime(window) => {
                let times = delta.batch.column(window.time);
                if marks.is_none()
                    && let Some(bucket) = self.one_pane(times, window.zone, passed)
                {
                    let shares = bucket.map(|b| (b, Rows::All)).into_iter().collect();
                    return Ok(Assigned { shares, late: None });
                }
                Places::by_time(&self.cut, &wall_micros(times, window.zone)?)
            }
            RowWindow::Attached { start, end, .. } => {
                Places::attached(&micros(delta.batch.column(*start))?, &micros(delta.batch.column(*end))?)
            }
        };
        self.judge(delta, places, marks, passed)
    }

    /// The bucket of all rows, where they are in the pane of the first and none is late: found by one look at each time, in
    /// the column's own unit. `Some(None)` if they are all in a gap between windows.
    fn one_pane(&self, times: &ArrayRef, zone: Zone, passed: Watermark) -> Option<Option<Bucket>> {
        let (ticks, unit) = ticks(times)?;
        let first = to_micros(*ticks.first()?, unit);
        let shift = zone.to_wall(first).wrapping_sub(first);
        let (pane, in_window) = self.cut.pane_of(first.wrapping_add(shift));
        // A clock is not put forward and back again within a day: with one offset at both ends it is the same in between.
        let (start, end) = (pane.start.wrapping_sub(shift), pane.end.wrapping_sub(shift));
        let one_offset = |t: Micros| zone.to_wall(t).wrapping_sub(t) == shift;
        if zone != Zone::Utc && (end - start > DAY || !one_offset(start) || !one_offset(end)) {
            return None;
        }
        if !all_within(&ticks, first_tick(start, unit), first_tick(end, unit)) {
            return None;
        }
        if !in_window {
            return Some(None);
        }
        let verdict = self.cut.judge(pane.start, passed.0);
        verdict.missed.is_none().then_some(verdict.bucket)
    }

    fn judge_place(&self, place: Place, watermark: Micros) -> Verdict {
        match place {
            Place::Nowhere => Verdict { bucket: None, missed: None },
            Place::Pane(start) => self.cut.judge(start, watermark),
            Place::Window(window) => self.cut.judge_window(window, watermark),
        }
    }

    fn judge(
        &self,
        delta: &Delta,
        mut places: Places,
        marks: Option<&Int64Array>,
        passed: Watermark,
    ) -> Result<Assigned> {
        let verdicts: Vec<Verdict> = places.list.iter().map(|p| self.judge_place(*p, passed.0)).collect();
        let mut buckets: Vec<Option<Bucket>> = verdicts.iter().map(|v| v.bucket).collect();
        let mut late = vec![];
        if marks.is_some() || verdicts.iter().any(|v| v.missed.is_some()) {
            for (row, part) in places.parts.iter_mut().enumerate() {
                let mark = marks.filter(|m| m.is_valid(row)).map(|m| m.value(row));
                let (verdict, place) = (verdicts[*part as usize], places.list[*part as usize]);
                let (verdict, mark) = match mark {
                    Some(mark) if mark > passed.0 => (self.judge_place(place, mark), mark),
                    _ => (verdict, passed.0),
                };
                if let Some(end) = verdict.missed {
                    late.push(Late { row, end, mark });
                    *part = position(&mut buckets, verdict.bucket);
                }
            }
        }
        let rows = part(&places.parts, buckets.len());
        // Two parts may have the same bucket: their rows are taken in one after the other.
        let shares = buckets.into_iter().zip(rows).filter_map(|(b, r)| Some((b?, r?))).collect();
        Ok(Assigned { shares, late: self.report(delta, &late)? })
    }

    fn report(&self, delta: &Delta, late: &[Late]) -> Result<Option<LateRows>> {
        if late.is_empty() {
            return Ok(None);
        }
        let rows = UInt32Array::from_iter_values(late.iter().map(|l| l.row as u32));
        let event_time: Int64Array = match &self.window {
            RowWindow::ByTime(window) => {
                let times = micros(delta.batch.column(window.time))?;
                late.iter().map(|l| Some(times.value(l.row))).collect()
            }
            RowWindow::Attached { .. } => {
                late.iter().map(|l| Some(self.cut.closes(l.end).saturating_sub(WINDOW_TIME_BEFORE_END))).collect()
            }
        };
        Ok(Some(LateRows {
            rows: take_rows(&delta.batch, &rows)?,
            event_time,
            window_end: late.iter().map(|l| Some(l.end)).collect(),
            watermark: late.iter().map(|l| Some(l.mark)).collect(),
        }))
    }
}

/// A row that missed a window.
struct Late {
    row: usize,
    end: Micros,
    mark: Micros,
}

/// The place of `bucket` in `list`, where it is added unless it is there.
fn position(list: &mut Vec<Option<Bucket>>, bucket: Option<Bucket>) -> u32 {
    let place = list.iter().position(|b| *b == bucket).unwrap_or_else(|| {
        list.push(bucket);
        list.len() - 1
    });
    place as u32
}

/// The times in the column's own unit; `None` where there are NULLs.
fn ticks(times: &ArrayRef) -> Option<(ScalarBuffer<i64>, TimeUnit)> {
    if times.null_count() > 0 {
        return None;
    }
    let DataType::Timestamp(unit, _) = times.data_type() else { return None };
    let values = match unit {
        TimeUnit::Second => times.as_primitive::<TimestampSecondType>().values(),
        TimeUnit::Millisecond => times.as_primitive::<TimestampMillisecondType>().values(),
        TimeUnit::Microsecond => times.as_primitive::<TimestampMicrosecondType>().values(),
        TimeUnit::Nanosecond => times.as_primitive::<TimestampNanosecondType>().values(),
    };
    Some((values.clone(), *unit))
}

/// The first tick of a unit that is not before `t`.
fn first_tick(t: Micros, unit: TimeUnit) -> i64 {
    let tick = from_micros(t, unit);
    if to_micros(tick, unit) < t { tick.saturating_add(1) } else { tick }
}

/// Whether all of `ticks` are in `[start, end)`. One comparison each, and no branch.
fn all_within(ticks: &[i64], start: i64, end: i64) -> bool {
    let width = end.wrapping_sub(start) as u64;
    let outside: usize = ticks.iter().map(|t| usize::from(t.wrapping_sub(start) as u64 >= width)).sum();
    outside == 0
}
