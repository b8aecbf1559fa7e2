//! The rows of a batch, parted by where they count: without copying where they lie together.

use arrow::array::UInt32Array;
use arrow::buffer::ScalarBuffer;
use tidemill_core::Result;

use crate::aggregate::Inputs;

/// Some rows of a batch.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rows {
    All,
    /// So many from here on.
    Run(usize, usize),
    At(UInt32Array),
}

impl Rows {
    /// The inputs of these rows.
    pub(super) fn of(&self, inputs: &Inputs) -> Result<Inputs> {
        match self {
            Self::All => Ok(inputs.clone()),
            Self::Run(from, len) => Ok(inputs.slice(*from, *len)),
            Self::At(rows) => inputs.take(rows),
        }
    }
}

/// For each of `count` parts its rows, in their order: row `i` is in part `parts[i]`.
pub(super) fn part(parts: &[u32], count: usize) -> Vec<Option<Rows>> {
    let mut rows = vec![0_u32; count];
    let mut runs = vec![0_u32; count];
    let mut before = u32::MAX;
    for p in parts {
        rows[*p as usize] += 1;
        runs[*p as usize] += u32::from(*p != before);
        before = *p;
    }
    if runs.iter().all(|r| *r <= 1) {
        return in_runs(parts, &rows);
    }
    // A counting sort: where each part begins, and then each row to its place.
    let mut next: Vec<u32> = rows.iter().scan(0, |sum, n| Some(std::mem::replace(sum, *sum + n))).collect();
    let mut sorted = vec![0_u32; parts.len()];
    for (row, p) in parts.iter().enumerate() {
        let place = &mut next[*p as usize];
        sorted[*place as usize] = row as u32;
        *place += 1;
    }
    let sorted = ScalarBuffer::from(sorted);
    let some = |(n, end): (&u32, &u32)| {
        let (n, end) = (*n as usize, *end as usize);
        (n > 0).then(|| Rows::At(UInt32Array::new(sorted.slice(end - n, n), None)))
    };
    rows.iter().zip(&next).map(some).collect()
}

fn in_runs(parts: &[u32], rows: &[u32]) -> Vec<Option<Rows>> {
    let mut out = vec![None; rows.len()];
    let mut from = 0;
    while from < parts.len() {
        let len = rows[parts[from] as usize] as usize;
        out[parts[from] as usize] = Some(if len == parts.len() { Rows::All } else { Rows::Run(from, len) });
        from += len;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parts: &[u32], count: usize, expected: Vec<Option<Rows>>) {
        assert_eq!(part(parts, count), expected);
    }

    #[test]
    fn rows_that_lie_together_are_not_copied() {
        check(&[1, 1, 1], 2, vec![None, Some(Rows::All)]);
        check(&[2, 0, 0], 3, vec![Some(Rows::Run(1, 2)), None, Some(Rows::Run(0, 1))]);
        let at = |v: Vec<u32>| Some(Rows::At(UInt32Array::from(v)));
        check(&[2, 0, 2, 0], 3, vec![at(vec![1, 3]), None, at(vec![0, 2])]);
        check(&[], 1, vec![None]);
    }
}
