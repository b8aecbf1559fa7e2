//! A window of few panes: all of them are merged for each window.

use std::collections::VecDeque;
use std::sync::Arc;

use tidemill_core::{Micros, Result};

use crate::aggregate::{Kernel, Segment};
use crate::operator::StateSize;
use crate::operators::window_aggregate::output::Rows;
use crate::operators::window_aggregate::rolling::Panes;
use crate::operators::window_aggregate::rolling::dictionary::Dictionary;
use crate::operators::window_aggregate::rolling::part::{Pane, Sum};

/// So many keys without a pane are left alone.
const SLACK: usize = 4_096;

/// The panes of the window, the earliest first.
pub(super) struct Few {
    kernel: Arc<Kernel>,
    dictionary: Dictionary,
    panes: VecDeque<Pane>,
    /// Groups in all panes.
    rows: usize,
    sum: Sum,
}

impl Few {
    pub(super) fn try_new(kernel: &Arc<Kernel>) -> Result<Self> {
        Ok(Self {
            kernel: kernel.clone(),
            dictionary: Dictionary::try_new(kernel)?,
            panes: VecDeque::new(),
            rows: 0,
            sum: Sum::try_new(kernel)?,
        })
    }
}

impl Panes for Few {
    fn add(&mut self, start: Micros, segment: Segment) -> Result<()> {
        if self.dictionary.len() > 2 * self.rows + SLACK {
            self.dictionary = Dictionary::try_new(&self.kernel)?;
            for pane in &mut self.panes {
                self.dictionary.renumber(pane)?;
            }
        }
        self.rows += segment.rows;
        let pane = self.dictionary.number(start, segment)?;
        let at = self.panes.partition_point(|p| p.start <= start);
        self.panes.insert(at, pane);
        Ok(())
    }

    fn evict(&mut self, start: Micros) -> Result<()> {
        while let Some(pane) = self.panes.pop_front_if(|p| p.start < start) {
            self.rows -= pane.part.ids.len();
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.panes.is_empty()
    }

    fn read(&mut self) -> Result<Rows> {
        for pane in &self.panes {
            self.sum.add(&pane.part, self.dictionary.len())?;
        }
        self.sum.finish()
    }

    fn state(&self) -> StateSize {
        let panes: usize = self.panes.iter().map(|p| p.part.bytes()).sum();
        StateSize {
            rows: self.rows,
            bytes: panes + self.dictionary.bytes() + self.sum.bytes(),
            oldest: self.panes.front().map(|p| p.start),
        }
    }
}
