//! Aggregates that need their rows in the order of their `ORDER BY`, such as `NTH_VALUE(x, 2 ORDER BY y)`.
//!
//! A batch engine sorts the whole input below such an aggregate. A stream cannot; but the partial states of these
//! functions carry their ordering with them and are merged by it. So each batch is sorted and aggregated by itself, and
//! its states are merged into those from before.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::{SortColumn, lexsort_to_indices, take};
use datafusion_common::Result;
use datafusion_expr::{EmitTo, GroupsAccumulator};
use datafusion_functions_aggregate_common::order::AggregateOrderSensitivity;
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;

use crate::aggregate::one_each::OneEach;

/// Whether `function` gives a wrong answer if its rows do not come in order. Those with `WITHIN GROUP (ORDER BY ..)` put
/// their rows in order themselves.
pub(super) fn needs_order(function: &AggregateFunctionExpr) -> bool {
    function.order_sensitivity() == AggregateOrderSensitivity::HardRequirement
        && !function.fun().supports_within_group_clause()
}

/// Sorts each batch, and merges what it gives.
pub(super) struct Ordered {
    function: Arc<AggregateFunctionExpr>,
    merged: OneEach,
}

impl Ordered {
    pub(super) fn new(function: Arc<AggregateFunctionExpr>) -> Self {
        Self { merged: OneEach::new(function.clone()), function }
    }

    fn in_order(&self, values: &[ArrayRef]) -> Result<UInt32Array> {
        let orders = self.function.order_bys();
        let columns = values[values.len() - orders.len()..].iter().zip(orders);
        let columns: Vec<SortColumn> =
            columns.map(|(a, o)| SortColumn { values: a.clone(), options: Some(o.options) }).collect();
        Ok(lexsort_to_indices(&columns, None)?)
    }
}

impl GroupsAccumulator for Ordered {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        ids: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        if ids.is_empty() {
            return self.merged.update_batch(values, ids, filter, groups);
        }
        let order = self.in_order(values)?;
        let values = values.iter().map(|a| Ok(take(a, &order, None)?)).collect::<Result<Vec<_>>>()?;
        let filter = filter.map(|f| take(f, &order, None)).transpose()?;
        let filter = filter.as_deref().and_then(|f| f.as_any().downcast_ref::<BooleanArray>());
        let ids: Vec<usize> = order.values().iter().map(|i| ids[*i as usize]).collect();
        // The groups of this batch, numbered by themselves.
        let mut own: Vec<usize> = ids.clone();
        own.sort_unstable();
        own.dedup();
        let place = |id: &usize| own.binary_search(id).expect("each group is in the list of groups");
        let mut batch = OneEach::new(self.function.clone());
        batch.update_batch(&values, &ids.iter().map(place).collect::<Vec<_>>(), filter, own.len())?;
        self.merged.merge_batch(&batch.state(EmitTo::All)?, &own, groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.merged.evaluate(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.merged.state(emit_to)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], ids: &[usize], groups: usize) -> Result<()> {
        self.merged.merge_batch(values, ids, groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.merged.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.merged.size()
    }
}
