//! Functions without a form for many groups: an accumulator for each group.
//!
//! DataFusion has an adapter for this too. It looks at every group with every batch, which is nothing for a batch engine
//! and too much for an epoch of a few rows beside many groups; this one looks at the groups that have rows in the batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::take_arrays;
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;

/// The accumulators of all groups.
pub(super) struct OneEach {
    function: Arc<AggregateFunctionExpr>,
    groups: Vec<Box<dyn Accumulator>>,
    /// For each group, its rows in the batch at hand; all empty in between.
    rows: Vec<Vec<u32>>,
}

impl OneEach {
    pub(super) fn new(function: Arc<AggregateFunctionExpr>) -> Self {
        Self { function, groups: vec![], rows: vec![] }
    }

    /// Hands each group its rows of `values`, in their order.
    fn each(
        &mut self,
        values: &[ArrayRef],
        ids: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
        take_in: impl Fn(&mut dyn Accumulator, &[ArrayRef]) -> Result<()>,
    ) -> Result<()> {
        while self.groups.len() < groups {
            self.groups.push(self.function.create_accumulator()?);
        }
        self.rows.resize_with(self.groups.len(), Vec::new);
        let counts = |row: usize| filter.is_none_or(|f| f.is_valid(row) && f.value(row));
        let mut touched = vec![];
        for (row, id) in ids.iter().enumerate().filter(|(row, _)| counts(*row)) {
            let rows = &mut self.rows[*id];
            if rows.is_empty() {
                touched.push(*id);
            }
            rows.push(row as u32);
        }
        if let [all] = touched[..]
            && self.rows[all].len() == ids.len()
        {
            self.rows[all].clear();
            return take_in(self.groups[all].as_mut(), values);
        }
        let order: UInt32Array = touched.iter().flat_map(|id| &self.rows[*id]).copied().collect::<Vec<_>>().into();
        let values = take_arrays(values, &order, None)?;
        let mut from = 0;
        for id in touched {
            let len = self.rows[id].len();
            self.rows[id].clear();
            let own: Vec<ArrayRef> = values.iter().map(|a| a.slice(from, len)).collect();
            take_in(self.groups[id].as_mut(), &own)?;
            from += len;
        }
        Ok(())
    }

    fn emit(&mut self, emit_to: EmitTo) -> Vec<Box<dyn Accumulator>> {
        self.rows = vec![];
        emit_to.take_needed(&mut self.groups)
    }
}

impl GroupsAccumulator for OneEach {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        ids: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.each(values, ids, filter, groups, |accumulator, own| accumulator.update_batch(own))
    }

    fn merge_batch(&mut self, values: &[ArrayRef], ids: &[usize], groups: usize) -> Result<()> {
        self.each(values, ids, None, groups, |accumulator, own| accumulator.merge_batch(own))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let results = self.emit(emit_to).into_iter().map(|mut a| a.evaluate()).collect::<Result<Vec<_>>>()?;
        ScalarValue::iter_to_array(results)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let mut columns: Vec<Vec<ScalarValue>> = vec![];
        for mut accumulator in self.emit(emit_to) {
            let state = accumulator.state()?;
            columns.resize_with(state.len(), Vec::new);
            columns.iter_mut().zip(state).for_each(|(column, value)| column.push(value));
        }
        columns.into_iter().map(ScalarValue::iter_to_array).collect()
    }

    fn convert_to_state(&self, _values: &[ArrayRef], _filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        internal_err!("rows are aggregated before they are sealed")
    }

    fn size(&self) -> usize {
        let own: usize = self.groups.iter().map(|a| a.size() + size_of::<Box<dyn Accumulator>>()).sum();
        own + self.rows.iter().map(|r| size_of::<Vec<u32>>() + r.capacity() * size_of::<u32>()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion_functions_aggregate::count::count_udaf;
    use datafusion_physical_expr::aggregate::AggregateExprBuilder;
    use datafusion_physical_expr::expressions::col;

    use super::*;

    #[test]
    fn groups_without_rows_in_a_batch_are_left_alone() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8, true)]));
        let distinct = AggregateExprBuilder::new(count_udaf(), vec![col("a", &schema).unwrap()]).distinct();
        let function = Arc::new(distinct.schema(schema).alias("n").build().unwrap());
        let mut each = OneEach::new(function.clone());
        let values = |v: &[&str]| vec![Arc::new(StringArray::from(v.to_vec())) as ArrayRef];
        each.update_batch(&values(&["x", "y", "x", "z"]), &[0, 1, 0, 0], None, 2).unwrap();
        let only = BooleanArray::from(vec![Some(true), Some(false), None]);
        each.update_batch(&values(&["u", "v", "w"]), &[2, 1, 1], Some(&only), 3).unwrap();
        let states = each.state(EmitTo::All).unwrap();
        let mut merged = OneEach::new(function);
        merged.merge_batch(&states, &[0, 0, 1], 2).unwrap();
        let counts: ArrayRef = Arc::new(Int64Array::from(vec![3, 1]));
        assert_eq!(&merged.evaluate(EmitTo::All).unwrap(), &counts);
    }
}
