//! From what was put out for a window to what should have been: a retraction and an insertion for each group that differs.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, Int64Array, UInt32Array, make_comparator};
use arrow::compute::{SortOptions, concat, take};
use tidemill_core::Result;
use tidemill_plan::window::Span;

use crate::aggregate::Kernel;
use crate::operators::window_aggregate::output::{Closed, Rows};

/// The changes that lead from `before` to `after`: first the retractions, then the insertions.
pub(super) fn correction(kernel: &Kernel, window: Span, before: &Rows, after: &Rows) -> Result<Option<Closed>> {
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
    let (gone, come) = (UInt32Array::from(gone), UInt32Array::from(come));
    let both = |before: &[ArrayRef], after: &[ArrayRef]| -> Result<Vec<ArrayRef>> {
        let one = |(b, a): (&ArrayRef, &ArrayRef)| {
            Ok(concat(&[take(b, &gone, None)?.as_ref(), take(a, &come, None)?.as_ref()])?)
        };
        before.iter().zip(after).map(one).collect()
    };
    let len = gone.len() + come.len();
    let rows = Rows { keys: both(&before.keys, &after.keys)?, values: both(&before.values, &after.values)?, len };
    let weights = (0..len).map(|i| if i < gone.len() { -1 } else { 1 });
    Ok(Some(Closed { window, rows, weights: Some(Int64Array::from_iter_values(weights)) }))
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
