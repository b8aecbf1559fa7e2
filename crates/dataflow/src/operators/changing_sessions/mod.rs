//! Sessions as rows whose input may be taken back, or that are wanted before their session has closed: each row comes out at
//! once, with the bounds that its session has so far. When a session grows, becomes one with another or comes apart, its
//! rows are taken back and given with the new bounds.
//!
//! Rows are kept until nothing can change their session any more. A change costs the rows of the sessions whose bounds it
//! moves; one that moves none costs itself.
//!
//! Read in this order: [`spans`] (times to sessions), then this (rows to times).

pub mod spans;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Int64Array, UInt32Array};
use arrow::datatypes::SchemaRef;
use tidemill_core::delta::take_rows;
use tidemill_core::{Delta, Micros, Result, Watermark};
use tidemill_plan::Node;
use tidemill_plan::op::SessionRowsOp;

use self::spans::{Span, Spans};
use super::keyed_states::{KeyDictionary, LatestRows};
use super::session_aggregate::arrivals::changed_arrivals;
use super::session_aggregate::bounds::{bound_columns, forwarded};
use crate::expression::conform;
use crate::graph::{Graph, Routing, StepId};
use crate::retraction::Rows;
use crate::retraction::weighted_rows::{Touched, WeightedRows};
use crate::{Cx, Operator, StateSize};

/// Adds the step: rows with equal partition columns meet on one worker.
pub fn build(
    op: &SessionRowsOp,
    node: &Node,
    input: StepId,
    input_schema: &SchemaRef,
    graph: &mut Graph,
) -> Result<StepId> {
    let routing = match op.partition_by.is_empty() {
        true => Routing::ToOne,
        false => Routing::ByKey(op.partition_by.clone()),
    };
    let (op, output, input_schema) = (op.clone(), node.edge.schema.clone(), input_schema.clone());
    Ok(graph.add("SessionRows", node.id, vec![(input, routing)], move || {
        Ok(Box::new(ChangingSessions::new(op.clone(), input_schema.clone(), output.clone())?))
    }))
}

struct ChangingSessions {
    op: SessionRowsOp,
    input: SchemaRef,
    output: SchemaRef,
    keys: KeyDictionary,
    spans: Spans,
    /// Rows by the number of their time.
    rows: WeightedRows,
    /// By the numbers of `rows`.
    columns: LatestRows,
    incoming: Vec<Delta>,
    touched: Vec<Touched>,
}

/// What comes out: rows by number, each with a weight and its session.
#[derive(Default)]
struct Changes {
    rows: Vec<usize>,
    weights: Vec<i64>,
    spans: Vec<Span>,
}

impl Changes {
    fn push(&mut self, row: usize, weight: i64, span: Option<Span>) {
        if let Some(span) = span.filter(|_| weight != 0) {
            self.rows.push(row);
            self.weights.push(weight);
            self.spans.push(span);
        }
    }
}

impl ChangingSessions {
    fn new(op: SessionRowsOp, input: SchemaRef, output: SchemaRef) -> Result<Self> {
        let types: Vec<_> = input.fields().iter().map(|f| f.data_type().clone()).collect();
        Ok(Self {
            keys: KeyDictionary::new(Arc::new(input.project(&op.partition_by)?))?,
            spans: Spans::new(op.window.gap()),
            rows: WeightedRows::try_new(&types)?,
            columns: LatestRows::new(input.clone()),
            incoming: vec![],
            touched: vec![],
            op,
            input,
            output,
        })
    }

