//! `MIN` and `MAX` over rows that are never taken back: one value for each group is enough.

use arrow::array::ArrayRef;
use tidemill_core::Result;

use super::extreme::Ordered;
use super::{Changing, Rows, grow};

/// The least or the greatest value so far of each group.
pub struct RunningExtreme<O: Ordered> {
    order: O,
    greatest: bool,
    values: Vec<Option<O::Key>>,
}

impl<O: Ordered> RunningExtreme<O> {
    /// `MIN`, or `MAX`, of values in `order`.
    pub fn new(order: O, greatest: bool) -> Self {
        Self { order, greatest, values: vec![] }
    }
}

impl<O: Ordered> Changing for RunningExtreme<O> {
    fn change(&mut self, rows: Rows) -> Result<()> {
        self.order.read(&rows.args[0])?;
        grow(&mut self.values, rows.groups, None);
        let (order, values, greatest) = (&self.order, &mut self.values, self.greatest);
        rows.each(|row, id, weight| {
            debug_assert!(weight > 0, "no row is taken back");
            let beaten = values[id].as_ref().is_none_or(|value| {
                let order = order.compare(row, value);
                if greatest { order.is_gt() } else { order.is_lt() }
            });
            if beaten {
                values[id] = Some(order.key(row));
            }
        });
        Ok(())
    }

    fn values(&mut self, groups: &[usize]) -> Result<ArrayRef> {
        self.order.column(groups.iter().map(|g| self.values.get(*g).and_then(Option::as_ref)).collect())
    }

    fn forget(&mut self, groups: &[usize]) {
        for group in groups {
            if let Some(value) = self.values.get_mut(*group) {
                *value = None;
            }
        }
    }

    fn renumber(&mut self, old: &[usize]) -> Result<()> {
        self.values = old.iter().map(|id| self.values.get_mut(*id).and_then(Option::take)).collect();
        Ok(())
    }

    fn bytes(&self) -> usize {
        let heap: usize = self.values.iter().flatten().map(O::heap).sum();
        size_of_val(&self.values[..]) + heap
    }
}
