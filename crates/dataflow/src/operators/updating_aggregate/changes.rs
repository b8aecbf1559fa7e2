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
    /// The new results that are not as they were, by their row.
    pub changed: Vec<u32>,
}

/// Results of some groups.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The groups that have one, by their place among those asked about, ascending.
    pub groups: &'a [u32],
    /// A row for each of them.
    pub values: &'a [ArrayRef],
}

/// What changes for groups with `keys`, which now have the results `new` and had `old`. A retraction comes right before the
/// insertion that replaces it.
pub fn changes(keys: &[ArrayRef], groups: usize, new: Side, old: Side) -> Result<Changes> {
    let (mut was, mut is) = (vec![], vec![]);
    let (mut had, mut has) = (0, 0);
    // Which groups are on both sides, and where.
    while let (Some(a), Some(b)) = (old.groups.get(had), new.groups.get(has)) {
        if a == b {
            was.push(had as u32);
            is.push(has as u32);
        }
        (had, has) = (had + usize::from(a <= b), has + usize::from(b <= a));
    }
    let both = was.len();
    let rows = |values: &[ArrayRef], at: Vec<u32>| -> Result<Vec<ArrayRef>> {
        let at = UInt32Array::from(at);
        values.iter().map(|a| Ok(take(a, &at, None)?)).collect()
    };
    let same = unchanged(&rows(old.values, was)?, &rows(new.values, is)?, both)?;
    let (mut changed, mut of, mut picks, mut weights) = (vec![], vec![], vec![], vec![]);
    let (mut had, mut has, mut seen) = (0, 0, 0);
    for group in 0..groups as u32 {
        let before = old.groups.get(had) == Some(&group);
        let now = new.groups.get(has) == Some(&group);
        let stays = before && now && same.value(seen);
        if before && !stays {
            of.push(group);
            picks.push((0, had));
            weights.push(-1);
        }
        if now && !stays {
            changed.push(has as u32);
            of.push(group);
            picks.push((1, has));
            weights.push(1);
        }
        had += usize::from(before);
        has += usize::from(now);
        seen += usize::from(before && now);
    }
    let of = UInt32Array::from(of);
    let mut columns = keys.iter().map(|k| Ok(take(k, &of, None)?)).collect::<Result<Vec<_>>>()?;
    for (old, new) in old.values.iter().zip(new.values) {
        columns.push(interleave(&[old.as_ref(), new.as_ref()], &picks)?);
    }
    let weights = (weights.len() > changed.len()).then(|| Int64Array::from(weights));
    Ok(Changes { columns, weights, changed })
}

/// For each row, whether the two sides are the same; NULL is the same as NULL.
pub(crate) fn unchanged(old: &[ArrayRef], new: &[ArrayRef], rows: usize) -> Result<BooleanBuffer> {
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
