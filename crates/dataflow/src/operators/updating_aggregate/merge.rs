//! The second step of an updating aggregation: what an epoch brought is merged into what is kept, and the results of the
//! groups it touched are put out where they changed.
//!
//! Work is proportional to the groups that were touched, never to those that are kept.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_arrays};
use arrow::datatypes::{Schema, SchemaRef};
use tidemill_core::{Delta, Micros, Result, Watermark};
use tidemill_plan::op::Emit;

use super::changes::changes;
use super::expiry::Expiry;
use crate::aggregate::{Accumulators, Kernel};
use crate::expression::conform;
use crate::operators::keyed_states::{Deadlines, KeyDictionary, LatestRows};
use crate::{Cx, Operator, StateSize};

/// The groups of the keys that come to this worker.
pub struct UpdatingMerge {
    emit: Emit,
    expiry: Option<Expiry>,
    input: SchemaRef,
    output: SchemaRef,
    /// How many key columns there are.
    keys: usize,
    dictionary: KeyDictionary,
    /// Keys and partial states of each group.
    states: LatestRows,
    /// The results of each group as they were put out.
    results: LatestRows,
    result_schema: SchemaRef,
    accumulators: Accumulators,
    incoming: Vec<RecordBatch>,
    /// Groups whose results are wanted and may differ from those put out, each once.
    touched: Vec<usize>,
    group: Vec<Group>,
    deadlines: Deadlines,
    watermark: Watermark,
    emitted_at: Option<Micros>,
    /// While merging: the place of a group among those of the epoch.
    place: Vec<u32>,
    /// How many groups were merged and evaluated so far: what the tests bound the work by.
    pub(super) work: usize,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    touched: bool,
    /// Whether its results are wanted already.
    wanted: bool,
    /// When its window ends, as an instant.
    end: Micros,
}

const NONE: u32 = u32::MAX;

impl UpdatingMerge {
    /// Of `kernel`; takes columns of `input`, as the first step makes them, and puts out those of `output`.
    pub fn new(
        kernel: &Arc<Kernel>,
        emit: Emit,
        expiry: Option<Expiry>,
        input: SchemaRef,
        output: SchemaRef,
    ) -> Result<Self> {
        let keys = kernel.key_schema().fields().len();
        let values: Vec<_> =
            kernel.value_fields().iter().map(|f| Arc::new(f.as_ref().clone().with_nullable(true))).collect();
        let result_schema = Arc::new(Schema::new(values));
        Ok(Self {
            keys,
            dictionary: KeyDictionary::new(kernel.key_schema().clone())?,
            states: LatestRows::new(input.clone()),
            results: LatestRows::new(result_schema.clone()),
            result_schema,
            accumulators: kernel.new_accumulators()?,
            deadlines: Deadlines::new(expiry.as_ref().map_or(1, Expiry::stride)),
            emit,
            expiry,
            input,
            output,
            incoming: vec![],
            touched: vec![],
            group: vec![],
            watermark: Watermark::MIN,
            emitted_at: None,
            place: vec![],
            work: 0,
        })
    }

    /// Merges what the epoch brought into what is kept.
    fn absorb(&mut self) -> Result<()> {
        let batch = match &self.incoming[..] {
            [] => return Ok(()),
            [one] => one.clone(),
            many => concat_batches(&self.input, many)?,
        };
        self.incoming.clear();
        let mut ids = vec![];
        self.dictionary.intern(&batch.columns()[..self.keys], batch.num_rows(), &mut ids)?;
        self.place.resize(self.dictionary.size().max(self.place.len()), NONE);
        // The groups of the epoch, those that are kept first, and the first row of each. Accumulators take it that every
        // group they know of has had a row: so those before a group's first row are merged before it is known.
        let (mut groups, mut firsts) = (vec![], vec![]);
        let mut kept = 0;
        for known in [true, false] {
            for (row, id) in ids.iter().enumerate() {
                if self.place[*id] == NONE && self.states.has(*id) == known {
                    self.place[*id] = groups.len() as u32;
                    groups.push(*id);
                    firsts.push(row as u32);
                }
            }
            kept = if known { groups.len() } else { kept };
        }
        let places: Vec<usize> = ids.iter().map(|id| self.place[*id] as usize).collect();
        groups.iter().for_each(|g| self.place[*g] = NONE);
        let keys = take_arrays(&batch.columns()[..self.keys], &UInt32Array::from(firsts), None)?;
        if kept > 0 {
            let before = self.states.gather(self.keys..self.input.fields().len(), &groups[..kept])?;
            self.accumulators.merge(&before, &(0..kept).collect::<Vec<_>>(), kept)?;
        }
        self.accumulators.merge(&batch.columns()[self.keys..], &places, groups.len())?;
        self.touch(&groups, &keys)?;
        let mut columns = keys;
        columns.extend(self.accumulators.states()?);
        self.work += groups.len();
        self.states.put(&groups, conform(&self.input, columns, groups.len())?)
    }

