//! In the order of event time: rows wait until the watermark has passed their time, and are put out once with their values.
//!
//! By then all rows up to that time are there, peers included, and nothing that comes later means anything to them. The
//! output keeps its event time, in order.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::SchemaRef;
use tidemill_core::delta::take_rows;
use tidemill_core::{Delta, Micros, Result, Watermark};
use tidemill_plan::op::OverOp;

use super::functions::Functions;
use super::order::RowOrder;
use super::running::Running;
use super::waiting::{Times, Waiting};
use crate::event_time::micros;
use crate::expression::conform;
use crate::{Cx, Operator, StateSize};

/// The partitions of the keys that come to this worker.
pub struct EventTime {
    time: usize,
    allowed_lateness: Micros,
    order: RowOrder,
    output: SchemaRef,
    waiting: Waiting,
    pub(super) running: Running,
}

impl EventTime {
    /// Of `op` over rows of `input`, by the column `time`. `reach` is how far back in time any function looks.
    pub fn new(
        op: &OverOp,
        time: usize,
        allowed_lateness: Micros,
        reach: Option<Micros>,
        input: SchemaRef,
        output: SchemaRef,
    ) -> Result<Self> {
        let functions = Functions::try_new(op, &input, &output)?;
        Ok(Self {
            time,
            allowed_lateness,
            order: RowOrder::try_new(&op.order_by, &input)?,
            output,
            running: Running::try_new(op, functions, &input, reach)?,
            waiting: Waiting::new(input),
        })
    }
}

impl Operator for EventTime {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let event_time = micros(delta.batch.column(self.time))?;
        // Rows of the watermark's own time may still come. A column that the watermark speaks of holds no NULL; if it did,
        // such rows would come at the end.
        let due = event_time.unary(|t| t.saturating_add(self.allowed_lateness).saturating_add(1));
        self.waiting.push(delta, Times { due, window_end: event_time.clone(), event_time }, cx)
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        let forwarded = watermark.minus(self.allowed_lateness);
        if let Some(rows) = self.waiting.take(watermark)? {
            let keys = self.order.keys(&rows)?;
            let mut places: Vec<u32> = (0..rows.num_rows() as u32).collect();
            places.sort_unstable_by(|a, b| keys.cmp(*a as usize, &keys, *b as usize));
            let rows = take_rows(&rows, &UInt32Array::from(places))?;
            let times = micros(rows.column(self.time))?;
            let values = self.running.values(&rows, &times)?;
            let columns: Vec<ArrayRef> = rows.columns().iter().cloned().chain(values).collect();
            cx.emit(Delta::insert(conform(&self.output, columns, rows.num_rows())?));
        }
        self.running.expire(forwarded)?;
        Ok(forwarded)
    }

    fn state(&self) -> StateSize {
        StateSize {
            rows: self.waiting.rows() + self.running.rows(),
            bytes: self.waiting.bytes() + self.running.bytes(),
            oldest: self.waiting.oldest(),
        }
    }
}
