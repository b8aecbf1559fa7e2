//! The rows of each partition with their values, in order: lists of addresses over rows in columns.
//!
//! A row is found by halving, for all rows of an epoch in step, so that each round reads its probes column by column.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use tidemill_core::{Error, Result};

use super::order::{RowOrder, SortKeys};
use crate::operators::keyed_states::{RowRef, Segments};

/// A row of the epoch that is not among the kept rows yet: `row` is its place in the epoch.
const NEW: u32 = u32::MAX - 1;

/// A change of a partition: so many copies of a row come or go.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// The number of the partition.
    pub partition: usize,
    /// The row, as its place in the epoch.
    pub row: usize,
    /// How many copies; never 0.
    pub weight: i64,
}

/// Whether rows are looked for by all of their order, or with their peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The first row that is not before the one looked for.
    Row,
    /// The first of its peers.
    Order,
}

/// All partitions of a worker.
#[derive(Debug)]
pub struct Partitions {
    input: SchemaRef,
    output: SchemaRef,
    order: RowOrder,
    rows: Segments,
    lists: Vec<Vec<RowRef>>,
    /// Partitions that have rows.
    live: usize,
}

impl Partitions {
    /// None yet. Rows have the columns of `input` and their values behind them, as in `output`.
    pub fn new(input: SchemaRef, output: SchemaRef, order: RowOrder) -> Self {
        Self { input, rows: Segments::new(output.clone()), output, order, lists: vec![], live: 0 }
    }

    /// How rows are compared.
    pub fn order(&self) -> &RowOrder {
        &self.order
    }

    /// How many rows are kept.
    pub fn rows(&self) -> usize {
        self.rows.live()
    }

    /// How many partitions have rows.
    pub fn live(&self) -> usize {
        self.live
    }

    /// About how many bytes are held.
    pub fn bytes(&self) -> usize {
        let lists: usize = self.lists.iter().map(|l| l.capacity() * size_of::<RowRef>()).sum();
        self.rows.bytes() + lists + self.lists.capacity() * size_of::<Vec<RowRef>>()
    }

    /// Makes room for partitions below `count`.
    pub fn grow(&mut self, count: usize) {
        self.lists.resize(count.max(self.lists.len()), vec![]);
    }

    /// The rows of a partition.
    pub fn list(&self, partition: usize) -> &[RowRef] {
        &self.lists[partition]
    }

    /// Columns of kept rows.
    pub fn gather(&mut self, columns: std::ops::Range<usize>, rows: &[RowRef]) -> Result<Vec<ArrayRef>> {
        self.rows.gather(columns, rows)
    }

