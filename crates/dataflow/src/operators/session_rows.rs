//! Sessions as rows: each row waits until its session has closed, and then comes out with the session's bounds.
//!
//! Where corrections are allowed, a session that was put out and grows, or becomes one with another, is retracted row by
//! row and put out anew when it has closed again.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, UInt32Array};
use arrow::datatypes::SchemaRef;
use tidemill_core::delta::take_rows;
use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::Node;
use tidemill_plan::op::SessionRowsOp;

use super::keyed_states::{KeyDictionary, RowRef, Segments};
use super::session_aggregate::arrivals::arrivals;
use super::session_aggregate::bounds::{bound_columns, forwarded};
use super::session_aggregate::cutter::Cutter;
use super::session_aggregate::store::{Closing, Found, Reopened, Rows, SessionStore};
use crate::graph::{Graph, Routing, StepId};
use crate::{Cx, Operator, StateSize};

/// Adds the step: rows with equal partition columns meet on one worker.
pub fn build(
    op: &SessionRowsOp,
    node: &Node,
    input: StepId,
    input_schema: &SchemaRef,
    graph: &mut Graph,
) -> Result<StepId> {
    if !op.window.is_session() {
        return Err(Error::internal(format!("session rows by {}", op.window.kind)));
    }
    let routing = match op.partition_by.is_empty() {
        true => Routing::ToOne,
        false => Routing::ByKey(op.partition_by.clone()),
    };
    let (op, output, input_schema) = (op.clone(), node.edge.schema.clone(), input_schema.clone());
    Ok(graph.add("SessionRows", node.id, vec![(input, routing)], move || {
        Ok(Box::new(SessionRows::new(op.clone(), input_schema.clone(), output.clone())?))
    }))
}

struct SessionRows {
    op: SessionRowsOp,
    input: SchemaRef,
    output: SchemaRef,
    keys: KeyDictionary,
    cutter: Cutter,
    store: SessionStore,
    segments: Segments,
    closing: Closing,
    ids: Vec<usize>,
    slots: Vec<usize>,
}

impl SessionRows {
    fn new(op: SessionRowsOp, input: SchemaRef, output: SchemaRef) -> Result<Self> {
        Ok(Self {
            keys: KeyDictionary::new(Arc::new(input.project(&op.partition_by)?))?,
            cutter: Cutter::new(op.window.gap()),
            store: SessionStore::new(op.window.gap(), op.allowed_lateness),
            segments: Segments::new(input.clone()),
            closing: Closing::default(),
            ids: vec![],
            slots: vec![],
            op,
            input,
            output,
        })
    }

    /// Rows of state with the bounds of their sessions.
    fn with_bounds(&mut self, picked: &Picked) -> Result<RecordBatch> {
        let mut columns = self.segments.gather(0..self.input.fields().len(), &picked.refs)?;
        columns.extend(bound_columns(&self.op.window, picked.bounds.iter().copied())?);
        Ok(RecordBatch::try_new(self.output.clone(), columns)?)
    }

    fn retract(&mut self, reopened: Vec<Reopened>, cx: &mut Cx) -> Result<()> {
        if reopened.is_empty() {
            return Ok(());
        }
        let mut picked = Picked::default();
        for r in reopened {
            picked.add(r.found, r.rows.into_iter());
        }
        let rows = self.with_bounds(&picked)?;
        let weights = Int64Array::from_value(-1, rows.num_rows());
        cx.emit(Delta::weighted(rows, weights));
        Ok(())
    }

