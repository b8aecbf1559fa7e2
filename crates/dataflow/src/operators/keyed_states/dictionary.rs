//! Group keys as dense numbers that stay for as long as there is state for them.
//!
//! [`Groups`] never forget a key. An owner that knows which keys still have state starts afresh with those when the others
//! outnumber them: see [`KeyDictionary::restart`].

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::SchemaRef;
use tidemill_core::Result;

use crate::aggregate::Groups;

/// So many dead keys are left alone, however few are alive.
const SLACK: usize = 4_096;

/// Distinct keys in the order in which they first came. Without key columns everything is key 0.
pub struct KeyDictionary {
    schema: SchemaRef,
    groups: Groups,
}

impl KeyDictionary {
    /// Empty, for keys with these columns.
    pub fn new(schema: SchemaRef) -> Result<Self> {
        Ok(Self { groups: Groups::try_new(&schema)?, schema })
    }

    /// How many numbers are given out.
    pub fn size(&self) -> usize {
        self.groups.len()
    }

    /// The number of each of `rows` keys; new ones get the next numbers.
    pub fn intern(&mut self, keys: &[ArrayRef], rows: usize, ids: &mut Vec<usize>) -> Result<()> {
        self.groups.intern(keys, rows, ids)
    }

    /// Whether the dead outnumber the living by so much that starting afresh pays; also when nothing lives at all.
    pub fn wasteful(&self, live: usize) -> bool {
        self.size() > 2 * live + if live == 0 { 0 } else { SLACK }
    }

    /// Forgets all keys but these, which are distinct and become numbers 0, 1, 2 and so on.
    pub fn restart(&mut self, keys: &[ArrayRef], rows: usize) -> Result<()> {
        self.groups = Groups::try_new(&self.schema)?;
        let mut ids = vec![];
        if rows > 0 {
            self.groups.intern(keys, rows, &mut ids)?;
        }
        debug_assert!(ids.iter().enumerate().all(|(i, id)| i == *id), "the keys are distinct");
        Ok(())
    }

    /// Forgets all keys but those with the numbers `live`, which become 0, 1, 2 and so on.
    pub fn retain(&mut self, live: &[usize]) -> Result<()> {
        let keys = self.groups.emit()?;
        let live: UInt32Array = live.iter().map(|id| *id as u32).collect();
        self.restart(&take_arrays(&keys, &live, None)?, live.len())
    }

    /// About how many bytes it holds.
    pub fn bytes(&self) -> usize {
        if self.groups.is_empty() { 0 } else { self.groups.bytes() }
    }
}
