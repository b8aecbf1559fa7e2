//! Rows with equal keys to one worker: a delta cut into one for each of them.
//!
//! The same rows go to the same workers on every run: the hash has a fixed seed. A NULL is equal to a NULL.

use arrow::array::UInt32Array;
use datafusion_common::hash_utils::{RandomState, create_hashes};
use tidemill_core::{Delta, Result};

use crate::expression::data_error;

/// Another seed than that of the hash tables on the workers: within a worker their hashes would else be alike in some bits.
const SEED: u64 = 0x7469_6465;

/// Cuts deltas by key. Keeps its buffers from one to the next.
#[derive(Debug, Default)]
pub struct Exchange {
    hashes: Vec<u64>,
    /// The worker of each row.
    targets: Vec<u32>,
    /// Where the rows of each worker begin, once the rows are in the order of their workers.
    starts: Vec<usize>,
}

impl Exchange {
    /// Hands to `out` the rows of `delta` for each of `workers` that has any, in the order of the workers. Rows of a worker
    /// keep their order. `keys` are columns of the delta.
    pub fn split(
        &mut self,
        delta: Delta,
        keys: &[usize],
        workers: usize,
        mut out: impl FnMut(usize, Delta),
    ) -> Result<()> {
        let rows = delta.num_rows();
        if workers <= 1 || rows == 0 {
            out(0, delta);
            return Ok(());
        }
        self.find_targets(&delta, keys, workers)?;
        let first = self.targets[0];
        if self.targets.iter().all(|t| *t == first) {
            out(first as usize, delta);
            return Ok(());
        }
        let sorted = delta.take(&self.order(workers))?;
        for worker in 0..workers {
            let (start, end) = (self.starts[worker], self.starts[worker + 1]);
            if start < end {
                out(worker, sorted.slice(start, end - start));
            }
        }
        Ok(())
    }

    fn find_targets(&mut self, delta: &Delta, keys: &[usize], workers: usize) -> Result<()> {
        self.hashes.clear();
        self.hashes.resize(delta.num_rows(), 0);
        let columns = keys.iter().map(|k| delta.batch.column(*k));
        create_hashes(columns, &RandomState::with_seed(SEED), &mut self.hashes).map_err(data_error)?;
        self.targets.clear();
        // The high half of the hash times the number of workers: as even as a remainder, without a division.
        self.targets.extend(self.hashes.iter().map(|h| (((h >> 32) * workers as u64) >> 32) as u32));
        Ok(())
    }

    /// The rows in the order of their workers, by counting. One gather of all of them is cheaper than one for each
    /// worker; the workers get slices of it.
    fn order(&mut self, workers: usize) -> UInt32Array {
        self.starts.clear();
        self.starts.resize(workers + 2, 0);
        for target in &self.targets {
            self.starts[*target as usize + 2] += 1;
        }
        for worker in 2..workers + 2 {
            self.starts[worker] += self.starts[worker - 1];
        }
        let mut order = vec![0_u32; self.targets.len()];
        for (row, target) in self.targets.iter().enumerate() {
            let place = &mut self.starts[*target as usize + 1];
            order[*place] = row as u32;
            *place += 1;
        }
        order.into()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn check(keys: Vec<Option<i64>>, workers: usize) {
        let numbers = Int64Array::from_iter_values(0..keys.len() as i64);
        let batch = RecordBatch::try_from_iter([
            ("key", Arc::new(Int64Array::from(keys.clone())) as _),
            ("name", Arc::new(StringArray::from_iter(keys.iter().map(|k| k.map(|k| format!("name {k}"))))) as _),
            ("number", Arc::new(numbers.clone()) as _),
        ])
        .unwrap();
        let delta = Delta::weighted(batch, numbers);
        let mut seen = vec![];
        let mut owner = std::collections::BTreeMap::new();
        let mut exchange = Exchange::default();
        let mut out = |worker: usize, part: Delta| {
            let numbers = part.batch.column(2).as_primitive::<Int64Type>();
            assert!(numbers.values().is_sorted(), "rows keep their order");
            assert_eq!(part.weights.as_ref().unwrap().values(), numbers.values(), "weights go with their rows");
            for row in 0..part.num_rows() {
                let key = keys[numbers.value(row) as usize];
                assert_eq!(*owner.entry(key).or_insert(worker), worker, "one key, one worker");
                seen.push(numbers.value(row));
            }
            assert_eq!(part.batch.column(1).len(), part.num_rows());
        };
        exchange.split(delta, &[0, 1], workers, &mut out).unwrap();
        seen.sort_unstable();
        assert_eq!(seen, (0..keys.len() as i64).collect::<Vec<_>>());
        if keys.len() > 100 {
            let used: std::collections::BTreeSet<_> = owner.values().collect();
            assert_eq!(used.len(), workers, "every worker has something to do");
        }
    }

    #[test]
    fn a_key_belongs_to_one_worker() {
        check(vec![Some(1), None, Some(2), None, Some(1)], 3);
        check(vec![Some(7)], 3);
        check(vec![], 3);
        check((0..1_000).map(|i| (i % 7 != 0).then_some(i % 50)).collect(), 4);
        check((0..1_000).map(Some).collect(), 1);
    }
}