    /// Takes in what the epoch brought, and puts out what it changed.
    fn take_in(&mut self, cx: &mut Cx) -> Result<()> {
        if self.incoming.is_empty() {
            return Ok(());
        }
        let all = Delta::concat(&self.input, &std::mem::take(&mut self.incoming))?;
        let arrived = changed_arrivals(all, &self.op.window, self.op.allowed_lateness, cx)?;
        let count = arrived.rows.num_rows();
        let partition: Vec<_> = self.op.partition_by.iter().map(|c| arrived.rows.column(*c).clone()).collect();
        let mut keys = vec![];
        self.keys.intern(&partition, count, &mut keys)?;
        let times = arrived.times.values();
        let points = keys.iter().zip(times).map(|(key, time)| self.spans.point(*key as u32, *time) as usize);
        let points: Vec<usize> = points.collect();
        // The times of the epoch: the first row of each, and whether there were rows at it before.
        let mut had: HashMap<usize, (usize, bool)> = HashMap::new();
        for (row, point) in points.iter().enumerate() {
            had.entry(*point).or_insert_with(|| (row, self.rows.of(*point).next().is_some()));
        }
        let weights = arrived.weights.unwrap_or_else(|| Int64Array::from_value(1, count));
        let mut touched = std::mem::take(&mut self.touched);
        let rows = Rows {
            args: arrived.rows.columns(),
            ids: &points,
            weights: weights.values(),
            groups: self.spans.numbers(),
        };
        self.rows.change(rows, &mut touched)?;
        let new: Vec<&Touched> = touched.iter().filter(|t| t.before == 0 && t.after != 0).collect();
        let entries: Vec<usize> = new.iter().map(|t| t.entry).collect();
        let picks = UInt32Array::from_iter_values(new.iter().map(|t| t.row));
        self.columns.put(&entries, take_rows(&arrived.rows, &picks)?)?;
        let mut changed: Vec<(u32, Micros, bool)> = vec![];
        for (point, (row, had)) in had {
            let has = self.rows.of(point).next().is_some();
            // A time that came and went within the epoch has a number, which goes again.
            if had != has || !has {
                changed.push((keys[row] as u32, times[row], has));
            }
        }
        changed.sort_unstable();
        let moved: HashMap<u32, (Option<Span>, Option<Span>)> =
            self.spans.change(&changed).into_iter().map(|m| (m.point, (m.old, m.new))).collect();
        let mut out = Changes::default();
        let mut seen: HashSet<usize> = HashSet::new();
        for t in &touched {
            let row = t.row as usize;
            match moved.get(&(points[row] as u32)) {
                Some((old, new)) => {
                    out.push(t.entry, -t.before, *old);
                    out.push(t.entry, t.after, *new);
                    seen.insert(t.entry);
                }
                None => out.push(t.entry, t.after - t.before, self.spans.of(keys[row] as u32, times[row])),
            }
        }
        let mut moved: Vec<_> = moved.into_iter().collect();
        moved.sort_unstable();
        for (point, (old, new)) in moved {
            for (entry, weight) in self.rows.of(point as usize).filter(|(entry, _)| !seen.contains(entry)) {
                out.push(entry, -weight, old);
                out.push(entry, weight, new);
            }
        }
        // Rows that came and went within the epoch changed nothing, and are not among what is kept.
        self.put_out(&out, cx)?;
        touched.iter().filter(|t| t.before != 0 && t.after == 0).for_each(|t| self.columns.remove(t.entry));
        self.touched = touched;
        Ok(())
    }

    fn put_out(&mut self, changes: &Changes, cx: &mut Cx) -> Result<()> {
        if changes.rows.is_empty() {
            return Ok(());
        }
        let mut columns = self.columns.gather(0..self.input.fields().len(), &changes.rows)?;
        columns.extend(bound_columns(&self.op.window, changes.spans.iter().copied())?);
        let batch = conform(&self.output, columns, changes.rows.len())?;
        cx.emit(Delta::weighted(batch, Int64Array::from(changes.weights.clone())));
        Ok(())
    }

    /// Drops what is garbage, where there is more of it than of anything else.
    fn compact(&mut self) -> Result<()> {
        if let Some(old) = self.rows.compact()? {
            self.columns.renumber(&old)?;
        }
        if self.keys.wasteful(self.spans.live_keys()) {
            let live = self.spans.keys();
            let of = |(_, point): &(u32, u32)| self.rows.of(*point as usize).next().map(|(entry, _)| entry);
            let entries: Vec<usize> = live.iter().filter_map(of).collect();
            let keys = self.columns.gather(self.op.partition_by.iter().copied(), &entries)?;
            self.keys.restart(&keys, entries.len())?;
            self.spans.renumber_keys(&live.iter().map(|(key, _)| *key).collect::<Vec<_>>());
        }
        Ok(())
    }

    /// How far behind the watermark a session can still change: it ends a gap after its last row, and a row that is not late
    /// may come a gap after that.
    fn behind(&self) -> Micros {
        self.op.window.gap().saturating_add(self.op.allowed_lateness)
    }
}

impl Operator for ChangingSessions {
    fn push(&mut self, _port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        if !delta.is_empty() {
            self.incoming.push(delta);
        }
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        self.take_in(cx)?;
        let behind = self.behind();
        let (rows, columns) = (&mut self.rows, &mut self.columns);
        self.spans.expire(watermark, behind.saturating_add(self.op.window.gap()), |point| {
            rows.forget(point as usize, |entry| columns.remove(entry));
        });
        self.compact()?;
        Ok(forwarded(self.op.window.unit(), behind, watermark))
    }

    fn state(&self) -> StateSize {
        StateSize {
            rows: self.rows.live(),
            bytes: self.rows.bytes() + self.columns.bytes() + self.keys.bytes() + self.spans.bytes(),
            oldest: self.spans.earliest(),
        }
    }
}
