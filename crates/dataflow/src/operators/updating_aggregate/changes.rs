//! From the old and the new results of some groups to the rows that change one into the other.

use arrow::array::{Array, ArrayRef, Int64Array, UInt32Array, make_comparator};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{SortOptions, interleave, take};
use arrow::datatypes::DataType;

use tidemill_core::Result;

/// Rows to put out, with their weights; absent where all are insertions.
pub struct Changes {
    /// The keys, then the results.
    pub columns: Vec<ArrayRef>,
    /// One weight a row.
    pub weights: Option<Int64Array>,
    /// The groups with a new result, by their place among those asked about.
    pub changed: Vec<u32>,
}

/// What changes for groups with `keys` and results `new`. Group `had[i]` of them had the results in row `i` of `old`, the
/// others had none; `had` ascends. A retraction comes right before the insertion that replaces it.
pub fn changes(keys: &[ArrayRef], new: &[ArrayRef], groups: usize, had: &[u32], old: &[ArrayRef]) -> Result<Changes> {
    let before = UInt32Array::from(had.to_vec());
    let again = new.iter().map(|a| Ok(take(a, &before, None)?)).collect::<Result<Vec<_>>>()?;
    let same = unchanged(old, &again, had.len())?;
    let (mut changed, mut of, mut picks, mut weights) = (vec![], vec![], vec![], vec![]);
    let mut next = 0;
    for group in 0..groups {
        if had.get(next).is_some_and(|h| *h as usize == group) {
            next += 1;
            if same.value(next - 1) {
                continue;
            }
            of.push(group as u32);
            picks.push((0, next - 1));
            weights.push(-1);
        }
        changed.push(group as u32);
        of.push(group as u32);
        picks.push((1, group));
        weights.push(1);
    }
    let of = UInt32Array::from(of);
    let mut columns = keys.iter().map(|k| Ok(take(k, &of, None)?)).collect::<Result<Vec<_>>>()?;
    for (old, new) in old.iter().zip(new) {
        columns.push(interleave(&[old.as_ref(), new.as_ref()], &picks)?);
    }
    let weights = (weights.len() > changed.len()).then(|| Int64Array::from(weights));
    Ok(Changes { columns, weights, changed })
}

/// For each row, whether the two sides are the same; NULL is the same as NULL.
fn unchanged(old: &[ArrayRef], new: &[ArrayRef], rows: usize) -> Result<BooleanBuffer> {
    let mut same = BooleanBuffer::new_set(rows);
    for (old, new) in old.iter().zip(new) {
        let column = match old.data_type() {
            DataType::Null => continue,
            t if t.is_nested() => {
                let order = make_comparator(old, new, SortOptions::default())?;
                BooleanBuffer::collect_bool(rows, |i| order(i, i).is_eq())
            }
            _ => not_distinct(old, new)?.values().clone(),
        };
        same = &same & &column;
    }
    Ok(same)
}
