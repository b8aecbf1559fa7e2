//! Partial states of some groups, by the numbers of a dictionary, and their running sum.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::{concat, take_arrays};
use tidemill_core::{Micros, Result};

use crate::aggregate::{Accumulators, Kernel};
use crate::operators::window_aggregate::output::Rows;

/// Partial states, a row for each group; immutable.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    /// The number of each row's group; no two the same, but where several workers had the same group.
    pub(super) ids: Vec<usize>,
    pub(super) keys: Vec<ArrayRef>,
    pub(super) states: Vec<ArrayRef>,
}

/// The groups of a pane.
#[derive(Debug)]
pub(super) struct Pane {
    pub(super) start: Micros,
    pub(super) part: Part,
}

impl Part {
    pub(super) fn bytes(&self) -> usize {
        let arrays = self.keys.iter().chain(&self.states).map(|a| a.get_array_memory_size());
        self.ids.capacity() * size_of::<usize>() + arrays.sum::<usize>()
    }
}

/// Parts added up.
pub(super) struct Sum {
    accumulators: Accumulators,
    /// The groups in it, in the order they came.
    ids: Vec<usize>,
    /// Their keys, in pieces.
    keys: Vec<Vec<ArrayRef>>,
    /// For each number of the dictionary, one more than its group's place in `ids`, or 0.
    places: Vec<u32>,
    /// The places of a part's groups; kept for its room.
    rows: Vec<usize>,
}

impl Sum {
    pub(super) fn try_new(kernel: &Arc<Kernel>) -> Result<Self> {
        let accumulators = kernel.new_accumulators()?;
        Ok(Self { accumulators, ids: vec![], keys: vec![], places: vec![], rows: vec![] })
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
        self.rows.reserve(part.ids.len());
        let mut new: Vec<u32> = Vec::with_capacity(part.ids.len());
        for (row, id) in part.ids.iter().enumerate() {
            let place = &mut self.places[*id];
            if *place == 0 {
                self.ids.push(*id);
                *place = self.ids.len() as u32;
                new.push(row as u32);
            }
            self.rows.push(*place as usize - 1);
        }
        if new.len() == part.ids.len() {
            self.keys.push(part.keys.clone());
        } else if !new.is_empty() {
            self.keys.push(take_arrays(&part.keys, &UInt32Array::from(new), None)?);
        }
        self.accumulators.merge(&part.states, &self.rows, self.ids.len())
    }

    /// What it is now, as a part. It stays what it is.
    pub(super) fn snapshot(&mut self) -> Result<Part> {
        if self.ids.is_empty() {
            return Ok(Part::default());
        }
        let states = self.accumulators.states()?;
        self.rows.clear();
        self.rows.extend(0..self.ids.len());
        self.accumulators.merge(&states, &self.rows, self.ids.len())?;
        let keys = joined(&self.keys)?;
        self.keys = vec![keys.clone()];
        Ok(Part { ids: self.ids.clone(), keys, states })
    }

    /// Takes the results out. Nothing is in it afterwards.
    pub(super) fn finish(&mut self) -> Result<Rows> {
        let rows = Rows { keys: joined(&self.keys)?, values: self.accumulators.values()?, len: self.ids.len() };
        self.clear_numbers();
        Ok(rows)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) -> Result<()> {
        self.accumulators.states()?;
        self.clear_numbers();
        Ok(())
    }

    fn clear_numbers(&mut self) {
        self.ids.clear();
        self.keys.clear();
        self.places.clear();
    }

    pub(super) fn bytes(&self) -> usize {
        let keys: usize = self.keys.iter().flatten().map(|a| a.get_array_memory_size()).sum();
        let places = self.places.capacity() * size_of::<u32>();
        self.accumulators.bytes() + keys + places + (self.ids.capacity() + self.rows.capacity()) * size_of::<usize>()
    }
}

/// Pieces of columns, one after the other.
fn joined(pieces: &[Vec<ArrayRef>]) -> Result<Vec<ArrayRef>> {
    match pieces {
        [] => Ok(vec![]),
        [one] => Ok(one.clone()),
        many => {
            let column = |i: usize| many.iter().map(|p| p[i].as_ref()).collect::<Vec<&dyn Array>>();
            (0..many[0].len()).map(|i| Ok(concat(&column(i))?)).collect()
        }
    }
}
