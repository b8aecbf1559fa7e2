//! Partition by partition: rows wait until no more rows of their partition can come, and are put out once with their values.
//!
//! A partition by a window's bounds is complete when its window has closed, any other when the input ends. Every function
//! and every frame can be had so, and what was put out is forgotten.

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Micros, Result, Watermark};
use tidemill_plan::Window;
use tidemill_plan::op::OverOp;

use super::functions::Functions;
use super::order::{RowOrder, sorted};
use super::waiting::{Times, Waiting};
use crate::event_time::micros;
use crate::expression::conform;
use crate::operators::session_aggregate::bounds::forwarded;
use crate::{Cx, Operator, StateSize};

/// The partitions of the keys that come to this worker.
pub struct Complete {
    partition_by: Vec<usize>,
    functions: Functions,
    order: RowOrder,
    /// The column of `window_end` and its window; `None`: all is complete at the end.
    end: Option<(usize, Window)>,
    allowed_lateness: Micros,
    /// The input's event time, for the report of late rows.
    event_time: Option<usize>,
    output: SchemaRef,
    waiting: Waiting,
}

impl Complete {
    /// Of `op` over rows of `input`.
    pub fn new(
        op: &OverOp,
        end: Option<(usize, Window)>,
        allowed_lateness: Micros,
        event_time: Option<usize>,
        input: SchemaRef,
        output: SchemaRef,
    ) -> Result<Self> {
        Ok(Self {
            partition_by: op.partition_by.clone(),
            functions: Functions::try_new(op, &input, &output)?,
            order: RowOrder::try_new(&op.order_by, &input)?,
            end,
            allowed_lateness,
            event_time,
            waiting: Waiting::new(input),
            output,
        })
    }

    fn times(&self, delta: &Delta) -> Result<Times> {
        let Some((column, window)) = &self.end else {
            let none = Int64Array::new_null(delta.num_rows());
            return Ok(Times { due: none.clone(), event_time: none.clone(), window_end: none });
        };
        let window_end = micros(delta.batch.column(*column))?;
        let due = window_end.unary(|end| window.zone.to_instant(end).saturating_add(self.allowed_lateness));
        let event_time = match self.event_time {
            Some(column) => micros(delta.batch.column(column))?,
            None => Int64Array::new_null(window_end.len()),
        };
        Ok(Times { due, event_time, window_end })
    }
}

impl Operator for Complete {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let times = self.times(&delta)?;
        self.waiting.push(delta, times, cx)
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        if let Some(rows) = self.waiting.take(watermark)? {
            let (rows, ends) = sorted(&rows, &self.partition_by, &self.order)?;
            let values = self.functions.values(&self.functions.work(&rows)?, &ends)?;
            let columns: Vec<ArrayRef> = rows.columns().iter().cloned().chain(values).collect();
            cx.emit(Delta::insert(conform(&self.output, columns, rows.num_rows())?));
        }
        Ok(match (&self.end, watermark) {
            (Some((_, window)), watermark) => forwarded(window.unit(), self.allowed_lateness, watermark),
            (None, Watermark::MAX) => Watermark::MAX,
            (None, _) => Watermark::MIN,
        })
    }

    fn state(&self) -> StateSize {
        StateSize { rows: self.waiting.rows(), bytes: self.waiting.bytes(), oldest: self.waiting.oldest() }
    }
}
