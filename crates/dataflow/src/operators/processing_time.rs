//! From here on time is the clock: the watermark is the epoch's reading of it, and no row is late.

use tidemill_core::{Delta, Result, Watermark};

use crate::operator::{Cx, Operator};

/// Passes rows on and replaces the watermark by the clock.
///
/// The driver runs it in every epoch, with or without rows, since time goes on without them.
#[derive(Debug, Default)]
pub struct ProcessingTime;

impl Operator for ProcessingTime {
    fn push(&mut self, _port: usize, mut delta: Delta, cx: &mut Cx) -> Result<()> {
        delta.split_watermark = None;
        cx.emit(delta);
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        Ok(if watermark == Watermark::MAX { watermark } else { Watermark(cx.now) })
    }
}
