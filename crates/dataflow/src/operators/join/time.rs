//! What time does to a join: which rows are late, when a row is over, what the watermark above may be.
//!
//! A row that came in below the watermark of its own split, by more than the allowed lateness, is late: it is reported and
//! never joined. So what can still come is known from the watermark, and rows that none of it can match are over.

use std::collections::BTreeMap;

use arrow::array::{Array, BooleanArray, Int64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{filter, filter_record_batch};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::op::TimeBound;
use tidemill_plan::window::{WINDOW_TIME_BEFORE_END, Zone};

use crate::event_time::micros;
use crate::operators::session_aggregate::bounds::forwarded;
use crate::{Cx, LateRows};

/// The time bound of a join, as its operators use it.
#[derive(Debug, Clone)]
pub struct TimeRule {
    bound: TimeBound,
    lateness: Micros,
    /// The unit of the time columns.
    unit: TimeUnit,
}

/// The deadline of a row that never goes.
pub const NEVER: Micros = Micros::MAX;

impl TimeRule {
    /// Of a join of sides with these columns.
    pub fn new(bound: &TimeBound, lateness: Micros, sides: [&SchemaRef; 2]) -> Result<Self> {
        let (left, right) = match bound {
            TimeBound::Interval { times, .. } => *times,
            TimeBound::Window { ends, .. } => *ends,
        };
        let types = [sides[0].field(left).data_type(), sides[1].field(right).data_type()];
        match types {
            [DataType::Timestamp(unit, _), DataType::Timestamp(..)] => {
                Ok(Self { bound: bound.clone(), lateness, unit: *unit })
            }
            _ => Err(Error::internal(format!("a join bounded by times of types {} and {}", types[0], types[1]))),
        }
    }

    /// The column of a side that its time stands in.
    fn column(&self, side: usize) -> usize {
        let (left, right) = match &self.bound {
            TimeBound::Interval { times, .. } => *times,
            TimeBound::Window { ends, .. } => *ends,
        };
        if side == 0 { left } else { right }
    }

    fn zone(&self) -> Zone {
        match &self.bound {
            TimeBound::Interval { .. } => Zone::Utc,
            TimeBound::Window { window, .. } => window.zone,
        }
    }

    /// When each row of `side` is over: the first watermark that it need not see. A row without a time is over at once.
    pub fn deadlines(&self, side: usize, rows: &RecordBatch) -> Result<Vec<Micros>> {
        let times = micros(rows.column(self.column(side)))?;
        let zone = self.zone();
        let over = |t: Micros| match &self.bound {
            TimeBound::Window { .. } => zone.to_instant(t).saturating_add(self.lateness),
            // A partner's time is at least the watermark less the lateness.
            TimeBound::Interval { least, most, .. } => match if side == 0 { least.map(|l| -l) } else { *most } {
                Some(after) => t.saturating_add(after).saturating_add(self.lateness).saturating_add(1 + self.slack()),
                None => NEVER,
            },
        };
        Ok((0..times.len()).map(|i| if times.is_valid(i) { over(times.value(i)) } else { Micros::MIN }).collect())
    }

    /// What is left of `delta` without its late rows, which are reported.
    pub fn on_time(&self, side: usize, delta: Delta, cx: &mut Cx) -> Result<Delta> {
        let Some(split) = &delta.split_watermark else { return Ok(delta) };
        let times = micros(delta.batch.column(self.column(side)))?;
        let zone = self.zone();
        let late = BooleanBuffer::collect_bool(times.len(), |i| {
            let below = |t: Micros| match &self.bound {
                TimeBound::Interval { .. } => t.saturating_add(self.lateness) < split.value(i),
                TimeBound::Window { .. } => zone.to_instant(t).saturating_add(self.lateness) <= split.value(i),
            };
            split.is_valid(i) && times.is_valid(i) && below(times.value(i))
        });
        if late.count_set_bits() == 0 {
            return Ok(delta);
        }
        let mask = BooleanArray::new(late.clone(), None);
        let of = |values: &Int64Array| -> Result<Int64Array> { Ok(Int64Array::from(filter(values, &mask)?.to_data())) };
        let times = of(&times)?;
        let (event_time, window_end) = match &self.bound {
            TimeBound::Interval { .. } => (times.clone(), Int64Array::new_null(times.len())),
            // The row's own time is not among the columns for sure: the window's time stands for it.
            TimeBound::Window { .. } => {
                let time = |end: &Micros| zone.to_instant(*end).saturating_sub(WINDOW_TIME_BEFORE_END);
                (Int64Array::from_iter_values(times.values().iter().map(time)), times)
            }
        };
        cx.late(LateRows {
            rows: filter_record_batch(&delta.batch, &mask)?,
            event_time,
            window_end,
            watermark: of(split)?,
        });
        delta.filter(&BooleanArray::new(!&late, None))
    }

    /// The watermark to forward: no row that is put out later has a time below it in the columns that stay times.
    pub fn forwarded(&self, watermark: Watermark) -> Watermark {
        match &self.bound {
            TimeBound::Window { .. } => forwarded(self.unit, self.lateness, watermark),
            TimeBound::Interval { least, most, .. } => {
                let back = most.unwrap_or(0).max(least.map_or(0, |l| -l)).max(0);
                watermark.minus(back.saturating_add(self.lateness).saturating_add(self.slack()))
            }
        }
    }

    /// Times finer than a microsecond are rounded down here, and not where the join's condition looks at them.
    fn slack(&self) -> Micros {
        Micros::from(self.unit == TimeUnit::Nanosecond)
    }

    /// About how long a row is kept, or a part of it.
    pub fn stride(&self) -> Micros {
        match &self.bound {
            TimeBound::Window { window, .. } => window.pane_width().max(window.gap() / 32),
            TimeBound::Interval { least: Some(least), most: Some(most), .. } => {
                (most.saturating_sub(*least) / 8).max(1)
            }
            TimeBound::Interval { .. } => 1_000_000,
        }
    }
}

/// Slots by the time at which they are over, found some time after that: for joins that say nothing of such rows.
#[derive(Debug)]
pub struct Buckets {
    width: Micros,
    slots: BTreeMap<i64, Vec<u32>>,
}

impl Buckets {
    /// Slots stay for up to `width` longer than they need to.
    pub fn new(width: Micros) -> Self {
        Self { width: width.max(1), slots: BTreeMap::new() }
    }

    /// Notes when each slot is over.
    pub fn add(&mut self, deadlines: &[Micros], slots: &[u32]) {
        let mut from = 0;
        while from < slots.len() {
            // Rows come roughly in the order of time: one look-up for many of them.
            let bucket = deadlines[from].div_euclid(self.width);
            let len = deadlines[from..].iter().take_while(|d| d.div_euclid(self.width) == bucket).count();
            if deadlines[from] != NEVER {
                self.slots.entry(bucket).or_default().extend(&slots[from..from + len]);
            }
            from += len;
        }
    }

    /// Takes the slots that are over, a bucket at a time.
    pub fn take_over(&mut self, watermark: Watermark) -> impl Iterator<Item = u32> + use<> {
        let reached = watermark.0.div_euclid(self.width);
        let later = self.slots.split_off(&reached);
        std::mem::replace(&mut self.slots, later).into_values().flatten()
    }

    /// Forgets all slots.
    pub fn clear(&mut self) {
        self.slots.clear();
    }

    /// The earliest time at which something is over.
    pub fn earliest(&self) -> Option<Micros> {
        self.slots.first_key_value().map(|(bucket, _)| bucket.saturating_mul(self.width))
    }
}
