//! The changes of an epoch, until all of it have come.

use tidemill_core::{Delta, Result};

/// Waits for [`Operator::advance`](crate::Operator::advance).
#[derive(Debug, Default)]
pub struct Incoming(Vec<Delta>);

impl Incoming {
    /// Adds what came.
    pub fn push(&mut self, delta: Delta) {
        if !delta.is_empty() {
            self.0.push(delta);
        }
    }

    /// All that came since it was asked last, in its order; `None` where nothing did.
    pub fn take(&mut self) -> Result<Option<Delta>> {
        let all = std::mem::take(&mut self.0);
        all.first().map(|first| Delta::concat(first.batch.schema_ref(), &all)).transpose()
    }
}
