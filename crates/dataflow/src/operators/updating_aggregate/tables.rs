//! One table of groups, given out with each epoch or at the end of the input: the first step of an updating aggregation,
//! and all of one that is wanted only at the end.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use tidemill_core::{Delta, Error, Result, Watermark};

use super::expiry::Expiry;
use crate::aggregate::{Kernel, Segment, Table};
use crate::expression::conform;
use crate::{Cx, Operator, StateSize};

/// What comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Rows.
    Rows,
    /// Keys and partial states.
    States,
}

/// What goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// Keys and partial states.
    States,
    /// Keys and results.
    Results,
}

/// Given it goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// What an epoch brought, with that epoch.
    EachEpoch,
    /// Everything, when the input has ended.
    AtEnd,
}

/// Keys and partial states, as they go from one step to the next.
pub fn partial_schema(kernel: &Kernel) -> SchemaRef {
    let mut fields = kernel.key_schema().fields().to_vec();
    fields.extend(kernel.state_fields().iter().map(|f| Arc::new(f.as_ref().clone().with_nullable(true))));
    Arc::new(Schema::new(fields))
}

/// The operator.
pub struct Tables {
    kernel: Arc<Kernel>,
    table: Table,
    takes: Takes,
    gives: Gives,
    when: Given,
    expiry: Option<Expiry>,
    schema: SchemaRef,
    /// Groups that have a result before there is a row are opened once.
    opened: bool,
    watermark: Watermark,
}

impl Tables {
    /// Of `kernel`; puts out columns of `schema`. Where `expiry` is there, rows may be late.
    pub fn new(
        kernel: &Arc<Kernel>,
        takes: Takes,
        gives: Gives,
        when: Given,
        expiry: Option<Expiry>,
        schema: SchemaRef,
    ) -> Result<Self> {
        Ok(Self {
            table: Table::try_new(kernel)?,
            kernel: kernel.clone(),
            takes,
            gives,
            when,
            expiry,
            schema,
            // Only what reads the input: on each worker, so that their empty states meet where the result is made.
            opened: takes == Takes::States,
            watermark: Watermark::MIN,
        })
    }
}

impl Operator for Tables {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        if delta.weights.is_some() {
            return Err(Error::internal("an aggregation of rows that are never taken back was handed weights"));
        }
        let rows = delta.num_rows();
        if self.takes == Takes::States {
            let segment = Segment::from_columns(&self.kernel, delta.batch.columns(), rows);
            return self.table.merge(&segment);
        }
        let delta = match &self.expiry {
            Some(expiry) => expiry.on_time(delta, cx)?,
            None => delta,
        };
        match delta.is_empty() {
            true => Ok(()),
            false => self.table.update(&self.kernel.evaluate_inputs(&delta.batch)?),
        }
    }

    fn advance(&mut self, watermark: Watermark, _cx: &mut Cx) -> Result<Watermark> {
        self.watermark = watermark;
        Ok(match self.when {
            Given::AtEnd if watermark != Watermark::MAX => Watermark::MIN,
            _ => watermark,
        })
    }

    fn end_epoch(&mut self, cx: &mut Cx) -> Result<()> {
        if self.when == Given::AtEnd && self.watermark != Watermark::MAX {
            return Ok(());
        }
        if !std::mem::replace(&mut self.opened, true) {
            self.table.open_totals()?;
        }
        let rows = self.table.len();
        if rows == 0 {
            return Ok(());
        }
        let batch = match self.gives {
            Gives::States => {
                let options = RecordBatchOptions::new().with_row_count(Some(rows));
                RecordBatch::try_new_with_options(self.schema.clone(), self.table.seal()?.columns(), &options)?
            }
            Gives::Results => {
                let (mut columns, values) = self.table.finish()?;
                columns.extend(values);
                conform(&self.schema, columns, rows)?
            }
        };
        cx.emit(Delta::insert(batch));
        Ok(())
    }

    fn state(&self) -> StateSize {
        let rows = self.table.len();
        StateSize { rows, bytes: if rows == 0 { 0 } else { self.table.bytes() }, oldest: None }
    }
}
