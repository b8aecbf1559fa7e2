//! What a `NOT IN` knows beside its keys: whether the right side has rows at all, and whether one of them is NULL.

use arrow::array::Array;
use tidemill_core::Delta;

use super::keys::JoinKeys;

/// The right side of a `NOT IN` as a whole, now and when the epoch began.
#[derive(Debug, Default)]
pub struct NotIn {
    now: Whole,
    before: Whole,
    /// The number of the key that is NULL, once there was one.
    null: Option<usize>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Whole {
    rows: i64,
    nulls: i64,
}

impl NotIn {
    /// Rows of a side, whose keys have these numbers.
    pub fn take_in(&mut self, side: usize, keys: &JoinKeys, delta: &Delta, numbers: &[usize]) {
        let nulls = keys.column(side, &delta.batch).logical_nulls();
        if self.null.is_none()
            && let Some(row) = nulls.as_ref().and_then(|n| (0..n.len()).find(|row| n.is_null(*row)))
        {
            self.null = Some(numbers[row]);
        }
        if side == 0 {
            return;
        }
        for row in 0..delta.num_rows() {
            let weight = delta.weights.as_ref().map_or(1, |w| w.value(row));
            self.now.rows += weight;
            if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                self.now.nulls += weight;
            }
        }
    }

    /// Whether a row with this key is left out although no row of the right side is equal to it.
    pub fn excluded(&self, key: usize) -> bool {
        self.by(self.now, key)
    }

    /// As [`excluded`](Self::excluded), when the epoch began.
    pub fn excluded_before(&self, key: usize) -> bool {
        self.by(self.before, key)
    }

    fn by(&self, whole: Whole, key: usize) -> bool {
        whole.nulls > 0 || (whole.rows > 0 && self.null == Some(key))
    }

    /// Whether the epoch changes something for rows of any key.
    pub fn flipped(&self) -> bool {
        (self.now.rows > 0) != (self.before.rows > 0) || (self.now.nulls > 0) != (self.before.nulls > 0)
    }

    /// The epoch is over.
    pub fn finish(&mut self) {
        self.before = self.now;
    }
}
