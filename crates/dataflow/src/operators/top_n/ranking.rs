//! Which rows of a partition are in the range, and what changes in that when rows come and go: a pure function of sorted
//! rows.
//!
//! One walk in the order counts twice, for the rows as they were and as they are. It ends where both counts have left the
//! range, or where nothing has changed behind the last change.

use std::iter::Peekable;

use tidemill_plan::op::RankFunction;

use super::pending::head;

/// A row of a partition, as often as its weight says: the bytes of its place in the order come first.
#[derive(Debug, Clone, Copy)]
pub struct Ranked<'a> {
    /// The order, then the row.
    pub bytes: &'a [u8],
    /// How many of the bytes are the order.
    pub order: usize,
    /// How often the row is there, or comes (or goes, below zero).
    pub weight: i64,
}

/// The numbers of a row: one for each of `ROW_NUMBER`, `RANK` and `DENSE_RANK`; 0 where it is not asked for.
pub type Numbers = [u64; 3];

/// Which numbers are asked for, and which range is kept.
#[derive(Debug, Clone)]
pub struct Ranking {
    bound: RankFunction,
    first: u64,
    last: u64,
    row_number: bool,
    rank: bool,
    dense_rank: bool,
    dense_counts: bool,
}

/// How a walk ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// From these bytes on no row is in the range as the rows are now, however the walk went on.
    pub cut: Option<Vec<u8>>,
    /// Whether a row behind all that are there is out of the range; `None` where it is as it was before.
    pub full: Option<bool>,
}

/// How far a walk has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    rows: u64,
    rank: u64,
    dense: u64,
    /// Whether there was a row of this place in the order.
    here: bool,
}

/// How often a row is in the range, with which row numbers (where those are asked for), and its other numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct In {
    from: u64,
    to: u64,
    numbers: Numbers,
}

impl Ranking {
    /// Rows whose number by `bound` is from `first` to `last`; `ranks` are put out with them.
    pub fn new(bound: RankFunction, first: u64, last: Option<u64>, ranks: &[RankFunction]) -> Self {
        let dense_rank = ranks.contains(&RankFunction::DenseRank);
        Self {
            bound,
            first: first.max(1),
            last: last.unwrap_or(u64::MAX),
            row_number: ranks.contains(&RankFunction::RowNumber),
            rank: ranks.contains(&RankFunction::Rank),
            dense_rank,
            dense_counts: dense_rank || bound == RankFunction::DenseRank,
        }
    }

    /// Whether no row is ever in the range.
    pub fn is_empty(&self) -> bool {
        self.last < self.first
    }

    /// Hands to `out` what changes in the range of a partition that holds `held` when `changes` come: rows, their numbers,
    /// and by how much they are there more or less often. Both are sorted by their bytes, each row once. Where `all`, the
    /// rows that were there are taken for new.
    pub fn walk<'a>(
        &self,
        held: impl Iterator<Item = Ranked<'a>>,
        changes: impl Iterator<Item = Ranked<'a>>,
        all: bool,
        mut out: impl FnMut(&'a [u8], Numbers, i64),
    ) -> Walked {
        let (mut held, mut changes) = (held.peekable(), changes.peekable());
        let (mut old, mut new) = (Count::default(), Count::default());
        let mut place: Option<&[u8]> = None;
        let mut cut = None;
        loop {
            if !all && changes.peek().is_none() && old == new && place.is_some() {
                // Behind here everything is as it was.
                return Walked { full: cut.is_some().then_some(true), cut };
            }
            let Some((row, before, after)) = next(&mut held, &mut changes) else { break };
            let order = &row.bytes[..row.order];
            let another = place != Some(order);
            if another {
                place = Some(order);
                (old.here, new.here) = (false, false);
            }
            if cut.is_none() && self.over(&new, another) {
                cut = Some(row.bytes.to_vec());
            }
            if cut.is_some() && (all || self.over(&old, another)) {
                return Walked { cut, full: Some(true) };
            }
            let was = if all { None } else { self.count(&mut old, before) };
            let is = self.count(&mut new, after);
            self.differ(&row.bytes[row.order..], was, is, &mut out);
        }
        Walked { full: Some(cut.is_some() || self.over(&new, true)), cut }
    }

