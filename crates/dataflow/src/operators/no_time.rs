//! No time: the watermark stands still until the input ends, and no row is late.
//!
//! For windows over a column that the watermark does not speak of: see [`Edge::event_time`](tidemill_plan::Edge).

use tidemill_core::{Delta, Result, Watermark};

use crate::operator::{Cx, Operator};

/// Passes rows on and holds time back.
#[derive(Debug, Default)]
pub struct NoTime;

impl Operator for NoTime {
    fn push(&mut self, _port: usize, mut delta: Delta, cx: &mut Cx) -> Result<()> {
        delta.split_watermark = None;
        cx.emit(delta);
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, _cx: &mut Cx) -> Result<Watermark> {
        Ok(if watermark == Watermark::MAX { watermark } else { Watermark::MIN })
    }
}
