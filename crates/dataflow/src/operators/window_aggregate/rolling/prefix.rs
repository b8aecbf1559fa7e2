//! Windows that start together and grow: one running sum, read as it grows, begun anew with the next start.

use std::sync::Arc;

use tidemill_core::{Micros, Result};

use crate::aggregate::{Kernel, Segment};
use crate::operator::StateSize;
use crate::operators::window_aggregate::output::Rows;
use crate::operators::window_aggregate::rolling::Panes;
use crate::operators::window_aggregate::rolling::dictionary::Dictionary;
use crate::operators::window_aggregate::rolling::part::Sum;

/// The sum of all panes since the windows' start.
pub(super) struct Prefix {
    kernel: Arc<Kernel>,
    dictionary: Dictionary,
    sum: Sum,
    /// Results are taken from a copy.
    copy: Sum,
    /// The start of the last pane.
    last: Option<Micros>,
}

impl Prefix {
    pub(super) fn try_new(kernel: &Arc<Kernel>) -> Result<Self> {
        Ok(Self {
            kernel: kernel.clone(),
            dictionary: Dictionary::try_new(kernel)?,
            sum: Sum::try_new(kernel)?,
            copy: Sum::try_new(kernel)?,
            last: None,
        })
    }
}

impl Panes for Prefix {
    fn add(&mut self, start: Micros, segment: Segment) -> Result<()> {
        let pane = self.dictionary.number(start, segment)?;
        self.last = self.last.max(Some(start));
        self.sum.add(&pane.part, self.dictionary.len())
    }

    fn evict(&mut self, start: Micros) -> Result<()> {
        // Windows that start at `start` have no pane from before: they have all panes, or none of them.
        if self.last.is_some_and(|last| last < start) {
            self.dictionary = Dictionary::try_new(&self.kernel)?;
            self.sum = Sum::try_new(&self.kernel)?;
            self.last = None;
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    fn read(&mut self) -> Result<Rows> {
        self.copy.add(&self.sum.snapshot()?, self.dictionary.len())?;
        self.copy.finish()
    }

    fn state(&self) -> StateSize {
        StateSize {
            rows: self.sum.len(),
            bytes: self.dictionary.bytes() + self.sum.bytes() + self.copy.bytes(),
            oldest: self.last,
        }
    }
}