    /// Of these rows those that may be in the range, as far as the others and their places in the order tell: where rows are
    /// only added, the others need not be looked at as a whole.
    pub fn contenders<'a>(
        &self,
        mut rows: Vec<u32>,
        partition: impl Fn(usize) -> usize,
        order: impl Fn(usize) -> &'a [u8],
    ) -> Vec<u32> {
        if self.last == u64::MAX || rows.len() < 2 {
            return rows;
        }
        let mut sorted: Vec<(usize, u128, u32)> =
            rows.iter().map(|row| (partition(*row as usize), head(order(*row as usize)), *row)).collect();
        sorted.sort_unstable_by(|a, b| {
            (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| order(a.2 as usize).cmp(order(b.2 as usize)))
        });
        rows.clear();
        for rows_of_one in sorted.chunk_by(|a, b| a.0 == b.0) {
            let (mut count, mut place) = (Count::default(), None);
            for (_, _, row) in rows_of_one {
                // Which of equals come first the rest of their columns decides.
                if place != Some(order(*row as usize)) {
                    if self.over(&count, true) {
                        break;
                    }
                    place = Some(order(*row as usize));
                    count.here = false;
                }
                self.count(&mut count, 1);
                rows.push(*row);
            }
        }
        rows.sort_unstable();
        rows
    }

    /// Whether the range has been left; `another` is whether the next row has another place in the order.
    fn over(&self, count: &Count, another: bool) -> bool {
        match self.bound {
            RankFunction::RowNumber => count.rows >= self.last,
            RankFunction::Rank => another && count.rows >= self.last,
            RankFunction::DenseRank => another && count.dense >= self.last,
        }
    }

    /// Counts a row that is there `weight` times.
    fn count(&self, count: &mut Count, weight: i64) -> Option<In> {
        let weight = u64::try_from(weight).unwrap_or(0);
        if weight == 0 {
            return None;
        }
        if !count.here {
            count.here = true;
            count.rank = count.rows + 1;
            count.dense += u64::from(self.dense_counts);
        }
        let (from, to) = (count.rows + 1, count.rows.saturating_add(weight));
        count.rows = to;
        let range = |n: u64| (self.first..=self.last).contains(&n).then_some((from, to));
        let (from, to) = match self.bound {
            RankFunction::RowNumber => (from.max(self.first), to.min(self.last)),
            RankFunction::Rank => range(count.rank)?,
            RankFunction::DenseRank => range(count.dense)?,
        };
        let numbers = [0, if self.rank { count.rank } else { 0 }, if self.dense_rank { count.dense } else { 0 }];
        (from <= to).then_some(In { from, to, numbers })
    }

    fn differ<'a>(&self, row: &'a [u8], was: Option<In>, is: Option<In>, out: &mut impl FnMut(&'a [u8], Numbers, i64)) {
        if was == is {
            return;
        }
        if !self.row_number {
            let times = |i: In| (i.to - i.from + 1) as i64;
            match (was, is) {
                (Some(was), Some(is)) if was.numbers == is.numbers => {
                    if times(is) != times(was) {
                        out(row, is.numbers, times(is) - times(was));
                    }
                }
                (was, is) => {
                    was.into_iter().for_each(|i| out(row, i.numbers, -times(i)));
                    is.into_iter().for_each(|i| out(row, i.numbers, times(i)));
                }
            }
            return;
        }
        let same = matches!((was, is), (Some(was), Some(is)) if was.numbers == is.numbers);
        let within = |other: Option<In>, n: u64| same && other.is_some_and(|o| (o.from..=o.to).contains(&n));
        for (one, other, weight) in [(was, is, -1), (is, was, 1)] {
            let Some(one) = one else { continue };
            for n in (one.from..=one.to).filter(|n| !within(other, *n)) {
                out(row, [n, one.numbers[1], one.numbers[2]], weight);
            }
        }
    }
}

/// The next row of either, and how often it was there and is there.
fn next<'a>(
    held: &mut Peekable<impl Iterator<Item = Ranked<'a>>>,
    changes: &mut Peekable<impl Iterator<Item = Ranked<'a>>>,
) -> Option<(Ranked<'a>, i64, i64)> {
    let order = match (held.peek(), changes.peek()) {
        (Some(h), Some(c)) => h.bytes.cmp(c.bytes),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (None, None) => return None,
    };
    match order {
        std::cmp::Ordering::Less => held.next().map(|h| (h, h.weight, h.weight)),
        std::cmp::Ordering::Greater => changes.next().map(|c| (c, 0, c.weight)),
        std::cmp::Ordering::Equal => {
            let change = changes.next().map_or(0, |c| c.weight);
            held.next().map(|h| (h, h.weight, h.weight + change))
        }
    }
}
