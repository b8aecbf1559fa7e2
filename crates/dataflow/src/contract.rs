//! What an operator and its driver promise each other, checked call by call. In debug builds and tests.

use arrow::array::Array;
use arrow::datatypes::{Field, SchemaRef};
use tidemill_core::{ChangeMode, Delta, Error, Result, Watermark};
use tidemill_plan::NodeId;
use tidemill_plan::graph::Edge;
use tidemill_plan::window::WINDOW_TIME_BEFORE_END;

use crate::event_time::{micros, min_max};
use crate::operator::{Cx, Operator, StateSize};

/// An operator under watch. A broken promise is an internal error that names it.
pub struct Checked {
    operator: Box<dyn Operator>,
    name: &'static str,
    node: NodeId,
    /// What the operator's output is to be; `None` for a step inside of a node.
    edge: Option<Edge>,
    told: Watermark,
    forwarded: Watermark,
    /// Whether `advance` was called and `end_epoch` not yet.
    advanced: bool,
}

impl Checked {
    /// Watches `operator`, of `node`. What it emits is compared with `edge`.
    pub fn new(operator: Box<dyn Operator>, name: &'static str, node: NodeId, edge: Option<Edge>) -> Self {
        let (told, forwarded) = (Watermark::MIN, Watermark::MIN);
        Self { operator, name, node, edge, told, forwarded, advanced: false }
    }

    fn broken(&self, what: impl std::fmt::Display) -> Error {
        Error::internal(format!("{} (node {}) broke its contract: {what}", self.name, self.node.0))
    }

    /// Runs `call` and looks at what it has emitted.
    fn watch<T>(&mut self, cx: &mut Cx, call: impl FnOnce(&mut dyn Operator, &mut Cx) -> Result<T>) -> Result<T> {
        let mut before = cx.take_emitted();
        let result = call(self.operator.as_mut(), cx)?;
        let emitted = cx.take_emitted();
        for delta in &emitted {
            self.check(delta)?;
        }
        before.extend(emitted);
        before.into_iter().for_each(|delta| cx.emit(delta));
        Ok(result)
    }

    fn check(&self, delta: &Delta) -> Result<()> {
        let rows = delta.num_rows();
        if let Some(weights) = &delta.weights {
            if weights.len() != rows || weights.null_count() > 0 {
                return Err(self.broken("a row has no weight"));
            }
            if weights.values().contains(&0) {
                return Err(self.broken("a row has weight 0"));
            }
        }
        if delta.split_watermark.as_ref().is_some_and(|w| w.len() != rows) {
            return Err(self.broken(format!("{rows} rows, but another number of split watermarks")));
        }
        let Some(edge) = &self.edge else { return Ok(()) };
        if let Some(difference) = difference(&edge.schema, &delta.schema()) {
            return Err(self.broken(difference));
        }
        let inserts = delta.weights.as_ref().is_none_or(|w| w.values().iter().all(|w| *w == 1));
        if edge.changes == ChangeMode::Append && !inserts {
            return Err(self.broken("an append edge carries a weight that is not +1"));
        }
        match edge.event_time {
            Some(column) if edge.changes == ChangeMode::Append => self.check_times(column, delta),
            _ => Ok(()),
        }
    }

    /// No row has a time below what was forwarded in an earlier epoch, but for rows that carry their split's watermark.
    ///
    /// `window_time` stands a millisecond before the end of the window, and may be before the watermark by less than that.
    fn check_times(&self, column: usize, delta: &Delta) -> Result<()> {
        let promised = self.forwarded.minus(WINDOW_TIME_BEFORE_END);
        let times = micros(delta.batch.column(column))?;
        if min_max(&times).is_none_or(|(min, _)| min >= promised.0) {
            return Ok(());
        }
        let excused = |row| delta.split_watermark.as_ref().is_some_and(|w| w.is_valid(row));
        let below = |row: &usize| times.is_valid(*row) && times.value(*row) < promised.0 && !excused(*row);
        match (0..times.len()).find(below) {
            Some(row) => Err(self.broken(format!(
                "a row at {}, though it had promised none before {}",
                Watermark(times.value(row)),
                self.forwarded
            ))),
            None => Ok(()),
        }
    }
}

impl Operator for Checked {
    fn push(&mut self, port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        if self.advanced {
            return Err(self.broken("a row came after the watermark of its epoch"));
        }
        self.watch(cx, |operator, cx| operator.push(port, delta, cx))
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        if self.advanced {
            return Err(self.broken("time advanced twice in an epoch"));
        }
        if watermark < self.told {
            return Err(self.broken(format!("its watermark fell from {} to {watermark}", self.told)));
        }
        (self.told, self.advanced) = (watermark, true);
        let forwarded = self.watch(cx, |operator, cx| operator.advance(watermark, cx))?;
        if forwarded < self.forwarded {
            return Err(self.broken(format!("it forwarded {} and then {forwarded}", self.forwarded)));
        }
        self.forwarded = forwarded;
        Ok(forwarded)
    }

