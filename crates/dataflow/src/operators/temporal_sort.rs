//! `ORDER BY` event time over rows that do not end: each row is put out when the watermark has passed it, in order.
//!
//! A row that comes when its time is over can no longer be put in its place; it is reported as late.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int64Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{filter, filter_record_batch};
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::Node;
use tidemill_plan::op::SortKey;

use super::top_n::encode::Encoder;
use super::top_n::output::Output;
use crate::event_time::micros;
use crate::graph::{Graph, Routing, StepId};
use crate::{Cx, LateRows, Operator, StateSize};

/// Adds the step: one order needs one worker.
pub fn build(keys: &[SortKey], node: &Node, input: StepId, schema: &SchemaRef, graph: &mut Graph) -> Result<StepId> {
    let (keys, schema) = (keys.to_vec(), Arc::clone(schema));
    Ok(graph.add(node.op.name(), node.id, vec![(input, Routing::ToOne)], move || {
        Ok(Box::new(TemporalSort::new(&keys, Arc::clone(&schema))?))
    }))
}

/// A row that waits: how many of its bytes are its place in the order, how often it is there, its time.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    order: usize,
    times: i64,
    at: Micros,
}

/// Holds rows back until the watermark has passed them.
pub struct TemporalSort {
    /// The column of event time.
    time: usize,
    encoder: Encoder,
    waiting: BTreeMap<Box<[u8]>, Waiting>,
    bytes: usize,
    output: Output,
    watermark: Watermark,
}

impl TemporalSort {
    /// By `keys`, the first of which is event time, ascending.
    pub fn new(keys: &[SortKey], schema: SchemaRef) -> Result<Self> {
        let Some(SortKey { column, descending: false, .. }) = keys.first() else {
            return Err(Error::internal("rows in the order of time need a time"));
        };
        Ok(Self {
            time: *column,
            encoder: Encoder::new(&schema, keys)?,
            waiting: BTreeMap::new(),
            bytes: 0,
            output: Output::new(schema, &[], true),
            watermark: Watermark::MIN,
        })
    }

    /// What is left of `delta` without the rows that are late.
    fn on_time(&self, delta: Delta, cx: &mut Cx) -> Result<Delta> {
        let times = micros(delta.batch.column(self.time))?;
        let mark = |i: usize| {
            let split = delta.split_watermark.as_ref().filter(|s| s.is_valid(i)).map_or(Micros::MIN, |s| s.value(i));
            split.max(self.watermark.0)
        };
        let late = BooleanBuffer::collect_bool(times.len(), |i| times.is_valid(i) && times.value(i) < mark(i));
        if late.count_set_bits() == 0 {
            return Ok(delta);
        }
        let mask = BooleanArray::new(late.clone(), None);
        let of = |values: &Int64Array| -> Result<Int64Array> { Ok(Int64Array::from(filter(values, &mask)?.to_data())) };
        cx.late(LateRows {
            rows: filter_record_batch(&delta.batch, &mask)?,
            event_time: of(&times)?,
            // No window: a row's place is over with its own time.
            window_end: of(&times)?,
            watermark: of(&(0..times.len()).map(|i| Some(mark(i))).collect())?,
        });
        delta.filter(&BooleanArray::new(!&late, None))
    }
}

impl Operator for TemporalSort {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let delta = self.on_time(delta, cx)?;
        let times = micros(delta.batch.column(self.time))?;
        let (order, rows) = (self.encoder.order(&delta.batch)?, self.encoder.rows(&delta.batch)?);
        for row in 0..delta.num_rows() {
            let (place, row_bytes) = (order.get(row), rows.get(row));
            let bytes = [place, row_bytes].concat();
            // Sources see to it that every row has a time; without one it goes first.
            let at = if times.is_valid(row) { times.value(row) } else { Micros::MIN };
            let size = bytes.len();
            let waiting = Waiting { order: place.len(), times: 0, at };
            let entry = self.waiting.entry(bytes.into()).or_insert_with(|| {
                self.bytes += size + size_of::<Waiting>();
                waiting
            });
            entry.times += 1;
        }
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        self.watermark = watermark;
        while let Some(first) = self.waiting.first_entry()
            && (first.get().at < watermark.0 || watermark == Watermark::MAX)
        {
            let (bytes, waiting) = first.remove_entry();
            self.bytes -= bytes.len() + size_of::<Waiting>();
            self.output.push(&bytes[waiting.order..], [0; 3], waiting.times);
            self.output.flush_full(&self.encoder, cx)?;
        }
        self.output.flush(&self.encoder, cx)?;
        Ok(watermark)
    }

    fn state(&self) -> StateSize {
        StateSize {
            rows: self.waiting.len(),
            bytes: self.bytes,
            oldest: self.waiting.first_key_value().map(|(_, w)| w.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::operators::keyed_states::testing::{In, delta, input_schema};
    use crate::testing::picture;

    #[test]
    fn rows_come_out_in_order_once_the_watermark_has_passed_them() {
        let keys = [1, 2].map(|column| SortKey { column, descending: column == 2, nulls_first: true });
        let mut sort = TemporalSort::new(&keys, input_schema()).unwrap();
        let mut cx = Cx::new(0);
        let mut epoch = |rows: &[(i64, i64)], watermark: Watermark| {
            let row = |(ts, v): &(i64, i64)| In { k: Some(0), ts: Some(*ts), v: Some(*v), split: None };
            sort.push(0, delta(&rows.iter().map(row).collect::<Vec<_>>()), &mut cx).unwrap();
            sort.advance(watermark, &mut cx).unwrap();
            picture(&cx.take_emitted())
        };
        expect![[r#"
            +---+-------------------------+---+
            | k | ts                      | v |
            +---+-------------------------+---+
            | 0 | 1970-01-01T00:00:00.003 | 2 |
            | 0 | 1970-01-01T00:00:00.003 | 2 |
            | 0 | 1970-01-01T00:00:00.003 | 1 |
            +---+-------------------------+---+"#]]
        .assert_eq(&epoch(&[(5, 1), (3, 1), (3, 2), (3, 2)], Watermark(5_000)));
        // One is late, one is just in time.
        expect![[r#"
            +---+-------------------------+---+
            | k | ts                      | v |
            +---+-------------------------+---+
            | 0 | 1970-01-01T00:00:00.005 | 1 |
            | 0 | 1970-01-01T00:00:00.005 | 0 |
            +---+-------------------------+---+"#]]
        .assert_eq(&epoch(&[(4, 9), (5, 0)], Watermark::MAX));
        let late: Vec<usize> = cx.take_late().iter().map(|l| l.rows.num_rows()).collect();
        assert_eq!(late, [1]);
        assert_eq!(sort.state(), StateSize::default());
    }
}
