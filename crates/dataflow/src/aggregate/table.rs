//! Groups and their aggregates together, and what becomes of them when they are sealed.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take_arrays;
use datafusion_common::ScalarValue;
use tidemill_core::Result;

use crate::aggregate::accumulators::Accumulators;
use crate::aggregate::groups::Groups;
use crate::aggregate::kernel::{Inputs, Kernel, conform};
use crate::expression::data_error;

/// One open, mutable table of groups with partial aggregates.
pub struct Table {
    kernel: Arc<Kernel>,
    groups: Groups,
    accumulators: Accumulators,
    /// Group numbers of a batch; kept for its room.
    ids: Vec<usize>,
}

/// A sealed table: a row for each group, immutable, cheap to clone.
#[derive(Debug, Clone)]
pub struct Segment {
    /// The keys, and the grouping id where there are sets.
    pub keys: Vec<ArrayRef>,
    /// The partial states of all aggregates, as [`Kernel::state_fields`] lists them.
    pub states: Vec<ArrayRef>,
    /// How many groups.
    pub rows: usize,
}

impl Table {
    /// A table without groups.
    pub fn try_new(kernel: &Arc<Kernel>) -> Result<Self> {
        Ok(Self {
            groups: kernel.new_groups()?,
            accumulators: kernel.new_accumulators()?,
            kernel: kernel.clone(),
            ids: vec![],
        })
    }

    /// Takes in rows; with grouping sets, each row once for each set.
    pub fn update(&mut self, inputs: &Inputs) -> Result<()> {
        for keys in self.kernel.sets().keys_of(inputs)? {
            self.groups.intern(&keys, inputs.rows, &mut self.ids)?;
            self.accumulators.update(inputs, &self.ids, self.groups.len())?;
        }
        Ok(())
    }

    /// Takes in the groups of a sealed table.
    pub fn merge(&mut self, segment: &Segment) -> Result<()> {
        self.groups.intern(&segment.keys, segment.rows, &mut self.ids)?;
        self.accumulators.merge(&segment.states, &self.ids, self.groups.len())
    }

    /// Makes the groups that have a result although there is no row, unless they are there: `COUNT(*)` over nothing is 0.
    ///
    /// Accumulators for many groups take it that each group has had a row, so such a group gets the state of a single
    /// accumulator that had none.
    pub fn open_totals(&mut self) -> Result<()> {
        for keys in self.kernel.totals()? {
            let before = self.groups.len();
            self.groups.intern(&keys, 1, &mut self.ids)?;
            if self.groups.len() > before {
                let states = self.states_of_nothing()?;
                self.accumulators.merge(&states, &self.ids, self.groups.len())?;
            }
        }
        Ok(())
    }

    fn states_of_nothing(&self) -> Result<Vec<ArrayRef>> {
        let mut states: Vec<ArrayRef> = vec![];
        for function in self.kernel.functions() {
            let state = function.create_accumulator().and_then(|mut a| a.state()).map_err(data_error)?;
            // AVG for many groups takes any count that is there, even 0, for a value that it has seen, and divides by it.
            let seen_by_its_count = function.fun().name() == "avg";
            for value in state {
                let value = match seen_by_its_count {
                    true => ScalarValue::try_new_null(&value.data_type()).map_err(data_error)?,
                    false => value,
                };
                states.push(value.to_array().map_err(data_error)?);
            }
        }
        let fields = self.kernel.state_fields();
        states.into_iter().zip(fields).map(|(state, field)| conform(state, field.data_type())).collect()
    }

    /// Takes everything out as partial states. The table has no groups afterwards, and can be used again.
    pub fn seal(&mut self) -> Result<Segment> {
        let rows = self.groups.len();
        Ok(Segment { keys: self.groups.emit()?, states: self.accumulators.states()?, rows })
    }

    /// Takes everything out: keys and results, a row for each group. The table has no groups afterwards, and can be used
    /// again.
    pub fn finish(&mut self) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>)> {
        Ok((self.groups.emit()?, self.accumulators.values()?))
    }

    /// How many groups.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Bytes held, about. Not for hot paths: some accumulators count.
    pub fn bytes(&self) -> usize {
        self.groups.bytes() + self.accumulators.bytes() + self.ids.capacity() * size_of::<usize>()
    }
}

impl Segment {
    /// Of the columns of a batch: first the keys, then the states.
    pub fn from_columns(kernel: &Kernel, columns: &[ArrayRef], rows: usize) -> Self {
        let (keys, states) = columns.split_at(kernel.key_schema().fields().len());
        Self { keys: keys.to_vec(), states: states.to_vec(), rows }
    }

    /// All columns: first the keys, then the states.
    pub fn columns(&self) -> Vec<ArrayRef> {
        self.keys.iter().chain(&self.states).cloned().collect()
    }

    /// `len` groups from `offset` on, without copying.
    #[must_use]
    pub fn slice(&self, offset: usize, len: usize) -> Self {
        let all = |list: &[ArrayRef]| list.iter().map(|a| a.slice(offset, len)).collect();
        Self { keys: all(&self.keys), states: all(&self.states), rows: len }
    }

    /// The groups at `indices`, in that order.
    pub fn take(&self, indices: &UInt32Array) -> Result<Self> {
        Ok(Self {
            keys: take_arrays(&self.keys, indices, None)?,
            states: take_arrays(&self.states, indices, None)?,
            rows: indices.len(),
        })
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.keys.iter().chain(&self.states).map(|a| a.get_array_memory_size()).sum()
    }
}
