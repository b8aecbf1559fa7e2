//! The second step of a session aggregation: micro-sessions become sessions, and sessions close.
//!
//! The partial states of a session stay where they came in, in immutable segments, and are merged once, when it closes.
//! Where they outnumber the sessions they are merged before that, all in one go.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{Int64Type, Schema, SchemaRef};
use tidemill_core::{Delta, Micros, Result, Watermark};
use tidemill_plan::Window;

use super::bounds::{bound_columns, forwarded};
use super::cutter::MicroSession;
use super::store::{Closing, Found, Reopened, Rows, SessionStore};
use crate::aggregate::{Accumulators, Kernel};
use crate::expression::conform;
use crate::operators::keyed_states::{KeyDictionary, RowRef, Segments};
use crate::{Cx, Operator, StateSize};

/// The sessions of the keys that come to this worker.
pub struct SessionMerge {
    window: Window,
    lateness: Micros,
    output: SchemaRef,
    /// How many key columns there are.
    keys: usize,
    dictionary: KeyDictionary,
    store: SessionStore,
    /// Keys and partial states.
    segments: Segments,
    states: SchemaRef,
    accumulators: Accumulators,
    /// What was put out for sessions that may still be corrected.
    outputs: Segments,
    reopened: Vec<Reopened>,
    closing: Closing,
    ids: Vec<usize>,
}

impl SessionMerge {
    /// Of `kernel` over `window`; takes columns of `input`, as the first step makes them, and puts out those of `output`.
    pub fn new(
        kernel: &Arc<Kernel>,
        window: Window,
        lateness: Micros,
        input: &SchemaRef,
        output: SchemaRef,
    ) -> Result<Self> {
        let keys = kernel.key_schema().fields().len();
        let fields: Vec<_> = input.fields()[..keys].iter().chain(&input.fields()[keys + 2..]).cloned().collect();
        let states = Arc::new(Schema::new(fields));
        Ok(Self {
            lateness,
            keys,
            dictionary: KeyDictionary::new(kernel.key_schema().clone())?,
            store: SessionStore::new(window.gap(), lateness),
            segments: Segments::new(states.clone()),
            states,
            accumulators: kernel.new_accumulators()?,
            outputs: Segments::new(output.clone()),
            output,
            window,
            reopened: vec![],
            closing: Closing::default(),
            ids: vec![],
        })
    }

    /// The keys of some sessions, and their partial states merged into the accumulators: session `i` is group `i`.
    fn merge(&mut self, sessions: &[Found]) -> Result<Vec<ArrayRef>> {
        let (mut refs, mut firsts) = (Vec::with_capacity(sessions.len()), Vec::with_capacity(sessions.len()));
        self.ids.clear();
        for (i, found) in sessions.iter().enumerate() {
            let first = refs.len();
            refs.extend(self.store.rows(found.id).map(|r| r.first));
            self.ids.resize(refs.len(), i);
            firsts.push(refs[first]);
        }
        let states = self.segments.gather(self.keys..self.states.fields().len(), &refs)?;
        self.accumulators.merge(&states, &self.ids, sessions.len())?;
        self.segments.gather(0..self.keys, &firsts)
    }

    fn results(&mut self, sessions: &[Found]) -> Result<RecordBatch> {
        let keys = self.merge(sessions)?;
        let mut columns = bound_columns(&self.window, sessions.iter().map(|f| (f.start, f.last)))?.to_vec();
        columns.extend(keys);
        columns.extend(self.accumulators.values()?);
        conform(&self.output, columns, sessions.len())
    }

    /// Takes back what was put out for sessions that have changed since.
    fn retract(&mut self, cx: &mut Cx) -> Result<()> {
        if self.reopened.is_empty() {
            return Ok(());
        }
        let refs: Vec<RowRef> = self.reopened.drain(..).map(|r| r.output).collect();
        let columns = self.outputs.gather(0..self.output.fields().len(), &refs)?;
        refs.iter().for_each(|r| self.outputs.release(*r));
        let weights = Int64Array::from_value(-1, refs.len());
        cx.emit(Delta::weighted(RecordBatch::try_new(self.output.clone(), columns)?, weights));
        Ok(())
    }

