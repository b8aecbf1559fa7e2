//! Lookups that have been asked for, until their answers are there.

use std::collections::VecDeque;

use tidemill_core::{Delta, Watermark};
use tidemill_plan::NodeId;

/// The lookups of one join that have been asked for, in their order, which the answers keep.
pub(super) struct Waiting {
    pub(super) asks: NodeId,
    pub(super) asked: VecDeque<Asked>,
    /// How many have been asked for so far.
    pub(super) count: u64,
    /// The watermark behind the last of them.
    pub(super) watermark: Watermark,
}

/// Rows that have been asked for, and the watermark behind them.
pub(super) struct Asked {
    pub(super) number: u64,
    pub(super) rows: usize,
    pub(super) watermark: Watermark,
    pub(super) answer: Option<Delta>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { asks: NodeId(0), asked: VecDeque::new(), count: 0, watermark: Watermark::MIN }
    }
}

impl Waiting {
    /// Moves the answers that are there, in order, to `queued`; the watermark behind the last of them, or `told`.
    pub(super) fn put_out(&mut self, queued: &mut Vec<Delta>, told: Watermark) -> Watermark {
        let mut watermark = told;
        while let Some(Asked { answer: Some(_), .. }) = self.asked.front() {
            let Some(asked) = self.asked.pop_front() else { break };
            queued.extend(asked.answer.filter(|a| !a.is_empty()));
            watermark = watermark.max(asked.watermark);
        }
        watermark
    }
}
