//! Whether two answers are the same rows, in whatever order and with whatever was taken back on the way.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use arrow::row::{RowConverter, SortField};
use tidemill::Delta;

/// The number of rows and the sum of their hashes, each as often as its weight says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checksum {
    /// How many rows are left.
    pub rows: i64,
    sum: u64,
}

impl Checksum {
    /// Adds changes.
    pub fn add(&mut self, delta: &Delta) {
        let fields = delta.batch.columns().iter().map(|c| SortField::new(c.data_type().clone())).collect();
        let converter = RowConverter::new(fields).expect("every type of a result can be compared");
        let rows = converter.convert_columns(delta.batch.columns()).expect("columns of these types");
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        for (i, row) in rows.iter().enumerate() {
            let weight = delta.weights.as_ref().map_or(1, |w| w.value(i));
            self.rows += weight;
            self.sum = self.sum.wrapping_add(hasher.hash_one(row.data()).wrapping_mul(weight as u64));
        }
    }
}
