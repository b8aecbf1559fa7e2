//! Groups over rows that may be taken back: how many rows each has, and aggregates that follow.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take_arrays;
use tidemill_core::{Delta, Result};

use super::states::{GroupStates, Touched};
use crate::aggregate::Kernel;
use crate::expression::conform;
use crate::operators::keyed_states::{KeyDictionary, LatestRows};
use crate::retraction::{Aggregates, RowLayout};

/// Keys, numbers of rows, aggregates.
pub struct ChangingStates {
    kernel: Arc<Kernel>,
    layout: RowLayout,
    dictionary: KeyDictionary,
    keys: LatestRows,
    /// The weights of each group's rows, added up.
    counts: Vec<i64>,
    aggregates: Aggregates,
    /// Whether a group has a result even over nothing.
    total: Vec<bool>,
    /// While taking in rows: whether a group was touched.
    touched: Vec<bool>,
    ids: Vec<usize>,
}

impl ChangingStates {
    /// Of `kernel`, over rows laid out by `layout`, of which none is taken back where `append`.
    pub fn new(kernel: &Arc<Kernel>, layout: &RowLayout, append: bool) -> Result<Self> {
        Ok(Self {
            dictionary: KeyDictionary::new(kernel.key_schema().clone())?,
            keys: LatestRows::new(kernel.key_schema().clone()),
            counts: vec![],
            total: vec![],
            aggregates: Aggregates::try_new(kernel, layout, append)?,
            touched: vec![],
            ids: vec![],
            layout: layout.clone(),
            kernel: kernel.clone(),
        })
    }
}

impl GroupStates for ChangingStates {
    fn absorb(&mut self, deltas: Vec<Delta>) -> Result<Touched> {
        if deltas.is_empty() {
            return Ok(Touched::default());
        }
        let delta = Delta::concat(self.layout.schema(), &deltas)?;
        let rows = delta.num_rows();
        let mut ids = std::mem::take(&mut self.ids);
        let keys = &delta.batch.columns()[..self.layout.keys()];
        self.dictionary.intern(keys, rows, &mut ids)?;
        let size = self.dictionary.size();
        self.counts.resize(size, 0);
        self.total.resize(size, false);
        self.touched.resize(size, false);
        let insertions;
        let weights = match &delta.weights {
            Some(weights) => &weights.values()[..],
            None => {
                insertions = vec![1; rows];
                &insertions
            }
        };
        let (mut groups, mut firsts) = (vec![], vec![]);
        let (mut new, mut new_firsts) = (vec![], vec![]);
        for (row, id) in ids.iter().enumerate() {
            self.counts[*id] += weights[row];
            if !std::mem::replace(&mut self.touched[*id], true) {
                groups.push(*id);
                firsts.push(row as u32);
                if !self.keys.has(*id) {
                    new.push(*id);
                    new_firsts.push(row as u32);
                }
            }
        }
        groups.iter().for_each(|g| self.touched[*g] = false);
        let new_keys = take_arrays(keys, &UInt32Array::from(new_firsts), None)?;
        for (id, total) in new.iter().zip(self.kernel.are_totals(&new_keys, new.len())?) {
            self.total[*id] = total;
        }
        self.keys.put(&new, conform(self.kernel.key_schema(), new_keys, new.len())?)?;
        let arguments = self.layout.arguments(&self.kernel, &delta.batch)?;
        self.aggregates.change(&arguments, &ids, weights, size)?;
        let keys = take_arrays(keys, &UInt32Array::from(firsts), None)?;
        self.ids = ids;
        Ok(Touched { groups, keys })
    }

    fn size(&self) -> usize {
        self.dictionary.size()
    }

    fn lives(&self, group: usize) -> bool {
        self.counts[group] > 0 || self.total[group]
    }

    fn empty(&self, group: usize) -> bool {
        self.counts[group] == 0
    }

    fn keys(&mut self, groups: &[usize]) -> Result<Vec<ArrayRef>> {
        self.keys.gather(0..self.layout.keys(), groups)
    }

    fn values(&mut self, groups: &[usize]) -> Result<Vec<ArrayRef>> {
        self.aggregates.values(groups)
    }

    fn remove(&mut self, groups: &[usize]) {
        self.aggregates.forget(groups);
        for group in groups {
            self.counts[*group] = 0;
            self.keys.remove(*group);
        }
    }

    fn renumber(&mut self) -> Result<Option<Vec<usize>>> {
        if !self.dictionary.wasteful(self.keys.live()) {
            return Ok(None);
        }
        let live: Vec<usize> = (0..self.dictionary.size()).filter(|id| self.keys.has(*id)).collect();
        let keys = self.keys(&live)?;
        self.dictionary.restart(&keys, live.len())?;
        self.keys.renumber(&live)?;
        self.counts = live.iter().map(|id| self.counts[*id]).collect();
        self.total = live.iter().map(|id| self.total[*id]).collect();
        self.touched = vec![];
        self.aggregates.renumber(&live)?;
        Ok(Some(live))
    }

    fn known(&self) -> usize {
        self.keys.live() + self.aggregates.kept_rows()
    }

    fn bytes(&self) -> usize {
        let counts = self.counts.len() * (size_of::<i64>() + 2);
        self.keys.bytes() + self.dictionary.bytes() + counts + self.aggregates.bytes()
    }
}
