//! The keys of both sides as the same dense numbers.

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::SchemaRef;
use std::sync::Arc;
use tidemill_core::Result;

use crate::operators::keyed_states::KeyDictionary;

/// Rows with equal keys, of whichever side, have the same number. Without key columns every row has number 0.
pub struct JoinKeys {
    columns: [Vec<usize>; 2],
    dictionary: KeyDictionary,
    /// Whether a NULL is a key like any other.
    nulls_match: bool,
    /// Dead keys are looked for when there are so many in all.
    look_at: usize,
}

/// Keys that are left alone, however few of them are in use.
const SLACK: usize = 8_192;

impl JoinKeys {
    /// Over these columns of the left and of the right side, whose schema on the left is `left`.
    pub fn new(columns: [Vec<usize>; 2], left: &SchemaRef, nulls_match: bool) -> Result<Self> {
        let dictionary = KeyDictionary::new(Arc::new(left.project(&columns[0])?))?;
        Ok(Self { columns, dictionary, nulls_match, look_at: SLACK })
    }

    /// Which rows of `side` have a key that can be equal to another. `None`: all of them.
    pub fn matchable(&self, side: usize, rows: &RecordBatch) -> Option<BooleanArray> {
        if self.nulls_match {
            return None;
        }
        let nulls = self.columns[side].iter().map(|c| rows.column(*c).logical_nulls());
        let nulls = nulls.fold(None, |all, one| NullBuffer::union(all.as_ref(), one.as_ref()));
        let nulls = nulls.filter(|n| n.null_count() > 0)?;
        Some(BooleanArray::new(nulls.inner().clone(), None))
    }

    /// The number of each row's key.
    pub fn numbers(&mut self, side: usize, rows: &RecordBatch, numbers: &mut Vec<usize>) -> Result<()> {
        let keys: Vec<ArrayRef> = self.columns[side].iter().map(|c| Arc::clone(rows.column(*c))).collect();
        self.dictionary.intern(&keys, rows.num_rows(), numbers)
    }

    /// The first key column of rows of `side`.
    pub fn column<'a>(&self, side: usize, rows: &'a RecordBatch) -> &'a ArrayRef {
        rows.column(self.columns[side][0])
    }

    /// How many numbers there are.
    pub fn count(&self) -> usize {
        self.dictionary.size()
    }

    /// Whether there are so many that it pays to look for dead ones.
    pub fn many(&self) -> bool {
        self.count() > self.look_at
    }

    /// Keeps the `live` keys, which become 0, 1, 2 and so on. They ascend.
    pub fn keep(&mut self, live: &[usize]) -> Result<()> {
        self.look_at = 2 * live.len() + SLACK;
        self.dictionary.retain(live)
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.dictionary.bytes()
    }
}