    /// Merges the partial states of each session where that at least halves them, and forgets keys without a session.
    fn compact(&mut self) -> Result<()> {
        if self.segments.wasteful(self.store.live()) {
            let sessions: Vec<Found> = self.store.all().collect();
            let mut columns = self.merge(&sessions)?;
            columns.extend(self.accumulators.states()?);
            let segment = self.segments.replace(conform(&self.states, columns, sessions.len())?)?;
            for (row, found) in sessions.iter().enumerate() {
                let first = RowRef { segment, row: row as u32 };
                self.store.replace_rows(found.id, Rows { first, count: 1 });
            }
        }
        if self.outputs.wasteful(self.outputs.live()) {
            let kept: Vec<(u32, RowRef)> = self.store.all().map(|f| (f.id, self.store.output(f.id))).collect();
            let (ids, refs): (Vec<u32>, Vec<RowRef>) = kept.into_iter().filter(|(_, r)| r.is_some()).unzip();
            let columns = self.outputs.gather(0..self.output.fields().len(), &refs)?;
            let segment = self.outputs.replace(RecordBatch::try_new(self.output.clone(), columns)?)?;
            for (row, id) in ids.into_iter().enumerate() {
                self.store.keep_output(id, RowRef { segment, row: row as u32 });
            }
        }
        if self.dictionary.wasteful(self.store.live_keys()) {
            let mut firsts: Vec<RowRef> = Vec::with_capacity(self.store.live_keys());
            let mut before = None;
            for found in self.store.all() {
                if before.replace(found.key) != Some(found.key) {
                    firsts.extend(self.store.rows(found.id).next().map(|r| r.first));
                }
            }
            let keys = self.segments.gather(0..self.keys, &firsts)?;
            self.dictionary.restart(&keys, firsts.len())?;
            self.store.renumber_keys();
        }
        Ok(())
    }
}

impl Operator for SessionMerge {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let rows = delta.num_rows();
        let (_, columns, _) = delta.batch.into_parts();
        let (keys, rest) = columns.split_at(self.keys);
        self.dictionary.intern(keys, rows, &mut self.ids)?;
        let starts = rest[0].as_primitive::<Int64Type>().values();
        let lasts = rest[1].as_primitive::<Int64Type>().values();
        let kept: Vec<ArrayRef> = keys.iter().chain(&rest[2..]).cloned().collect();
        let segment = self.segments.push(conform(&self.states, kept, rows)?)?;
        for (row, ((key, start), last)) in self.ids.iter().zip(starts).zip(lasts).enumerate() {
            let micro = MicroSession { key: *key as u32, start: *start, last: *last };
            let first = RowRef { segment, row: row as u32 };
            self.store.add(micro, Rows { first, count: 1 }, &mut self.reopened);
        }
        self.retract(cx)
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        let mut closing = std::mem::take(&mut self.closing);
        self.store.close(watermark, &mut closing);
        if !closing.emit.is_empty() {
            let results = self.results(&closing.emit)?;
            if self.lateness > 0 {
                let segment = self.outputs.push(results.clone())?;
                for (row, found) in closing.emit.iter().enumerate() {
                    self.store.keep_output(found.id, RowRef { segment, row: row as u32 });
                }
            }
            cx.emit(Delta::insert(results));
        }
        for id in &closing.remove {
            let output = self.store.output(*id);
            if output.is_some() {
                self.outputs.release(output);
            }
            self.store.remove(*id, |r| self.segments.release(r.first));
        }
        self.closing = closing;
        self.compact()?;
        Ok(forwarded(self.window.unit(), self.window.gap().saturating_add(self.lateness), watermark))
    }

    fn state(&self) -> StateSize {
        StateSize {
            rows: self.segments.live() + self.outputs.live(),
            bytes: self.segments.bytes() + self.outputs.bytes() + self.store.bytes() + self.dictionary.bytes(),
            oldest: self.store.oldest(),
        }
    }
}
