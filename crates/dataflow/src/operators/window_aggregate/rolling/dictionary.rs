//! The keys of the current panes as numbers, so that a key is hashed once for each pane and not for each window.

use std::sync::Arc;

use tidemill_core::{Micros, Result};

use crate::aggregate::{Groups, Kernel, Segment};
use crate::operators::window_aggregate::rolling::part::{Pane, Part};

/// From keys to numbers. Never forgets: its owner makes a new one now and then.
pub(super) struct Dictionary {
    groups: Groups,
}

impl Dictionary {
    pub(super) fn try_new(kernel: &Arc<Kernel>) -> Result<Self> {
        Ok(Self { groups: kernel.new_groups()? })
    }

    /// How many numbers are given out.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Numbers the groups of a sealed pane.
    pub(super) fn number(&mut self, start: Micros, segment: Segment) -> Result<Pane> {
        let mut ids = vec![];
        self.groups.intern(&segment.keys, segment.rows, &mut ids)?;
        Ok(Pane { start, part: Part { ids, keys: segment.keys, states: segment.states } })
    }

    /// Numbers the groups of a pane that another dictionary has numbered.
    pub(super) fn renumber(&mut self, pane: &mut Pane) -> Result<()> {
        let rows = pane.part.ids.len();
        self.groups.intern(&pane.part.keys, rows, &mut pane.part.ids)
    }

    pub(super) fn bytes(&self) -> usize {
        self.groups.bytes()
    }
}