    /// The results of these groups may have changed; those that are new are registered.
    fn touch(&mut self, groups: &[usize], keys: &[ArrayRef]) -> Result<()> {
        let ends = self.expiry.as_ref().map(|e| e.ends(keys)).transpose()?;
        let new = Group { touched: false, wanted: self.emit != Emit::OnClose, end: Micros::MAX };
        self.group.resize(self.dictionary.size().max(self.group.len()), new);
        for (i, id) in groups.iter().enumerate() {
            if let Some(ends) = &ends
                && !self.states.has(*id)
            {
                self.group[*id] = Group { end: ends[i], ..new };
                self.register(*id);
            }
            let group = &mut self.group[*id];
            if !std::mem::replace(&mut group.touched, true) && group.wanted {
                self.touched.push(*id);
            }
        }
        Ok(())
    }

    /// A group is looked at when its results are wanted, and again when it is over.
    fn register(&mut self, id: usize) {
        let Some(expiry) = &self.expiry else { return };
        let group = &self.group[id];
        let lateness = if group.wanted { expiry.lateness() } else { 0 };
        self.deadlines.push(group.end.saturating_add(lateness), id as u32);
    }

    /// Puts out what has changed for `groups`. Where they are over, what was put out need not be remembered.
    fn put_out(&mut self, groups: &[usize], over: bool, cx: &mut Cx) -> Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        self.work += groups.len();
        let every: Vec<usize> = (0..groups.len()).collect();
        let states = self.states.gather(self.keys..self.input.fields().len(), groups)?;
        self.accumulators.merge(&states, &every, groups.len())?;
        let new = self.accumulators.values()?;
        let keys = self.states.gather(0..self.keys, groups)?;
        let had: Vec<u32> = (0..groups.len()).filter(|i| self.results.has(groups[*i])).map(|i| i as u32).collect();
        let before: Vec<usize> = had.iter().map(|i| groups[*i as usize]).collect();
        let old = self.results.gather(0..new.len(), &before)?;
        let changes = changes(&keys, &new, groups.len(), &had, &old)?;
        if !over {
            let kept = take_arrays(&new, &UInt32Array::from(changes.changed.clone()), None)?;
            let changed: Vec<usize> = changes.changed.iter().map(|i| groups[*i as usize]).collect();
            self.results.put(&changed, conform(&self.result_schema, kept, changed.len())?)?;
        }
        let rows = changes.weights.as_ref().map_or(changes.changed.len(), |w| w.len());
        let batch = conform(&self.output, changes.columns, rows)?;
        cx.emit(Delta { batch, weights: changes.weights, split_watermark: None });
        Ok(())
    }

    /// Puts out and lets go of what the watermark has passed.
    fn expire(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<()> {
        let Some(lateness) = self.expiry.as_ref().map(Expiry::lateness) else { return Ok(()) };
        let mut due = vec![];
        self.deadlines.take_due(watermark, &mut due);
        if due.is_empty() {
            return Ok(());
        }
        due.sort_unstable();
        let mut over = vec![];
        for (_, id) in due {
            let id = id as usize;
            let group = &mut self.group[id];
            let wanted = std::mem::replace(&mut group.wanted, true);
            if group.end.saturating_add(lateness) <= watermark.0 {
                over.push(id);
                continue;
            }
            // Closed, but it may be corrected: put out when the epoch ends.
            if !wanted && group.touched {
                self.touched.push(id);
            }
            self.register(id);
        }
        let last: Vec<usize> = over.iter().copied().filter(|id| self.group[*id].touched).collect();
        self.put_out(&last, true, cx)?;
        for id in over {
            self.states.remove(id);
            self.results.remove(id);
            self.group[id].touched = false;
        }
        let group = &self.group;
        self.touched.retain(|id| group[*id].touched);
        if self.dictionary.wasteful(self.states.live()) {
            self.renumber()?;
        }
        Ok(())
    }

    /// Forgets the keys of groups that are over.
    fn renumber(&mut self) -> Result<()> {
        let live: Vec<usize> = (0..self.group.len()).filter(|id| self.states.has(*id)).collect();
        let keys = self.states.gather(0..self.keys, &live)?;
        self.dictionary.restart(&keys, live.len())?;
        self.states.renumber(&live)?;
        self.results.renumber(&live)?;
        self.group = live.iter().map(|id| self.group[*id]).collect();
        self.touched = (0..live.len()).filter(|id| self.group[*id].touched && self.group[*id].wanted).collect();
        self.place = vec![];
        self.deadlines.clear();
        (0..live.len()).for_each(|id| self.register(id));
        Ok(())
    }
}

impl Operator for UpdatingMerge {
    fn push(&mut self, _port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        if !delta.is_empty() {
            self.incoming.push(delta.batch);
        }
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        self.watermark = watermark;
        self.absorb()?;
        self.expire(watermark, cx)?;
        Ok(self.expiry.as_ref().map_or(watermark, |e| e.forwarded(watermark)))
    }

    fn end_epoch(&mut self, cx: &mut Cx) -> Result<()> {
        if let Emit::Changes { every } = self.emit
            && self.watermark != Watermark::MAX
            && self.emitted_at.is_some_and(|at| cx.now.saturating_sub(at) < every)
        {
            return Ok(());
        }
        let touched = std::mem::take(&mut self.touched);
        touched.iter().for_each(|id| self.group[*id].touched = false);
        if !touched.is_empty() {
            self.emitted_at = Some(cx.now);
        }
        self.put_out(&touched, false, cx)
    }

    fn state(&self) -> StateSize {
        StateSize {
            rows: self.states.live(),
            bytes: self.states.bytes() + self.results.bytes() + self.dictionary.bytes(),
            oldest: self.deadlines.earliest(),
        }
    }
}
