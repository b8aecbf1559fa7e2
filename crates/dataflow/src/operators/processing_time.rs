//! From here on time is the clock: the watermark is the epoch's reading of it, and no row is late.

use arrow::datatypes::TimeUnit;
use tidemill_core::time::{from_micros, to_micros};
use tidemill_core::{Delta, Micros, Result, Watermark};

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
        Ok(if watermark == Watermark::MAX { watermark } else { Watermark(as_rows_say_it(cx.now)) })
    }
}

/// Rows have the clock in milliseconds, so that the watermark promises no more: the next epoch may be in the same one.
fn as_rows_say_it(now: Micros) -> Micros {
    to_micros(from_micros(now, TimeUnit::Millisecond), TimeUnit::Millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watermark_promises_no_more_than_rows_can_say() {
        let at = |now| {
            let mut cx = Cx::new(now);
            ProcessingTime.advance(Watermark::MIN, &mut cx).unwrap()
        };
        assert_eq!(at(1_700_000_000_123_456), Watermark(1_700_000_000_123_000));
        assert_eq!(at(1_700_000_000_123_000), Watermark(1_700_000_000_123_000));
        assert_eq!(at(-1), Watermark(-1_000));
        let mut cx = Cx::new(5);
        assert_eq!(ProcessingTime.advance(Watermark::MAX, &mut cx).unwrap(), Watermark::MAX);
    }
}
