//! A window of few panes: all of them are merged for each window.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use tidemill_core::{Micros, Result};

use crate::aggregate::{Kernel, Segment};
use crate::operator::StateSize;
use crate::operators::window_aggregate::correction::Rows;
use crate::operators::window_aggregate::rolling::Panes;
use crate::operators::window_aggregate::rolling::dictionary::Dictionary;
use crate::operators::window_aggregate::rolling::part::{Part, Sum};

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

/// Groups of a pane, with their keys for when they get other numbers.
pub(super) struct Pane {
    pub(super) start: Micros,
    pub(super) keys: Vec<ArrayRef>,
    pub(super) part: Part,
}

impl Pane {
    pub(super) fn try_new(start: Micros, segment: Segment, dictionary: &mut Dictionary) -> Result<Self> {
        let ids = dictionary.intern(&segment.keys, segment.rows)?;
        Ok(Self { start, keys: segment.keys, part: Part { ids, states: segment.states } })
    }

    /// Numbers the groups by another dictionary.
    pub(super) fn renumber(&mut self, dictionary: &mut Dictionary) -> Result<()> {
        self.part.ids = dictionary.intern(&self.keys, self.part.ids.len())?;
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.part.bytes() + self.keys.iter().map(|a| a.get_array_memory_size()).sum::<usize>()
    }
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
                pane.renumber(&mut self.dictionary)?;
            }
        }
        self.rows += segment.rows;
        let pane = Pane::try_new(start, segment, &mut self.dictionary)?;
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
        self.sum.finish(&mut self.dictionary)
    }

    fn state(&self) -> StateSize {
        let panes: usize = self.panes.iter().map(Pane::bytes).sum();
        StateSize {
            rows: self.rows,
            bytes: panes + self.dictionary.bytes() + self.sum.bytes(),
            oldest: self.panes.front().map(|p| p.start),
        }
    }
}