    fn end_epoch(&mut self, cx: &mut Cx) -> Result<()> {
        if !self.advanced {
            return Err(self.broken("an epoch ended without a watermark"));
        }
        self.advanced = false;
        self.watch(cx, |operator, cx| operator.end_epoch(cx))
    }

    fn state(&self) -> StateSize {
        self.operator.state()
    }
}

/// What the schema of a delta has otherwise than that of its edge: names, types and their number. Metadata, and whether
/// NULLs are allowed, may differ.
fn difference(edge: &SchemaRef, got: &SchemaRef) -> Option<String> {
    let text = |f: &Field| format!("{} {}", f.name(), f.data_type());
    if edge.fields().len() != got.fields().len() {
        return Some(format!("{} columns where the plan has {}", got.fields().len(), edge.fields().len()));
    }
    let pairs = edge.fields().iter().zip(got.fields());
    let mut differing = pairs.filter(|(e, g)| e.name() != g.name() || !e.data_type().equals_datatype(g.data_type()));
    differing.next().map(|(e, g)| format!("a column '{}' where the plan has '{}'", text(g), text(e)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch, TimestampMicrosecondArray};
    use arrow::datatypes::{DataType, Schema, TimeUnit};
    use expect_test::{Expect, expect};

    use super::*;

    /// Emits a delta in `push`, and forwards a watermark.
    struct Says(Delta, Vec<Watermark>);

    impl Operator for Says {
        fn push(&mut self, _port: usize, _delta: Delta, cx: &mut Cx) -> Result<()> {
            cx.emit(self.0.clone());
            Ok(())
        }

        fn advance(&mut self, watermark: Watermark, _cx: &mut Cx) -> Result<Watermark> {
            Ok(self.1.pop().unwrap_or(watermark))
        }
    }

    fn rows(name: &str, times: Vec<i64>, weights: Option<Vec<i64>>) -> Delta {
        let times = TimestampMicrosecondArray::from(times);
        let batch = RecordBatch::try_from_iter([(name, Arc::new(times) as _)]).unwrap();
        Delta { weights: weights.map(Int64Array::from), ..Delta::insert(batch) }
    }

    /// Two epochs of one delta each, with a watermark of 5 ms and then of 9 ms.
    fn check(says: Delta, forwards: Vec<i64>, expected: Expect) {
        let schema =
            Arc::new(Schema::new(vec![Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), true)]));
        let edge = Edge { schema, changes: ChangeMode::Append, event_time: Some(0), bounded: false };
        let forwards = forwards.into_iter().rev().map(Watermark).collect();
        let mut operator = Checked::new(Box::new(Says(says, forwards)), "Says", NodeId(7), Some(edge));
        let mut epoch = |watermark| {
            let mut cx = Cx::default();
            operator.push(0, rows("ts", vec![1], None), &mut cx)?;
            operator.advance(Watermark(watermark), &mut cx)?;
            operator.end_epoch(&mut cx)
        };
        let result = epoch(5_000).and_then(|()| epoch(9_000));
        expected.assert_eq(&result.err().map(|e| e.message().to_string()).unwrap_or_default());
    }

    #[test]
    fn a_broken_promise_is_an_error_that_names_the_operator() {
        check(rows("ts", vec![4_000], None), vec![], expect![""]);
        check(
            rows("ts", vec![3_999], None),
            vec![],
            expect![
                "Says (node 7) broke its contract: a row at 1970-01-01 00:00:00.003999, though it had promised none before 1970-01-01 00:00:00.005"
            ],
        );
        check(
            rows("ts", vec![9_000], None),
            vec![5_000, 4_000],
            expect![
                "Says (node 7) broke its contract: it forwarded 1970-01-01 00:00:00.005 and then 1970-01-01 00:00:00.004"
            ],
        );
        check(
            rows("ts", vec![9_000], Some(vec![-1])),
            vec![],
            expect!["Says (node 7) broke its contract: an append edge carries a weight that is not +1"],
        );
        check(
            rows("ts", vec![9_000], Some(vec![0])),
            vec![],
            expect!["Says (node 7) broke its contract: a row has weight 0"],
        );
        check(
            rows("time", vec![9_000], None),
            vec![],
            expect![
                "Says (node 7) broke its contract: a column 'time Timestamp(µs)' where the plan has 'ts Timestamp(µs)'"
            ],
        );
        let late = Delta { split_watermark: Some(Int64Array::from(vec![5_000])), ..rows("ts", vec![1], None) };
        check(late, vec![], expect![""]);
    }

    #[test]
    fn the_order_of_calls_is_watched_too() {
        let mut cx = Cx::default();
        let fresh = || Checked::new(Box::new(Says(rows("ts", vec![], None), vec![])), "Says", NodeId(7), None);
        assert!(fresh().end_epoch(&mut cx).is_err());
        let mut operator = fresh();
        operator.advance(Watermark(5), &mut cx).unwrap();
        assert!(operator.push(0, rows("ts", vec![1], None), &mut cx).is_err());
        operator.end_epoch(&mut cx).unwrap();
        assert!(operator.advance(Watermark(4), &mut cx).is_err());
    }
}
