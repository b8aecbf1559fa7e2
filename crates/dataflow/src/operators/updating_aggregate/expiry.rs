//! When a group of an aggregation over windows is over: by the `window_end` among its keys.

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::buffer::BooleanBuffer;
use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::op::{Expire, Expr, GroupBy};
use tidemill_plan::window::WINDOW_TIME_BEFORE_END;

use crate::event_time::micros;
use crate::expression::evaluate;
use crate::operators::session_aggregate::bounds::forwarded;
use crate::{Cx, LateRows};

/// Which key is `window_end`, and what follows from it.
#[derive(Debug, Clone)]
pub struct Expiry {
    expire: Expire,
    end: Expr,
}

impl Expiry {
    /// Of groups by `group`.
    pub fn new(expire: &Expire, group: &GroupBy) -> Result<Self> {
        match group.keys.get(expire.end_key) {
            Some((end, _)) => Ok(Self { expire: expire.clone(), end: end.clone() }),
            None => Err(Error::internal("window_end is not among the keys")),
        }
    }

    /// How long a group may still change after its window's end.
    pub fn lateness(&self) -> Micros {
        self.expire.allowed_lateness
    }

    /// About how far one window's end is from the next.
    pub fn stride(&self) -> Micros {
        self.expire.window.pane_width().max(self.expire.window.gap() / 32)
    }

    /// The instants at which the windows of some groups end, given their keys. A group without a window never ends.
    pub fn ends(&self, keys: &[ArrayRef]) -> Result<Vec<Micros>> {
        let walls = micros(&keys[self.expire.end_key])?;
        Ok((0..walls.len()).map(|i| self.instant(&walls, i).unwrap_or(Micros::MAX)).collect())
    }

    /// What is left of `delta` without its late rows, which are reported.
    pub fn on_time(&self, delta: Delta, cx: &mut Cx) -> Result<Delta> {
        let Some(split) = &delta.split_watermark else { return Ok(delta) };
        let walls = micros(&evaluate(&self.end, &delta.batch)?)?;
        let late = BooleanBuffer::collect_bool(walls.len(), |i| {
            split.is_valid(i)
                && self.instant(&walls, i).is_some_and(|end| end.saturating_add(self.lateness()) <= split.value(i))
        });
        if late.count_set_bits() == 0 {
            return Ok(delta);
        }
        let mask = BooleanArray::new(late.clone(), None);
        let of = |values: &Int64Array| -> Result<Int64Array> {
            Ok(Int64Array::from(arrow::compute::filter(values, &mask)?.to_data()))
        };
        let window_end = of(&walls)?;
        let time = |end: &Micros| self.expire.window.zone.to_instant(*end).saturating_sub(WINDOW_TIME_BEFORE_END);
        cx.late(LateRows {
            rows: arrow::compute::filter_record_batch(&delta.batch, &mask)?,
            // The row's own time is not among the columns for sure: the window's time stands for it.
            event_time: Int64Array::from_iter_values(window_end.values().iter().map(time)),
            window_end,
            watermark: of(split)?,
        });
        delta.filter(&BooleanArray::new(!&late, None))
    }

    /// The watermark to forward: groups that are still kept may change.
    pub fn forwarded(&self, watermark: Watermark) -> Watermark {
        forwarded(self.expire.window.unit(), self.lateness(), watermark)
    }

    fn instant(&self, walls: &Int64Array, i: usize) -> Option<Micros> {
        walls.is_valid(i).then(|| self.expire.window.zone.to_instant(walls.value(i)))
    }
}
