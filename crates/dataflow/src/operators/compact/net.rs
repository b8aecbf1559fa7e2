//! The net of an epoch: for each key, the rows that it has lost and those that it has gained.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result};

use crate::operators::keyed_states::KeyDictionary;

/// What an epoch did to one key. Rows are places in its delta, each with its weight.
#[derive(Debug, Default)]
pub(super) struct Net {
    pub(super) retracted: Vec<(u32, i64)>,
    pub(super) inserted: Vec<(u32, i64)>,
}

/// Adds up deltas by row and by key. Keeps nothing between two of them.
pub(super) struct Netting {
    key: Vec<usize>,
    rows: KeyDictionary,
    keys: KeyDictionary,
}

impl Netting {
    /// For rows of `schema`, whose key are the columns `key`; each row is a key of its own if that is empty.
    pub(super) fn new(key: &[usize], schema: SchemaRef) -> Result<Self> {
        let keys = KeyDictionary::new(Arc::new(schema.project(key)?))?;
        Ok(Self { key: key.to_vec(), rows: KeyDictionary::new(schema)?, keys })
    }

    /// The net of each key that has one, in the order in which the keys first appear.
    pub(super) fn keys(&mut self, delta: &Delta) -> Result<Vec<Net>> {
        let mut ids = vec![];
        self.rows.intern(delta.batch.columns(), delta.num_rows(), &mut ids)?;
        // By distinct row: its sum, and the last place where it stands.
        let mut sums = vec![(0_i64, 0_u32); self.rows.size()];
        for (place, id) in ids.iter().enumerate() {
            let sum = &mut sums[*id];
            sum.0 += delta.weights.as_ref().map_or(1, |w| w.value(place));
            sum.1 = place as u32;
        }
        self.rows.restart(&[], 0)?;
        if self.key.is_empty() {
            let alone = |(weight, place)| Net::default().with(place, weight);
            return Ok(sums.into_iter().filter(|(w, _)| *w != 0).map(alone).collect());
        }
        let of = self.key_ids(delta)?;
        let mut nets: Vec<Net> = vec![];
        let mut found = vec![usize::MAX; of.iter().max().map_or(0, |m| m + 1)];
        // In the order of the rows, so that the last insertion of a key is the last that came.
        sums.retain(|(w, _)| *w != 0);
        sums.sort_unstable_by_key(|(_, place)| *place);
        for (weight, place) in sums {
            let net = &mut found[of[place as usize]];
            if *net == usize::MAX {
                *net = nets.len();
                nets.push(Net::default());
            }
            let one = std::mem::take(&mut nets[*net]);
            nets[*net] = one.with(place, weight);
        }
        Ok(nets)
    }

    /// The last row of each key, whatever its weight.
    pub(super) fn last_of_each_key(&mut self, delta: &Delta) -> Result<Vec<u32>> {
        let ids = self.key_ids(delta)?;
        let mut last = vec![0; ids.iter().max().map_or(0, |m| m + 1)];
        ids.iter().enumerate().for_each(|(row, id)| last[*id] = row as u32);
        Ok(last)
    }

    fn key_ids(&mut self, delta: &Delta) -> Result<Vec<usize>> {
        let keys: Vec<_> = self.key.iter().map(|k| Arc::clone(delta.batch.column(*k))).collect();
        let mut ids = vec![];
        self.keys.intern(&keys, delta.num_rows(), &mut ids)?;
        self.keys.restart(&[], 0)?;
        Ok(ids)
    }
}

impl Net {
    fn with(mut self, place: u32, weight: i64) -> Self {
        if weight > 0 { &mut self.inserted } else { &mut self.retracted }.push((place, weight));
        self
    }
}