    /// The input columns of kept rows.
    pub fn input_rows(&mut self, rows: &[RowRef]) -> Result<RecordBatch> {
        let columns = self.rows.gather(0..self.input.fields().len(), rows)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(self.input.clone(), columns, &options)?)
    }

    /// For each change, where in its partition the first row stands that is not before it. `keys` are those of the epoch.
    pub fn search(&mut self, changes: &[Change], keys: &SortKeys, by: By) -> Result<Vec<usize>> {
        let mut low = vec![0; changes.len()];
        let mut high: Vec<usize> = changes.iter().map(|c| self.lists[c.partition].len()).collect();
        let mut first_round = true;
        let mut open: Vec<usize> = (0..changes.len()).collect();
        loop {
            open.retain(|c| low[*c] < high[*c]);
            if open.is_empty() {
                return Ok(low);
            }
            // Most rows come behind all others: the last row is looked at first.
            let middle = |c: usize| if first_round { high[c] - 1 } else { low[c] + (high[c] - low[c]) / 2 };
            let probes: Vec<usize> = open.iter().map(|c| middle(*c)).collect();
            let at = open.iter().zip(&probes).map(|(c, at)| self.lists[changes[*c].partition][*at]);
            let refs: Vec<RowRef> = at.collect();
            let rows = self.input_rows(&refs)?;
            let probed = if by == By::Row { self.order.keys(&rows)? } else { self.order.order_keys(&rows)? };
            for (i, (c, at)) in open.iter().zip(&probes).enumerate() {
                let row = changes[*c].row;
                let before = match by {
                    By::Row => probed.cmp(i, keys, row),
                    By::Order => probed.cmp_order(i, keys, row),
                };
                *(if before.is_lt() { &mut low[*c] } else { &mut high[*c] }) = at + usize::from(before.is_lt());
            }
            first_round = false;
        }
    }

    /// For each change, whether the row at its place is equal to it; of several copies that go, the last of them.
    pub fn meets(&mut self, changes: &[Change], at: &[usize], keys: &SortKeys) -> Result<Vec<bool>> {
        let mut equal = vec![false; changes.len()];
        let last = |c: &Change, at: usize| at + usize::try_from(-c.weight - 1).unwrap_or(0);
        let there: Vec<usize> = (0..changes.len())
            .filter(|c| last(&changes[*c], at[*c]) < self.list(changes[*c].partition).len())
            .collect();
        let refs = there.iter().map(|c| self.lists[changes[*c].partition][last(&changes[*c], at[*c])]);
        let refs: Vec<RowRef> = refs.collect();
        let rows = self.input_rows(&refs)?;
        let probed = self.order.keys(&rows)?;
        for (i, c) in there.into_iter().enumerate() {
            equal[c] = probed.cmp(i, keys, changes[c].row).is_eq();
        }
        if changes.iter().zip(&equal).any(|(c, equal)| c.weight < 0 && !equal) {
            return Err(Error::internal("a row was retracted that is not there"));
        }
        Ok(equal)
    }

    /// Puts the changes of one partition, in its order, where they belong. Rows that go are added to `removed`.
    pub fn splice(&mut self, changes: &[Change], at: &[usize], removed: &mut Vec<RowRef>) {
        let (Some(first), Some(change)) = (at.first(), changes.first()) else { return };
        let list = &mut self.lists[change.partition];
        let was_empty = list.is_empty();
        let tail = list.split_off(*first);
        let mut taken = 0;
        for (change, at) in changes.iter().zip(at) {
            list.extend(&tail[taken..at - first]);
            taken = at - first;
            let copies = change.weight.unsigned_abs() as usize;
            if change.weight > 0 {
                list.resize(list.len() + copies, RowRef { segment: NEW, row: change.row as u32 });
            } else {
                removed.extend(&tail[taken..taken + copies]);
                taken += copies;
            }
        }
        list.extend(&tail[taken..]);
        match (was_empty, list.is_empty()) {
            (true, false) => self.live += 1,
            (false, true) => {
                *list = vec![];
                self.live -= 1;
            }
            _ => {}
        }
    }

    /// The row's place in the epoch, where it is not kept yet.
    pub fn new_row(row: RowRef) -> Option<usize> {
        (row.segment == NEW).then_some(row.row as usize)
    }

    /// Row `i` of `rows` becomes the row at `places[i]` (a partition, and a place in it).
    pub fn put(&mut self, rows: RecordBatch, places: &[(usize, usize)]) -> Result<()> {
        let segment = self.rows.push(rows)?;
        for (row, (partition, place)) in places.iter().enumerate() {
            self.lists[*partition][*place] = RowRef { segment, row: row as u32 };
        }
        Ok(())
    }

    /// Lets go of rows that no list holds any more.
    pub fn release(&mut self, rows: &[RowRef]) -> Result<()> {
        rows.iter().for_each(|r| self.rows.release(*r));
        if self.rows.wasteful(self.rows.live()) {
            let all: Vec<RowRef> = self.lists.iter().flatten().copied().collect();
            let columns = self.rows.gather(0..self.output.fields().len(), &all)?;
            let segment = self.rows.replace(RecordBatch::try_new(self.output.clone(), columns)?)?;
            for (row, at) in self.lists.iter_mut().flatten().enumerate() {
                *at = RowRef { segment, row: row as u32 };
            }
        }
        Ok(())
    }

    /// Forgets partitions without rows: returns a row of each that is left, and gives it its place there as its number.
    pub fn renumber(&mut self) -> Result<RecordBatch> {
        self.lists.retain(|l| !l.is_empty());
        let first: Vec<RowRef> = self.lists.iter().map(|l| l[0]).collect();
        self.input_rows(&first)
    }
}
