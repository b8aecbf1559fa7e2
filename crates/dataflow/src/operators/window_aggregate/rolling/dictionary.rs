//! The keys of the current panes, numbered; each kept so that it can be put out again and again.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::{concat, take, take_arrays};
use tidemill_core::Result;

use crate::aggregate::{Groups, Kernel};

/// From keys to numbers and back. Never forgets: its owner makes a new one now and then.
pub(super) struct Dictionary {
    groups: Groups,
    /// All keys by number, in pieces, for each column.
    pieces: Vec<Vec<ArrayRef>>,
}

impl Dictionary {
    pub(super) fn try_new(kernel: &Arc<Kernel>) -> Result<Self> {
        Ok(Self { groups: kernel.new_groups()?, pieces: vec![vec![]; kernel.key_schema().fields().len()] })
    }

    /// How many numbers are given out.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// The number of each of `rows` keys.
    pub(super) fn intern(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Vec<usize>> {
        let before = self.groups.len();
        let mut ids = vec![];
        self.groups.intern(keys, rows, &mut ids)?;
        if self.groups.len() > before {
            // New numbers are given out in the order of the rows.
            let mut next = before;
            let is_new = |(row, id): (usize, &usize)| {
                (*id == next).then(|| {
                    next += 1;
                    row as u32
                })
            };
            let new: UInt32Array = ids.iter().enumerate().filter_map(is_new).collect::<Vec<_>>().into();
            for (pieces, key) in self.pieces.iter_mut().zip(keys) {
                pieces.push(if new.len() == rows { key.clone() } else { take(key, &new, None)? });
            }
        }
        Ok(ids)
    }

    /// The keys with these numbers.
    pub(super) fn keys(&mut self, ids: &[usize]) -> Result<Vec<ArrayRef>> {
        let mut all = Vec::with_capacity(self.pieces.len());
        for pieces in &mut self.pieces {
            if pieces.len() > 1 {
                let joined = concat(&pieces.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>())?;
                *pieces = vec![joined];
            }
            all.extend(pieces.first().cloned());
        }
        Ok(take_arrays(&all, &UInt32Array::from_iter_values(ids.iter().map(|id| *id as u32)), None)?)
    }

    pub(super) fn bytes(&self) -> usize {
        self.groups.bytes() + self.pieces.iter().flatten().map(|a| a.get_array_memory_size()).sum::<usize>()
    }
}
