//! Panes into windows: merges the sealed panes of all workers when a window closes, and puts out its result.

use std::sync::Arc;

use tidemill_core::{Delta, Result, Watermark};

use crate::aggregate::Kernel;
use crate::operator::{Cx, Operator, StateSize};
use crate::operators::window_aggregate::cut::Cut;
use crate::operators::window_aggregate::kept::Kept;
use crate::operators::window_aggregate::output::{Output, forwarded};
use crate::operators::window_aggregate::partial;
use crate::operators::window_aggregate::rolling::Rolling;

/// Merges panes.
pub(super) struct WindowMerge {
    kernel: Arc<Kernel>,
    output: Output,
    windows: Windows,
}

/// The two ways to get from panes to windows.
enum Windows {
    /// Panes are kept, and merged for each window.
    Kept(Kept),
    /// Each pane is merged a few times, however many windows it is in.
    Rolling(Rolling),
}

impl WindowMerge {
    pub(super) fn try_new(kernel: &Arc<Kernel>, cut: &Cut, output: Output) -> Result<Self> {
        let windows = match cut.lateness == 0 && !cut.is_whole() {
            true => Windows::Rolling(Rolling::try_new(kernel, cut.clone())?),
            false => Windows::Kept(Kept::try_new(kernel, cut.clone())?),
        };
        Ok(Self { kernel: kernel.clone(), output, windows })
    }
}

impl Operator for WindowMerge {
    fn push(&mut self, _port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        for (bucket, segment) in partial::from_batch(&self.kernel, &delta.batch)? {
            match &mut self.windows {
                Windows::Kept(kept) => kept.add(bucket, segment),
                Windows::Rolling(rolling) => rolling.add(bucket, segment),
            }
        }
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        let closed = match &mut self.windows {
            Windows::Kept(kept) => kept.close(watermark)?,
            Windows::Rolling(rolling) => rolling.close(watermark)?,
        };
        self.output.emit(&closed, cx)?;
        Ok(forwarded(watermark))
    }

    fn state(&self) -> StateSize {
        match &self.windows {
            Windows::Kept(kept) => kept.state(),
            Windows::Rolling(rolling) => rolling.state(),
        }
    }
}
