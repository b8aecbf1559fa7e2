//! Partial states of some groups, by the numbers of a dictionary, and their running sum.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use tidemill_core::Result;

use crate::aggregate::{Accumulators, Kernel};
use crate::operators::window_aggregate::correction::Rows;
use crate::operators::window_aggregate::rolling::dictionary::Dictionary;

/// Partial states, a row for each group; immutable.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    /// The number of each row's group; no two the same, but where several workers had the same group.
    pub(super) ids: Vec<usize>,
    pub(super) states: Vec<ArrayRef>,
}

impl Part {
    pub(super) fn bytes(&self) -> usize {
        self.ids.capacity() * size_of::<usize>() + self.states.iter().map(|a| a.get_array_memory_size()).sum::<usize>()
    }
}

/// Parts added up.
pub(super) struct Sum {
    accumulators: Accumulators,
    /// The groups in it, in the order they came.
    ids: Vec<usize>,
    /// For each number of the dictionary, one more than its group's place in `ids`, or 0.
    places: Vec<u32>,
    /// The places of a part's groups; kept for its room.
    rows: Vec<usize>,
}

impl Sum {
    pub(super) fn try_new(kernel: &Arc<Kernel>) -> Result<Self> {
        Ok(Self { accumulators: kernel.new_accumulators()?, ids: vec![], places: vec![], rows: vec![] })
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Adds a part. All numbers are below `numbers`.
    pub(super) fn add(&mut self, part: &Part, numbers: usize) -> Result<()> {
        if part.ids.is_empty() {
            return Ok(());
        }
        if self.places.len() < numbers {
            self.places.resize(numbers, 0);
        }
        self.rows.clear();
        for id in &part.ids {
            let place = &mut self.places[*id];
            if *place == 0 {
                self.ids.push(*id);
                *place = self.ids.len() as u32;
            }
            self.rows.push(*place as usize - 1);
        }
        self.accumulators.merge(&part.states, &self.rows, self.ids.len())
    }

    /// What it is now, as a part. It stays what it is.
    pub(super) fn snapshot(&mut self) -> Result<Part> {
        let states = self.accumulators.states()?;
        self.rows.clear();
        self.rows.extend(0..self.ids.len());
        self.accumulators.merge(&states, &self.rows, self.ids.len())?;
        Ok(Part { ids: self.ids.clone(), states })
    }

    /// Takes the results out. Nothing is in it afterwards.
    pub(super) fn finish(&mut self, dictionary: &mut Dictionary) -> Result<Rows> {
        let values = self.accumulators.values()?;
        let keys = dictionary.keys(&self.ids)?;
        let len = self.ids.len();
        self.clear_numbers();
        Ok(Rows { keys, values, len })
    }

    /// Takes the partial states out. Nothing is in it afterwards.
    pub(super) fn seal(&mut self) -> Result<Part> {
        let states = self.accumulators.states()?;
        let part = Part { ids: self.ids.clone(), states };
        self.clear_numbers();
        Ok(part)
    }

    fn clear_numbers(&mut self) {
        self.ids.clear();
        self.places.clear();
    }

    pub(super) fn bytes(&self) -> usize {
        let places = self.places.capacity() * size_of::<u32>();
        self.accumulators.bytes() + places + (self.ids.capacity() + self.rows.capacity()) * size_of::<usize>()
    }
}
