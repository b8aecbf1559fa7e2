//! In the order in which rows come: each sees itself and those before it, and is put out at once with its values.
//!
//! The rows of an epoch, which several workers may have handed on, are put in the order of the numbers that they got as they came
//! in. What they are then ordered by is a count of them here, so that no row is the peer of another. They keep their event time.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::{SortOptions, sort_to_indices};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion_physical_expr::PhysicalSortExpr;
use datafusion_physical_expr::expressions::Column;
use tidemill_core::{Delta, Error, Result, Watermark};
use tidemill_plan::op::OverOp;

use super::functions::Functions;
use super::running::Running;
use crate::expression::conform;
use crate::operators::incoming::Incoming;
use crate::{Cx, Operator, StateSize};

const COUNT: &str = "__came";

/// The partitions of the keys that come to this worker.
pub struct Arrival {
    /// How many rows came before.
    came: i64,
    /// The column of the numbers.
    number: usize,
    incoming: Incoming,
    /// The columns of the input, and the count of rows.
    counted: SchemaRef,
    output: SchemaRef,
    running: Running,
}

impl Arrival {
    /// Of `op` over rows of `input`.
    pub fn new(op: &OverOp, number: usize, input: &SchemaRef, output: SchemaRef) -> Result<Self> {
        let (own, results) = output.fields().split_at(input.fields().len());
        let count = Arc::new(Field::new(COUNT, DataType::Int64, false));
        let counted: Vec<_> = own.iter().cloned().chain([count]).collect();
        let valued = Arc::new(Schema::new([&counted[..], results].concat()));
        let counted = Arc::new(Schema::new(counted));
        let by = PhysicalSortExpr {
            expr: Arc::new(Column::new(COUNT, own.len())),
            options: SortOptions { descending: false, nulls_first: false },
        };
        let op = OverOp { order_by: vec![by], ..op.clone() };
        let functions = Functions::try_new(&op, &counted, &valued)?;
        Ok(Self {
            came: 0,
            number,
            incoming: Incoming::default(),
            running: Running::try_new(&op, functions, &counted, None)?,
            counted,
            output,
        })
    }
}

impl Arrival {
    fn absorb(&mut self, cx: &mut Cx) -> Result<()> {
        let Some(delta) = self.incoming.take()? else { return Ok(()) };
        let numbers = delta.batch.column(self.number).as_primitive::<Int64Type>();
        let delta = match numbers.values().is_sorted() {
            true => delta,
            false => delta.take(&sort_to_indices(numbers, None, None)?)?,
        };
        let rows = delta.num_rows();
        let counts = Int64Array::from_iter_values(self.came..self.came + rows as i64);
        self.came += rows as i64;
        let own = delta.batch.columns();
        let columns = own.iter().cloned().chain([Arc::new(counts.clone()) as ArrayRef]).collect();
        let counted: RecordBatch = conform(&self.counted, columns, rows)?;
        let values = self.running.values(&counted, &counts)?;
        let columns = own.iter().cloned().chain(values).collect();
        let batch = conform(&self.output, columns, rows)?;
        cx.emit(Delta { split_watermark: delta.split_watermark, ..Delta::insert(batch) });
        Ok(())
    }
}

impl Operator for Arrival {
    fn push(&mut self, _port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        if delta.weights.is_some() {
            return Err(Error::internal("rows are taken back where each is put out as it comes"));
        }
        self.incoming.push(delta);
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        self.absorb(cx)?;
        Ok(watermark)
    }

    fn state(&self) -> StateSize {
        StateSize { rows: self.running.rows(), bytes: self.running.bytes(), oldest: None }
    }
}
