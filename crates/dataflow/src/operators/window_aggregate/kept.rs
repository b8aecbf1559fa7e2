//! Windows whose panes are kept until the window may not change any more: for windows that are one pane, and for windows
//! that are corrected when a late row is still allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidemill_core::{Micros, Result, Watermark};
use tidemill_plan::window::Span;

use crate::aggregate::{Kernel, Segment, Table};
use crate::operator::StateSize;
use crate::operators::window_aggregate::correction::correction;
use crate::operators::window_aggregate::cut::{Bucket, Cut};
use crate::operators::window_aggregate::output::{Closed, Rows};

/// Panes by their start, and what was put out for windows that may still change.
pub(super) struct Kept {
    cut: Cut,
    kernel: Arc<Kernel>,
    /// By the start of the pane; for each end of a first window, the segments in the order they came.
    panes: BTreeMap<Micros, BTreeMap<Micros, Vec<Segment>>>,
    /// Windows that have changed since they were last put out, by end and start.
    touched: BTreeSet<(Micros, Micros)>,
    /// What was put out, by end and start. Nothing is, without allowed lateness.
    emitted: BTreeMap<(Micros, Micros), Rows>,
    /// Merges a window; empty in between.
    table: Table,
}

impl Kept {
    pub(super) fn try_new(kernel: &Arc<Kernel>, cut: Cut) -> Result<Self> {
        Ok(Self {
            cut,
            panes: BTreeMap::new(),
            touched: BTreeSet::new(),
            emitted: BTreeMap::new(),
            table: Table::try_new(kernel)?,
            kernel: kernel.clone(),
        })
    }

    pub(super) fn add(&mut self, bucket: Bucket, segment: Segment) {
        self.touched.extend(self.cut.windows(bucket).map(|w| (w.end, w.start)));
        self.panes.entry(bucket.start).or_default().entry(bucket.first_end).or_default().push(segment);
    }

    /// Puts out every changed window that `watermark` has reached, and lets go of what cannot change any more.
    pub(super) fn close(&mut self, watermark: Watermark) -> Result<Vec<Closed>> {
        // The end of the input is a watermark that everything is below.
        let over = |cut: &Cut, end: Micros, lateness: Micros| cut.closes(end).saturating_add(lateness) <= watermark.0;
        let mut results = vec![];
        while let Some(&(end, start)) = self.touched.first()
            && over(&self.cut, end, 0)
        {
            self.touched.pop_first();
            let window = Span { start, end };
            let rows = self.merge(window)?;
            match self.emitted.get(&(end, start)) {
                Some(before) => results.extend(correction(&self.kernel, window, before, &rows)?),
                None => results.push(Closed { window, rows: rows.clone(), weights: None }),
            }
            if self.cut.lateness > 0 {
                self.emitted.insert((end, start), rows);
            }
        }
        self.let_go(|cut, end| over(cut, end, cut.lateness));
        Ok(results)
    }

    fn let_go(&mut self, over: impl Fn(&Cut, Micros) -> bool) {
        while let Some((&(end, _), _)) = self.emitted.first_key_value()
            && over(&self.cut, end)
        {
            self.emitted.pop_first();
        }
        // Windows that stand in the rows may be of any length; of all others, the first pane to be over is the first.
        let cut = &self.cut;
        if cut.is_whole() {
            self.panes.retain(|_, pane| {
                pane.retain(|end, _| !over(cut, *end));
                !pane.is_empty()
            });
            return;
        }
        while let Some((start, _)) = self.panes.first_key_value()
            && cut.series(*start).last_end().is_none_or(|end| over(cut, end))
        {
            self.panes.pop_first();
        }
    }

    /// The groups of a window, in an order that later segments do not change: so a group that they do not touch has the
    /// very same result again.
    fn merge(&mut self, window: Span) -> Result<Rows> {
        let last = if self.cut.is_whole() { window.start } else { window.end - 1 };
        for pane in self.panes.range(window.start..=last).map(|(_, p)| p) {
            let from = if self.cut.is_whole() { window.end } else { Micros::MIN };
            for segment in pane.range(from..=window.end).flat_map(|(_, segments)| segments) {
                self.table.merge(segment)?;
            }
        }
        let len = self.table.len();
        let (keys, values) = self.table.finish()?;
        Ok(Rows { keys, values, len })
    }

    pub(super) fn state(&self) -> StateSize {
        let segments = || self.panes.values().flat_map(BTreeMap::values).flatten();
        let emitted = || self.emitted.values();
        StateSize {
            rows: segments().map(|s| s.rows).sum::<usize>() + emitted().map(|r| r.len).sum::<usize>(),
            bytes: segments().map(Segment::bytes).sum::<usize>() + emitted().map(Rows::bytes).sum::<usize>(),
            oldest: self.panes.keys().next().map(|start| self.cut.closes(*start)),
        }
    }
}
