//! The rows of a side by what stands in them: how a retraction finds its row.
//!
//! Equal rows are one row with a weight, so that a row that is there a thousand times is found as fast as any other.

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take_arrays;
use datafusion_common::hash_utils::{RandomState, create_hashes};
use hashbrown::HashTable;
use tidemill_core::Result;

use super::side::Side;
use crate::expression::data_error;
use crate::operators::updating_aggregate::changes::unchanged;

/// The exchange has another seed: with its own, the keys of one worker would be alike in some bits.
const SEED: u64 = 0x6d69_6c6c;

/// What the rows of an epoch come to.
#[derive(Debug, Default)]
pub struct Net {
    /// The distinct rows whose weights do not cancel out, by their place.
    pub rows: Vec<u32>,
    /// The weight of each.
    pub weights: Vec<i64>,
    /// The hash of each.
    pub hashes: Vec<u64>,
}

/// Adds up equal rows. `weights` of `None` are all 1.
pub fn net(batch: &RecordBatch, weights: Option<&Int64Array>) -> Result<Net> {
    let mut hashes = vec![0; batch.num_rows()];
    create_hashes(batch.columns(), &RandomState::with_seed(SEED), &mut hashes).map_err(data_error)?;
    let weight = |row: u32| weights.map_or(1, |w| w.value(row as usize));
    // By distinct row: where it first came, and its weight.
    let mut sums: Vec<(u32, i64)> = vec![];
    let mut left: Vec<u32> = (0..batch.num_rows() as u32).collect();
    // Rows with equal hashes are nearly always equal; those that are not have their turn in another round.
    while !left.is_empty() {
        let mut seen: HashTable<u32> = HashTable::with_capacity(left.len());
        let (mut again, mut like) = (vec![], vec![]);
        for row in left {
            let hash = hashes[row as usize];
            match seen.find(hash, |s| hashes[sums[*s as usize].0 as usize] == hash) {
                Some(sum) => {
                    again.push(row);
                    like.push(*sum);
                }
                None => {
                    seen.insert_unique(hash, sums.len() as u32, |s| hashes[sums[*s as usize].0 as usize]);
                    sums.push((row, weight(row)));
                }
            }
        }
        let one = take_arrays(batch.columns(), &UInt32Array::from(again.clone()), None)?;
        let firsts = UInt32Array::from_iter_values(like.iter().map(|s| sums[*s as usize].0));
        let other = take_arrays(batch.columns(), &firsts, None)?;
        let same = equal(&one, &other, again.len())?;
        left = vec![];
        for (i, row) in again.into_iter().enumerate() {
            match same.value(i) {
                true => sums[like[i] as usize].1 += weight(row),
                false => left.push(row),
            }
        }
    }
    sums.retain(|(_, weight)| *weight != 0);
    Ok(Net {
        hashes: sums.iter().map(|(row, _)| hashes[*row as usize]).collect(),
        rows: sums.iter().map(|(row, _)| *row).collect(),
        weights: sums.into_iter().map(|(_, weight)| weight).collect(),
    })
}

/// For each pair of rows, whether they are the same. Without columns they are.
fn equal(one: &[ArrayRef], other: &[ArrayRef], rows: usize) -> Result<BooleanBuffer> {
    if rows == 0 { Ok(BooleanBuffer::new_unset(0)) } else { unchanged(one, other, rows) }
}

/// Slots by the content of their rows.
#[derive(Debug, Default)]
pub struct RowsByContent {
    table: HashTable<u32>,
    /// By slot.
    hash: Vec<u64>,
}

impl RowsByContent {
    /// For each of the rows, the slot of `side` that holds the same row.
    pub fn find(&self, side: &mut Side, rows: &[ArrayRef], hashes: &[u64]) -> Result<Vec<Option<u32>>> {
        let (mut of, mut slots) = (vec![], vec![]);
        for (row, hash) in hashes.iter().enumerate() {
            for slot in self.table.iter_hash(*hash).filter(|s| self.hash[**s as usize] == *hash) {
                of.push(row as u32);
                slots.push(*slot);
            }
        }
        let mut found = vec![None; hashes.len()];
        if of.is_empty() {
            return Ok(found);
        }
        let one = take_arrays(rows, &UInt32Array::from(of.clone()), None)?;
        let other = side.gather(0..side.width(), &slots)?;
        let same = equal(&one, &other, of.len())?;
        for (i, row) in of.iter().enumerate() {
            if same.value(i) {
                found[*row as usize] = Some(slots[i]);
            }
        }
        Ok(found)
    }

    /// Notes the row in a slot.
    pub fn insert(&mut self, slot: u32, hash: u64) {
        if self.hash.len() <= slot as usize {
            self.hash.resize(slot as usize + 1, 0);
        }
        self.hash[slot as usize] = hash;
        let of = &self.hash;
        self.table.insert_unique(hash, slot, |s| of[*s as usize]);
    }

    /// Forgets the row in a slot.
    pub fn remove(&mut self, slot: u32) {
        let hash = self.hash[slot as usize];
        if let Ok(entry) = self.table.find_entry(hash, |s| *s == slot) {
            entry.remove();
        }
    }

    /// Lets go of everything, and of the memory.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.table.allocation_size() + 8 * self.hash.len()
    }
}
