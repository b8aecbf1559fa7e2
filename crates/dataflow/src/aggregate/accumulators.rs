//! The aggregates of all groups of a table, in columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, new_empty_array};
use arrow::datatypes::FieldRef;
use datafusion_expr::{EmitTo, GroupsAccumulator};
use tidemill_core::{Error, Result};

use crate::aggregate::kernel::{Inputs, Kernel, conform};
use crate::expression::data_error;

/// One accumulator for each call of a kernel, over the same groups.
pub struct Accumulators {
    kernel: Arc<Kernel>,
    list: Vec<Box<dyn GroupsAccumulator>>,
    /// How many groups they know of.
    groups: usize,
}

impl Accumulators {
    pub(super) fn new(kernel: Arc<Kernel>, list: Vec<Box<dyn GroupsAccumulator>>) -> Self {
        Self { kernel, list, groups: 0 }
    }

    /// Takes in rows: row `i` belongs to group `ids[i]` of `groups`.
    pub fn update(&mut self, inputs: &Inputs, ids: &[usize], groups: usize) -> Result<()> {
        self.groups = groups;
        let mut args: Vec<ArrayRef> = vec![];
        for (call, accumulator) in self.kernel.calls.iter().zip(&mut self.list) {
            args.clear();
            args.extend(call.args.iter().map(|a| inputs.args[*a].array.clone()));
            let filter = call.filter.map(|f| inputs.filters[f].as_filter());
            accumulator.update_batch(&args, ids, filter, groups).map_err(data_error)?;
        }
        Ok(())
    }

    /// Takes in partial states: row `i` of `states` belongs to group `ids[i]` of `groups`.
    pub fn merge(&mut self, states: &[ArrayRef], ids: &[usize], groups: usize) -> Result<()> {
        self.groups = groups;
        let mut rest = states;
        for (call, accumulator) in self.kernel.calls.iter().zip(&mut self.list) {
            let Some((own, others)) = rest.split_at_checked(call.state_columns) else {
                return Err(Error::internal("partial states with too few columns"));
            };
            accumulator.merge_batch(own, ids, groups).map_err(data_error)?;
            rest = others;
        }
        Ok(())
    }

    /// Takes the partial states out, a row for each group; there are no groups afterwards.
    pub fn states(&mut self) -> Result<Vec<ArrayRef>> {
        let fields = self.kernel.state_fields();
        if std::mem::take(&mut self.groups) == 0 {
            return Ok(fields.iter().map(|f| new_empty_array(f.data_type())).collect());
        }
        let mut states = Vec::with_capacity(fields.len());
        for accumulator in &mut self.list {
            states.extend(accumulator.state(EmitTo::All).map_err(data_error)?);
        }
        states.into_iter().zip(fields).map(|(a, f)| conform(a, f.data_type())).collect()
    }

    /// Takes the results out, a row for each group; there are no groups afterwards.
    pub fn values(&mut self) -> Result<Vec<ArrayRef>> {
        let fields = self.kernel.value_fields();
        if std::mem::take(&mut self.groups) == 0 {
            return Ok(fields.iter().map(|f| new_empty_array(f.data_type())).collect());
        }
        let one = |(accumulator, field): (&mut Box<dyn GroupsAccumulator>, &FieldRef)| {
            conform(accumulator.evaluate(EmitTo::All).map_err(data_error)?, field.data_type())
        };
        self.list.iter_mut().zip(fields).map(one).collect()
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.list.iter().map(|a| a.size()).sum()
    }
}
