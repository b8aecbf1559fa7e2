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

/// For so few parts, looking at all rows for each of them takes less time than a place for each row.
const FEW: usize = 4;

/// For each of `count` parts its rows, in their order: row `i` is in part `parts[i]`.
pub(super) fn part(parts: &[u32], count: usize) -> Vec<Option<Rows>> {
    let changes: usize = parts.windows(2).map(|w| usize::from(w[0] != w[1])).sum();
    if changes < count
        && let Some(runs) = in_runs(parts, count)
    {
        return runs;
    }
    let mut rows = vec![0_u32; parts.len()];
    let mut ends = Vec::with_capacity(count);
    if count <= FEW {
        // One more place than rows: what is written there is not a row of the part.
        rows.push(0);
        let mut next = 0;
        for p in 0..count as u32 {
            for (row, own) in parts.iter().enumerate() {
                rows[next] = row as u32;
                next += usize::from(*own == p);
            }
            ends.push(next);
        }
        rows.pop();
    } else {
        // A counting sort: how many rows each part has, where it begins, and then each row to its place.
        let mut counts = vec![0; count];
        parts.iter().for_each(|p| counts[*p as usize] += 1);
        ends.extend(counts.iter().scan(0, |sum, n| Some(std::mem::replace(sum, *sum + n))));
        for (row, p) in parts.iter().enumerate() {
            let place = &mut ends[*p as usize];
            rows[*place] = row as u32;
            *place += 1;
        }
    }
    let rows = ScalarBuffer::from(rows);
    let starts = std::iter::once(&0).chain(&ends);
    let some = |(start, end): (&usize, &usize)| {
        (start < end).then(|| Rows::At(UInt32Array::new(rows.slice(*start, end - start), None)))
    };
    starts.zip(&ends).map(some).collect()
}

/// The rows of each part, if those of no part are in two places.
fn in_runs(parts: &[u32], count: usize) -> Option<Vec<Option<Rows>>> {
    let mut out = vec![None; count];
    let mut from = 0;
    for run in parts.chunk_by(|a, b| a == b) {
        let rows = if run.len() == parts.len() { Rows::All } else { Rows::Run(from, run.len()) };
        if out[run[0] as usize].replace(rows).is_some() {
            return None;
        }
        from += run.len();
    }
    Some(out)
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
        let many = [5, 0, 5, 3, 0, 3, 5, 0];
        check(&many, 6, vec![at(vec![1, 4, 7]), None, None, at(vec![3, 5]), None, at(vec![0, 2, 6])]);
    }
}
