//! Aggregates over all values in their order: the values are kept, and the result is picked among them at the end.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{SortOptions, concat, filter, is_not_null, sort_to_indices, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::Accumulator;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::scalar::ScalarValue;

/// Finds the place of the result among values that are there, sorted.
pub(super) type Pick = Box<dyn Fn(&ArrayRef) -> Result<usize> + Send + Sync>;

/// All values that are not NULL.
pub(super) struct OrderedValues {
    pick: Pick,
    descending: bool,
    of: DataType,
    parts: Vec<ArrayRef>,
}

impl fmt::Debug for OrderedValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderedValues").field("of", &self.of).finish_non_exhaustive()
    }
}

impl OrderedValues {
    /// Of the first argument of a call, in the order that `WITHIN GROUP` says, or in descending order.
    pub(super) fn of_call(args: &AccumulatorArgs<'_>, descending: bool, pick: Pick) -> Self {
        let descending = descending || args.order_bys.first().is_some_and(|o| o.options.descending);
        Self { pick, descending, of: args.expr_fields[0].data_type().clone(), parts: vec![] }
    }

    fn all(&mut self) -> Result<Option<ArrayRef>> {
        if self.parts.len() > 1 {
            let parts: Vec<&dyn Array> = self.parts.iter().map(|p| p.as_ref()).collect();
            self.parts = vec![concat(&parts)?];
        }
        Ok(self.parts.first().cloned())
    }
}

/// The partial state: one list.
pub(super) fn state_fields(args: &StateFieldsArgs<'_>) -> Vec<FieldRef> {
    let list = DataType::List(item(args.input_fields[0].data_type()));
    vec![Arc::new(Field::new(format!("{}[values]", args.name), list, true))]
}

fn item(of: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(of.clone(), true))
}

impl Accumulator for OrderedValues {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = filter(&values[0], &is_not_null(&values[0])?)?;
        if !values.is_empty() {
            self.parts.push(values);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        (0..lists.len()).filter(|row| lists.is_valid(*row)).try_for_each(|row| self.update_batch(&[lists.value(row)]))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let Some(values) = self.all()? else { return ScalarValue::try_new_null(&self.of) };
        let options = SortOptions { descending: self.descending, nulls_first: false };
        let sorted = take(&values, &sort_to_indices(&values, Some(options), None)?, None)?;
        ScalarValue::try_from_array(&sorted, (self.pick)(&sorted)?)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Some(values) = self.all()? else {
            return Ok(vec![ScalarValue::try_new_null(&DataType::List(item(&self.of)))?]);
        };
        let offsets = OffsetBuffer::from_lengths([values.len()]);
        Ok(vec![ScalarValue::List(Arc::new(ListArray::try_new(item(&self.of), offsets, values, None)?))])
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.parts.iter().map(|p| p.get_array_memory_size()).sum::<usize>()
    }
}
