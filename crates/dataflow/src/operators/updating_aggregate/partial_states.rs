//! Groups over rows that are never taken back: each has its partial state, into which those of an epoch are merged.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_arrays};
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result};

use super::states::{GroupStates, Touched};
use crate::aggregate::{Accumulators, Kernel};
use crate::expression::conform;
use crate::operators::keyed_states::{KeyDictionary, LatestRows};

/// Keys and partial states.
pub struct PartialStates {
    schema: SchemaRef,
    /// How many key columns there are.
    keys: usize,
    dictionary: KeyDictionary,
    states: LatestRows,
    accumulators: Accumulators,
    /// While merging: the place of a group among those of the epoch.
    place: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl PartialStates {
    /// Of `kernel`; takes columns of `schema`: keys and partial states.
    pub fn new(kernel: &Arc<Kernel>, schema: SchemaRef) -> Result<Self> {
        Ok(Self {
            keys: kernel.key_schema().fields().len(),
            dictionary: KeyDictionary::new(kernel.key_schema().clone())?,
            states: LatestRows::new(schema.clone()),
            accumulators: kernel.new_accumulators()?,
            schema,
            place: vec![],
        })
    }

    fn states_of(&mut self, groups: &[usize]) -> Result<Vec<ArrayRef>> {
        self.states.gather(self.keys..self.schema.fields().len(), groups)
    }
}

impl GroupStates for PartialStates {
    fn absorb(&mut self, mut deltas: Vec<Delta>) -> Result<Touched> {
        let batch: RecordBatch = match &mut deltas[..] {
            [] => return Ok(Touched::default()),
            [one] => one.batch.clone(),
            many => concat_batches(&self.schema, many.iter().map(|d| &d.batch))?,
        };
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
            let before = self.states_of(&groups[..kept])?;
            self.accumulators.merge(&before, &(0..kept).collect::<Vec<_>>(), kept)?;
        }
        self.accumulators.merge(&batch.columns()[self.keys..], &places, groups.len())?;
        let mut columns = keys.clone();
        columns.extend(self.accumulators.states()?);
        self.states.put(&groups, conform(&self.schema, columns, groups.len())?)?;
        Ok(Touched { groups, keys })
    }

    fn size(&self) -> usize {
        self.dictionary.size()
    }

    fn lives(&self, group: usize) -> bool {
        self.states.has(group)
    }

    fn empty(&self, group: usize) -> bool {
        !self.lives(group)
    }

    fn keys(&mut self, groups: &[usize]) -> Result<Vec<ArrayRef>> {
        self.states.gather(0..self.keys, groups)
    }

    fn values(&mut self, groups: &[usize]) -> Result<Vec<ArrayRef>> {
        let states = self.states_of(groups)?;
        self.accumulators.merge(&states, &(0..groups.len()).collect::<Vec<_>>(), groups.len())?;
        self.accumulators.values()
    }

    fn remove(&mut self, groups: &[usize]) {
        groups.iter().for_each(|g| self.states.remove(*g));
    }

    fn renumber(&mut self) -> Result<Option<Vec<usize>>> {
        if !self.dictionary.wasteful(self.states.live()) {
            return Ok(None);
        }
        let live: Vec<usize> = (0..self.dictionary.size()).filter(|id| self.states.has(*id)).collect();
        let keys = self.keys(&live)?;
        self.dictionary.restart(&keys, live.len())?;
        self.states.renumber(&live)?;
        self.place = vec![];
        Ok(Some(live))
    }

    fn known(&self) -> usize {
        self.states.live()
    }

    fn bytes(&self) -> usize {
        self.states.bytes() + self.dictionary.bytes()
    }
}