    /// Drops what is garbage, where there is more of it than of anything else.
    fn compact(&mut self) -> Result<()> {
        if self.segments.wasteful(self.segments.live()) {
            let (mut picked, mut sessions) = (Picked::default(), vec![]);
            for found in self.store.all() {
                let row = picked.refs.len();
                picked.add(found, self.store.rows(found.id));
                sessions.push((found.id, row as u32, (picked.refs.len() - row) as u32));
            }
            let columns = self.segments.gather(0..self.input.fields().len(), &picked.refs)?;
            let segment = self.segments.replace(RecordBatch::try_new(self.input.clone(), columns)?)?;
            for (id, row, count) in sessions {
                self.store.replace_rows(id, Rows { first: RowRef { segment, row }, count });
            }
        }
        if self.keys.wasteful(self.store.live_keys()) {
            let mut refs: Vec<RowRef> = vec![];
            let mut before = None;
            for found in self.store.all() {
                if before.replace(found.key) != Some(found.key) {
                    refs.extend(self.store.rows(found.id).next().map(|r| r.first));
                }
            }
            let keys = self.segments.gather(self.op.partition_by.iter().copied(), &refs)?;
            self.keys.restart(&keys, refs.len())?;
            self.store.renumber_keys();
        }
        Ok(())
    }
}

/// Rows of state, and for each the first and the last time of its session.
#[derive(Default)]
struct Picked {
    refs: Vec<RowRef>,
    bounds: Vec<(Micros, Micros)>,
}

impl Picked {
    fn add(&mut self, session: Found, rows: impl Iterator<Item = Rows>) {
        for r in rows {
            self.refs.extend((0..r.count).map(|i| RowRef { row: r.first.row + i, ..r.first }));
        }
        self.bounds.resize(self.refs.len(), (session.start, session.last));
    }
}

/// Rows with equal slots side by side, otherwise as they came; and where each slot begins, with the end as last.
fn side_by_side(rows: RecordBatch, slots: &[usize], count: usize) -> Result<(RecordBatch, Vec<u32>)> {
    let mut firsts = vec![0u32; count + 1];
    slots.iter().for_each(|s| firsts[s + 1] += 1);
    (0..count).for_each(|s| firsts[s + 1] += firsts[s]);
    if slots.is_sorted() {
        return Ok((rows, firsts));
    }
    let mut next = firsts.clone();
    let mut order = vec![0u32; slots.len()];
    for (row, slot) in slots.iter().enumerate() {
        order[next[*slot] as usize] = row as u32;
        next[*slot] += 1;
    }
    Ok((take_rows(&rows, &UInt32Array::from(order))?, firsts))
}

impl Operator for SessionRows {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let arrived = arrivals(delta, &self.op.window, self.op.allowed_lateness, cx)?;
        if arrived.rows.num_rows() == 0 {
            return Ok(());
        }
        let keys: Vec<_> = self.op.partition_by.iter().map(|c| arrived.rows.column(*c).clone()).collect();
        self.keys.intern(&keys, arrived.rows.num_rows(), &mut self.ids)?;
        self.cutter.clear();
        self.cutter.cut(&self.ids, arrived.times.values(), &mut self.slots);
        let (rows, firsts) = side_by_side(arrived.rows, &self.slots, self.cutter.micro().len())?;
        let segment = self.segments.push(rows)?;
        let mut reopened = vec![];
        for (micro, range) in self.cutter.micro().iter().zip(firsts.windows(2)) {
            let rows = Rows { first: RowRef { segment, row: range[0] }, count: range[1] - range[0] };
            self.store.add(*micro, rows, &mut reopened);
        }
        self.retract(reopened, cx)
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        let mut closing = std::mem::take(&mut self.closing);
        self.store.close(watermark, &mut closing);
        if !closing.emit.is_empty() {
            let mut picked = Picked::default();
            for found in &closing.emit {
                picked.add(*found, self.store.rows(found.id));
            }
            let rows = self.with_bounds(&picked)?;
            cx.emit(Delta::insert(rows));
        }
        for id in &closing.remove {
            self.store.remove(*id, |r| self.segments.release_many(r.first.segment, r.count));
        }
        self.closing = closing;
        self.compact()?;
        let behind = self.op.window.gap().saturating_add(self.op.allowed_lateness);
        Ok(forwarded(self.op.window.unit(), behind, watermark))
    }

    fn state(&self) -> StateSize {
        StateSize {
            rows: self.segments.live(),
            bytes: self.segments.bytes() + self.store.bytes() + self.keys.bytes(),
            oldest: self.store.oldest(),
        }
    }
}
