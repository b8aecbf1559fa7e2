//! Rows into panes: one open table of groups for each pane, on each worker.
//!
//! When the first window of a pane closes, its table is done with. Either it is the whole window and this is the only
//! worker: then the table's results are put out, and nothing was ever sealed, routed or merged. Or it is sealed, and its
//! partial states go to the window merge. Rows that may still count in later windows of a pane that is sealed make a table
//! of their own, which goes the same way when the first of *their* windows closes, or at once if it has.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::window::Span;

use crate::aggregate::{Kernel, Table};
use crate::operator::{Cx, Operator, StateSize};
use crate::operators::window_aggregate::assign::Assign;
use crate::operators::window_aggregate::cut::Bucket;
use crate::operators::window_aggregate::output::{Closed, Output, Rows, forwarded};
use crate::operators::window_aggregate::partial;

/// So many emptied tables are kept, so that the next panes need not grow theirs anew.
const SPARE: usize = 2;

/// Where a table goes when its pane is done with.
#[derive(Clone)]
pub(super) enum Done {
    /// It is the whole window: its results are put out.
    Result(Output),
    /// It is sealed, with these columns.
    Sealed(SchemaRef),
}

/// Fills panes.
pub(super) struct PaneAggregate {
    kernel: Arc<Kernel>,
    assign: Assign,
    done: Done,
    open: BTreeMap<Bucket, Open>,
    spare: Vec<Table>,
    passed: Watermark,
}

struct Open {
    /// The instant at which its first window closes.
    due: Micros,
    table: Table,
}

impl PaneAggregate {
    pub(super) fn new(kernel: Arc<Kernel>, assign: Assign, done: Done) -> Self {
        Self { kernel, assign, done, open: BTreeMap::new(), spare: vec![], passed: Watermark::MIN }
    }

    fn table(&mut self, bucket: Bucket) -> Result<&mut Table> {
        Ok(match self.open.entry(bucket) {
            std::collections::btree_map::Entry::Occupied(open) => &mut open.into_mut().table,
            std::collections::btree_map::Entry::Vacant(vacant) => {
                let table = self.spare.pop().map_or_else(|| Table::try_new(&self.kernel), Ok)?;
                &mut vacant.insert(Open { due: self.assign.cut.closes(bucket.first_end), table }).table
            }
        })
    }

    /// The next pane that is done with, in the order of their first windows.
    fn next_due(&mut self) -> Option<(Bucket, Table)> {
        let first = self.open.first_entry().filter(|e| e.get().due <= self.passed.0)?;
        let (bucket, open) = first.remove_entry();
        Some((bucket, open.table))
    }

    fn put_away(&mut self, table: Table) {
        if self.spare.len() < SPARE {
            self.spare.push(table);
        }
    }
}

impl Operator for PaneAggregate {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        if delta.weights.as_ref().is_some_and(|w| w.values().iter().any(|w| *w != 1)) {
            return Err(Error::internal("a window aggregate was handed retractions, which its plan rules out"));
        }
        if delta.is_empty() {
            return Ok(());
        }
        let assigned = self.assign.assign(&delta, self.passed)?;
        if let Some(late) = assigned.late {
            cx.late(late);
        }
        if assigned.shares.is_empty() {
            return Ok(());
        }
        let inputs = self.kernel.evaluate_inputs(&delta.batch)?;
        for (bucket, rows) in assigned.shares {
            let inputs = rows.of(&inputs)?;
            self.table(bucket)?.update(&inputs)?;
        }
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        self.passed = watermark;
        let mut closed = vec![];
        while let Some((bucket, mut table)) = self.next_due() {
            let len = table.len();
            match &self.done {
                Done::Result(_) => {
                    let (keys, values) = table.finish()?;
                    let window = Span { start: bucket.start, end: bucket.first_end };
                    closed.push(Closed { window, rows: Rows { keys, values, len }, weights: None });
                }
                Done::Sealed(schema) => cx.emit(Delta::insert(partial::to_batch(schema, bucket, table.seal()?)?)),
            }
            self.put_away(table);
        }
        match &self.done {
            Done::Result(output) => {
                output.emit(&closed, cx)?;
                Ok(forwarded(watermark))
            }
            Done::Sealed(_) => Ok(watermark),
        }
    }

    fn state(&self) -> StateSize {
        StateSize {
            rows: self.open.values().map(|o| o.table.len()).sum(),
            bytes: self.open.values().map(|o| &o.table).chain(&self.spare).map(Table::bytes).sum(),
            oldest: self.open.keys().map(|b| self.assign.cut.closes(b.start)).min(),
        }
    }
}
