//! Random rows: NULLs, duplicates, disorder, rows that are late.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use tidemill::simulate::Random;

/// Seconds of event time per unit of the generator's clock.
const SECOND: i64 = 1_000_000;
/// The rows' first event time: 2024-03-30 22:00:00 UTC, so that a night of changing clocks is near.
const BASE: i64 = 1_711_836_000 * SECOND;

/// One row of the table `t`.
#[derive(Debug, Clone)]
pub struct Row {
    /// `k1 INT`
    pub k1: Option<i32>,
    /// `k2 STRING`
    pub k2: Option<&'static str>,
    /// `v BIGINT`
    pub v: Option<i64>,
    /// `f DOUBLE`: a multiple of 0.25, so that sums do not depend on their order
    pub f: Option<f64>,
    /// `b BOOLEAN`
    pub b: Option<bool>,
    /// `ts`: event time in microseconds since [`BASE`]
    pub ts: i64,
}

/// The rows of a case, by split, and how they are declared.
#[derive(Debug, Clone)]
pub struct Rows {
    /// By split, in the split's order.
    pub splits: Vec<Vec<Row>>,
    /// How far the watermark is behind, in microseconds.
    pub delay: i64,
    /// The type of `ts`.
    pub time_type: DataType,
}

/// Rows for a case. Where `on_time`, none of them is late.
pub fn generate(random: &mut Random, zoned: bool, on_time: bool) -> Rows {
    let mut draw = |limit: i64| random.below(limit as u64) as i64;
    let unit = match draw(4) {
        0 => TimeUnit::Second,
        1 => TimeUnit::Millisecond,
        2 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    };
    let time_type = DataType::Timestamp(unit, zoned.then(|| "UTC".into()));
    let delay = (draw(2) * draw(8)) * SECOND;
    // A third of the cases are in order, a third within the delay, a third beyond it.
    let disorder = match draw(3) {
        0 => 0,
        1 => delay,
        _ if on_time => delay,
        _ => delay + 12 * SECOND,
    };
    let splits = 1 + draw(3);
    let mut by_split = vec![];
    for _ in 0..splits {
        let rows = [draw(4), draw(60), 30 + draw(170)][draw(3) as usize];
        let pace = [10, 10 + draw(390), 3_000][draw(3) as usize];
        let keys = [1, 2 + draw(4)][draw(2) as usize];
        let mut clock = 0i64;
        let mut split = vec![];
        for _ in 0..rows {
            clock += draw(pace + 1) * 1_000;
            let back = if disorder == 0 { 0 } else { draw(disorder + 1) };
            let back = if draw(3) == 0 { back } else { 0 };
            let tick = 1_000_000 / tidemill::core::time::ticks_per_second(unit).min(1_000_000);
            let ts = (BASE + clock - back).div_euclid(tick) * tick;
            split.push(Row {
                k1: (draw(8) != 0).then(|| draw(keys) as i32),
                k2: (draw(8) != 0).then(|| ["a", "b", "", "ä", "a long value"][draw(5) as usize]),
                v: (draw(6) != 0).then(|| draw(40) - 20),
                f: (draw(6) != 0).then(|| (draw(80) - 40) as f64 * 0.25),
                b: (draw(6) != 0).then(|| draw(2) == 1),
                ts,
            });
        }
        by_split.push(split);
    }
    Rows { splits: by_split, delay, time_type }
}

impl Rows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.splits.iter().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For each row of each split: the watermark of its split just before it, where the row is below it.
    pub fn behind(&self) -> Vec<Vec<Option<i64>>> {
        let of_split = |rows: &Vec<Row>| {
            let mut max = i64::MIN;
            let mut behind = vec![];
            for row in rows {
                let watermark = if max == i64::MIN { i64::MIN } else { max - self.delay };
                behind.push((row.ts < watermark).then_some(watermark));
                max = max.max(row.ts);
            }
            behind
        };
        self.splits.iter().map(of_split).collect()
    }

    /// The rows as batches, one a split: `k1`, `k2`, `v`, `f`, `b`, `ts`, and `w`, the watermark that a row is below.
    pub fn batches(&self) -> Vec<RecordBatch> {
        let behind = self.behind();
        let batch = |(rows, behind): (&Vec<Row>, &Vec<Option<i64>>)| {
            let ts = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|r| r.ts));
            let ts: ArrayRef = match &self.time_type {
                DataType::Timestamp(_, Some(_)) => Arc::new(ts.with_timezone("UTC")),
                _ => Arc::new(ts),
            };
            RecordBatch::try_from_iter_with_nullable([
                ("k1", Arc::new(rows.iter().map(|r| r.k1).collect::<Int32Array>()) as ArrayRef, true),
                ("k2", Arc::new(rows.iter().map(|r| r.k2).collect::<StringArray>()), true),
                ("v", Arc::new(rows.iter().map(|r| r.v).collect::<Int64Array>()), true),
                ("f", Arc::new(rows.iter().map(|r| r.f).collect::<Float64Array>()), true),
                ("b", Arc::new(rows.iter().map(|r| r.b).collect::<BooleanArray>()), true),
                ("ts", cast(&ts, &self.time_type).expect("between timestamps"), true),
                ("w", Arc::new(behind.iter().copied().collect::<TimestampMicrosecondArray>()), true),
            ])
            .expect("columns of one length")
        };
        self.splits.iter().zip(&behind).map(batch).collect()
    }
}
