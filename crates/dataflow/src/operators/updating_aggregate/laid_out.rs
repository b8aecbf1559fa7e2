//! The first step where rows may be taken back: keys, arguments and filters of each row are evaluated, so that it can go
//! to the worker of its group. Keeps nothing.

use std::sync::Arc;

use arrow::array::Int64Array;
use tidemill_core::{Delta, Result, Watermark};

use super::expiry::Expiry;
use crate::aggregate::Kernel;
use crate::retraction::RowLayout;
use crate::{Cx, Operator};

/// The operator.
pub struct LaidOut {
    kernel: Arc<Kernel>,
    layout: RowLayout,
    expiry: Option<Expiry>,
    /// Whether the groups that have a result before there is a row are known above.
    opened: bool,
}

impl LaidOut {
    /// For `kernel`; puts out columns of `layout`. Where `expiry` is there, rows may be late.
    pub fn new(kernel: &Arc<Kernel>, layout: &RowLayout, expiry: Option<Expiry>) -> Self {
        Self { kernel: kernel.clone(), layout: layout.clone(), expiry, opened: false }
    }
}

impl Operator for LaidOut {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let delta = match &self.expiry {
            Some(expiry) => expiry.on_time(delta, cx)?,
            None => delta,
        };
        if delta.is_empty() {
            return Ok(());
        }
        let inputs = self.kernel.evaluate_inputs(&delta.batch)?;
        for keys in self.kernel.keys_of(&inputs)? {
            let batch = self.layout.rows(keys, &inputs)?;
            cx.emit(Delta { batch, weights: delta.weights.clone(), split_watermark: None });
        }
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, _cx: &mut Cx) -> Result<Watermark> {
        Ok(watermark)
    }

    fn end_epoch(&mut self, cx: &mut Cx) -> Result<()> {
        if !std::mem::replace(&mut self.opened, true) {
            // A row comes and goes, so that the group is touched.
            for keys in self.kernel.totals()? {
                let rows = self.layout.nulls(&keys)?;
                cx.emit(Delta::weighted(rows.clone(), Int64Array::from(vec![1])));
                cx.emit(Delta::weighted(rows, Int64Array::from(vec![-1])));
            }
        }
        Ok(())
    }
}
