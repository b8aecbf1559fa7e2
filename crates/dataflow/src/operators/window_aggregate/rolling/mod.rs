//! Windows that overlap, assembled so that each pane is merged a few times, however many windows it is in.
//!
//! Windows close one after the other; each takes in the panes that are new to it and lets go of those that it no longer
//! has. What differs is how the panes in between are held: see [`few`] (merged for each window: best for up to eight),
//! [`stacks`] (HOP of many panes), [`prefix`] (CUMULATE). Groups are numbered by a [`dictionary`], so that a key is hashed
//! when its pane comes in and not when a window is read; [`part`] merges groups by number.

mod dictionary;
mod few;
mod part;
mod prefix;
mod stacks;

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_core::{Micros, Result, Watermark};
use tidemill_plan::window::Span;

use crate::aggregate::{Kernel, Segment};
use crate::operator::StateSize;
use crate::operators::window_aggregate::cut::{Bucket, Cut};
use crate::operators::window_aggregate::output::{Closed, Rows};
use few::Few;
use prefix::Prefix;
use stacks::Stacks;

/// Windows of up to so many panes are merged from them one by one.
const FEW: i64 = 8;

/// How the panes of the current window are held.
trait Panes: Send {
    /// Takes in groups of the pane that starts at `start`: as a rule a new one, but not always.
    fn add(&mut self, start: Micros, segment: Segment) -> Result<()>;

    /// Lets go of the panes that start before `start`.
    fn evict(&mut self, start: Micros) -> Result<()>;

    /// Whether no pane is left.
    fn is_empty(&self) -> bool;

    /// The results over all panes.
    fn read(&mut self) -> Result<Rows>;

    /// What is kept, and the start of the first pane.
    fn state(&self) -> StateSize;
}

/// Closes overlapping windows in their order.
pub(super) struct Rolling {
    cut: Cut,
    panes: Box<dyn Panes>,
    /// Sealed panes that no closed window has taken in.
    waiting: BTreeMap<Bucket, Vec<Segment>>,
    /// The window that closed last.
    last: Option<Span>,
}

impl Rolling {
    pub(super) fn try_new(kernel: &Arc<Kernel>, cut: Cut) -> Result<Self> {
        let panes: Box<dyn Panes> = match cut.panes_per_window() {
            _ if cut.grows() => Box::new(Prefix::try_new(kernel)?),
            n if n <= FEW => Box::new(Few::try_new(kernel)?),
            _ => Box::new(Stacks::try_new(kernel)?),
        };
        Ok(Self { cut, panes, waiting: BTreeMap::new(), last: None })
    }

    pub(super) fn add(&mut self, bucket: Bucket, segment: Segment) {
        self.waiting.entry(bucket).or_default().push(segment);
    }

    /// Puts out every window that `watermark` has reached and that has rows.
    pub(super) fn close(&mut self, watermark: Watermark) -> Result<Vec<Closed>> {
        let mut results = vec![];
        while let Some(window) = self.next()
            && self.cut.closes(window.end) <= watermark.0
        {
            self.panes.evict(window.start)?;
            while let Some(first) = self.waiting.first_entry()
                && first.key().first_end <= window.end
            {
                let (bucket, segments) = first.remove_entry();
                for segment in segments {
                    self.panes.add(bucket.start, segment)?;
                }
            }
            if !self.panes.is_empty() {
                results.push(Closed { window, rows: self.panes.read()?, weights: None });
            }
            self.last = Some(window);
            self.panes.evict(self.cut.next(window).start)?;
        }
        Ok(results)
    }

    /// The next window that has rows: the one after the last, or, if nothing is left of that, the first that waits.
    fn next(&self) -> Option<Span> {
        match self.last {
            Some(last) if !self.panes.is_empty() => Some(self.cut.next(last)),
            _ => self.waiting.keys().next().map(|b| self.cut.window_ending(b.start, b.first_end)),
        }
    }

    pub(super) fn state(&self) -> StateSize {
        let waiting = || self.waiting.values().flatten();
        let held = self.panes.state();
        let oldest = self.waiting.keys().map(|b| b.start).chain(held.oldest).min();
        StateSize {
            rows: waiting().map(|s| s.rows).sum::<usize>() + held.rows,
            bytes: waiting().map(Segment::bytes).sum::<usize>() + held.bytes,
            oldest: oldest.map(|start| self.cut.closes(start)),
        }
    }
}
