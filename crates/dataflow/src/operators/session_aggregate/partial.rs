//! The first step of a session aggregation: the rows of an epoch become micro-sessions with partial aggregates.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tidemill_core::{Delta, Micros, Result, Watermark};
use tidemill_plan::Window;

use super::arrivals::arrivals;
use super::cutter::Cutter;
use crate::aggregate::{Accumulators, Groups, Kernel};
use crate::{Cx, Operator, StateSize};

/// What goes from the first step to the second: the keys, the times of the first and the last row, the partial states.
pub fn partial_schema(kernel: &Kernel) -> SchemaRef {
    let mut fields = kernel.key_schema().fields().to_vec();
    fields.push(Arc::new(Field::new("start", DataType::Int64, false)));
    fields.push(Arc::new(Field::new("last", DataType::Int64, false)));
    fields.extend(kernel.state_fields().iter().map(|f| Arc::new(f.as_ref().clone().with_nullable(true))));
    Arc::new(Schema::new(fields))
}

/// Keeps nothing from one epoch to the next.
pub struct SessionPartial {
    kernel: Arc<Kernel>,
    window: Window,
    lateness: Micros,
    schema: SchemaRef,
    groups: Groups,
    cutter: Cutter,
    accumulators: Accumulators,
    ids: Vec<usize>,
    slots: Vec<usize>,
}

impl SessionPartial {
    /// Of `kernel` over `window`; puts out columns of `schema`.
    pub fn new(kernel: &Arc<Kernel>, window: Window, lateness: Micros, schema: SchemaRef) -> Result<Self> {
        Ok(Self {
            groups: kernel.new_groups()?,
            accumulators: kernel.new_accumulators()?,
            kernel: kernel.clone(),
            cutter: Cutter::new(window.gap()),
            window,
            lateness,
            schema,
            ids: vec![],
            slots: vec![],
        })
    }
}

impl Operator for SessionPartial {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let arrived = arrivals(delta, &self.window, self.lateness, cx)?;
        let rows = arrived.rows.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let inputs = self.kernel.evaluate_inputs(&arrived.rows)?;
        self.groups.intern(&inputs.keys(), rows, &mut self.ids)?;
        self.cutter.cut(&self.ids, arrived.times.values(), &mut self.slots);
        self.accumulators.update(&inputs, &self.slots, self.cutter.micro().len())
    }

    fn advance(&mut self, watermark: Watermark, _cx: &mut Cx) -> Result<Watermark> {
        Ok(watermark)
    }

    fn end_epoch(&mut self, cx: &mut Cx) -> Result<()> {
        let micro = self.cutter.micro();
        if micro.is_empty() {
            return Ok(());
        }
        let mut columns = self.groups.emit()?;
        if micro.iter().enumerate().any(|(i, m)| m.key as usize != i) {
            let of = UInt32Array::from_iter_values(micro.iter().map(|m| m.key));
            columns = take_arrays(&columns, &of, None)?;
        }
        columns.push(Arc::new(Int64Array::from_iter_values(micro.iter().map(|m| m.start))));
        columns.push(Arc::new(Int64Array::from_iter_values(micro.iter().map(|m| m.last))));
        columns.extend(self.accumulators.states()?);
        self.cutter.clear();
        cx.emit(Delta::insert(RecordBatch::try_new(self.schema.clone(), columns)?));
        Ok(())
    }

    fn state(&self) -> StateSize {
        StateSize::default()
    }
}
