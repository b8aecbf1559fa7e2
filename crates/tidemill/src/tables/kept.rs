//! The rows that queries refused: late ones and rejected ones, kept for whoever asks where a row went.
//!
//! Memory is bounded: the newest rows are kept up to a limit, all are counted.

use std::collections::VecDeque;
use std::sync::Mutex;

use arrow::array::RecordBatch;

/// Batches of refused rows, the newest up to a number of rows.
#[derive(Debug)]
pub struct Kept {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    batches: VecDeque<RecordBatch>,
    rows: usize,
    limit: usize,
    total: u64,
}

impl Kept {
    /// Keeps up to `limit` rows.
    pub fn new(limit: usize) -> Self {
        Self { inner: Mutex::new(Inner { batches: VecDeque::new(), rows: 0, limit, total: 0 }) }
    }

    /// Changes how many rows are kept.
    pub fn set_limit(&self, limit: usize) {
        let mut inner = self.lock();
        inner.limit = limit;
        inner.trim();
    }

    /// Keeps these rows; lets the oldest go where there are too many.
    pub fn push(&self, batch: RecordBatch) {
        let mut inner = self.lock();
        inner.total += batch.num_rows() as u64;
        inner.rows += batch.num_rows();
        inner.batches.push_back(batch);
        inner.trim();
    }

    /// What is kept now, the oldest first.
    pub fn batches(&self) -> Vec<RecordBatch> {
        self.lock().batches.iter().cloned().collect()
    }

    /// How many rows there have been, kept or not.
    pub fn total(&self) -> u64 {
        self.lock().total
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Every change leaves the fields consistent, so a panic elsewhere while it was held does no harm.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    fn trim(&mut self) {
        while self.rows > self.limit {
            let Some(oldest) = self.batches.pop_front() else { return };
            let excess = self.rows - self.limit;
            if oldest.num_rows() > excess {
                self.batches.push_front(oldest.slice(excess, oldest.num_rows() - excess));
                self.rows -= excess;
            } else {
                self.rows -= oldest.num_rows();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn rows(values: std::ops::Range<i64>) -> RecordBatch {
        RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from_iter_values(values)) as ArrayRef)]).unwrap()
    }

    #[test]
    fn the_newest_are_kept_and_all_are_counted() {
        let kept = Kept::new(5);
        kept.push(rows(0..4));
        kept.push(rows(4..8));
        let left: Vec<i64> =
            kept.batches().iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
        assert_eq!(left, [3, 4, 5, 6, 7]);
        assert_eq!(kept.total(), 8);
    }
}
