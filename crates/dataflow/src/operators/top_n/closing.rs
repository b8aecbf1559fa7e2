//! When the window of a row is over: by the `window_end` that stands in it.

use arrow::array::{Array, BooleanArray, Int64Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{filter, filter_record_batch};
use tidemill_core::{Delta, Micros, Result, Watermark};
use tidemill_plan::op::Expire;
use tidemill_plan::window::WINDOW_TIME_BEFORE_END;

use crate::event_time::micros;
use crate::operators::session_aggregate::bounds::forwarded;
use crate::{Cx, LateRows};

/// The window of each row.
#[derive(Debug, Clone)]
pub struct Closing {
    expire: Expire,
    /// The column of `window_end`.
    end: usize,
}

impl Closing {
    /// Of windows whose `window_end` is in the column `end`.
    pub fn new(expire: &Expire, end: usize) -> Self {
        Self { expire: expire.clone(), end }
    }

    /// How long a window may still change after its end.
    pub fn lateness(&self) -> Micros {
        self.expire.allowed_lateness
    }

    /// About how far one window's end is from the next.
    pub fn stride(&self) -> Micros {
        self.expire.window.pane_width().max(self.expire.window.gap() / 32)
    }

    /// What is left of `delta` without the rows whose window is over, by their own split or because `passed` has passed it;
    /// those are reported. And the instant at which each one's window ends: without a window it never does.
    pub fn on_time(&self, delta: Delta, passed: Watermark, cx: &mut Cx) -> Result<(Delta, Vec<Micros>)> {
        let walls = micros(delta.batch.column(self.end))?;
        let zone = self.expire.window.zone;
        let end = |i: usize| if walls.is_valid(i) { zone.to_instant(walls.value(i)) } else { Micros::MAX };
        let mut ends: Vec<Micros> = (0..walls.len()).map(end).collect();
        let mark = |i: usize| {
            let split = delta.split_watermark.as_ref().filter(|s| s.is_valid(i)).map_or(Micros::MIN, |s| s.value(i));
            split.max(passed.0)
        };
        let over = |i: usize| ends[i] != Micros::MAX && ends[i].saturating_add(self.lateness()) <= mark(i);
        let late = BooleanBuffer::collect_bool(ends.len(), over);
        if late.count_set_bits() == 0 {
            return Ok((delta, ends));
        }
        let mask = BooleanArray::new(late.clone(), None);
        let event_time = ends.iter().map(|e| e.saturating_sub(WINDOW_TIME_BEFORE_END));
        let of = |values: &Int64Array| -> Result<Int64Array> { Ok(Int64Array::from(filter(values, &mask)?.to_data())) };
        cx.late(LateRows {
            rows: filter_record_batch(&delta.batch, &mask)?,
            // The row's own time is not among the columns for sure: the window's time stands for it.
            event_time: of(&event_time.collect())?,
            window_end: of(&walls)?,
            watermark: of(&(0..ends.len()).map(|i| Some(mark(i))).collect())?,
        });
        let mut row = 0;
        ends.retain(|_| {
            row += 1;
            !late.value(row - 1)
        });
        Ok((delta.filter(&BooleanArray::new(!&late, None))?, ends))
    }

    /// The watermark to forward: windows that are still kept may change.
    pub fn forwarded(&self, watermark: Watermark) -> Watermark {
        forwarded(self.expire.window.unit(), self.lateness(), watermark)
    }
}
