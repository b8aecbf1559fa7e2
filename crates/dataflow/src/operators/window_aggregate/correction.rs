//! From what was put out for a window to what should have been: a retraction and an insertion for each group that differs.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, Int64Array, UInt32Array, make_comparator};
use arrow::compute::{SortOptions, concat, take_arrays};
use tidemill_core::{Delta, Result};
use tidemill_plan::window::Span;

use crate::aggregate::Kernel;
use crate::operators::window_aggregate::output::Output;

/// The groups of a window with their results.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) keys: Vec<ArrayRef>,
    pub(super) values: Vec<ArrayRef>,
    pub(super) len: usize,
}

impl Rows {
    pub(super) fn bytes(&self) -> usize {
        self.keys.iter().chain(&self.values).map(|a| a.get_array_memory_size()).sum()
    }

    fn take(&self, rows: &UInt32Array) -> Result<Self> {
        Ok(Self {
            keys: take_arrays(&self.keys, rows, None)?,
            values: take_arrays(&self.values, rows, None)?,
            len: rows.len(),
        })
    }
}

/// The changes that lead from `before` to `after`: first the retractions, then the insertions.
pub(super) fn correction(
    kernel: &Kernel,
    output: &Output,
    window: Span,
    before: &Rows,
    after: &Rows,
) -> Result<Option<Delta>> {
    // Groups of before have the numbers of their rows; what is new has higher ones.
    let mut groups = kernel.new_groups()?;
    let mut ids = vec![];
    groups.intern(&before.keys, before.len, &mut ids)?;
    groups.intern(&after.keys, after.len, &mut ids)?;
    let same = same_rows(&before.values, &after.values)?;
    let (mut gone, mut come) = (vec![], vec![]);
    for (row, id) in ids.iter().enumerate() {
        if *id >= before.len {
            come.push(row as u32);
        } else if !same(*id, row) {
            gone.push(*id as u32);
            come.push(row as u32);
        }
    }
    if come.is_empty() {
        return Ok(None);
    }
    let (gone, come) = (before.take(&gone.into())?, after.take(&come.into())?);
    let both = |a: &[ArrayRef], b: &[ArrayRef]| -> Result<Vec<ArrayRef>> {
        a.iter().zip(b).map(|(a, b)| Ok(concat(&[a.as_ref(), b.as_ref()])?)).collect()
    };
    let rows = gone.len + come.len;
    let batch = output.rows(window, both(&gone.keys, &come.keys)?, both(&gone.values, &come.values)?, rows)?;
    let weights = (0..rows).map(|i| if i < gone.len { -1 } else { 1 });
    Ok(Some(Delta::weighted(batch, Int64Array::from_iter_values(weights))))
}

type Same = Box<dyn Fn(usize, usize) -> bool>;

/// Whether row `i` of `a` has the same values as row `j` of `b`.
fn same_rows(a: &[ArrayRef], b: &[ArrayRef]) -> Result<Same> {
    let columns: Vec<Same> = a.iter().zip(b).map(|(a, b)| same_values(a.clone(), b.clone())).collect();
    Ok(Box::new(move |i, j| columns.iter().all(|same| same(i, j))))
}

fn same_values(a: ArrayRef, b: ArrayRef) -> Same {
    match make_comparator(&a, &b, SortOptions::default()) {
        Ok(compare) => Box::new(move |i, j| compare(i, j) == Ordering::Equal),
        // A type without an order.
        Err(_) => Box::new(move |i, j| a.slice(i, 1).to_data() == b.slice(j, 1).to_data()),
    }
}
