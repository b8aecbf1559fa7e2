//! Output rows: columns of the left side beside those of their partners.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::{Field, Schema, SchemaRef};
use tidemill_core::{Error, Result};
use tidemill_plan::op::{AsOfJoinOp, Expr};

use crate::expression::{conform, evaluate};

/// Makes output rows.
pub(super) struct Pairing {
    output: SchemaRef,
    /// The output with NULLs allowed everywhere, for pairs that turn out to be none.
    loose: SchemaRef,
    residual: Option<Expr>,
}

impl Pairing {
    /// Of `op`, whose output has the columns of `output`.
    pub(super) fn new(op: &AsOfJoinOp, output: &SchemaRef) -> Self {
        let fields = output.fields().iter().map(|f| Field::clone(f).with_nullable(true));
        let loose = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self { output: output.clone(), loose, residual: op.residual.clone() }
    }

    /// `partner` with NULL for each pair that does not meet the rest of the condition. `partner[i]` is the row of `right`
    /// that belongs to row `i` of `left`, or NULL.
    pub(super) fn confirm(&self, left: &[ArrayRef], right: &[ArrayRef], partner: UInt32Array) -> Result<UInt32Array> {
        let Some(residual) = &self.residual else { return Ok(partner) };
        let pairs = conform(&self.loose, beside(left, right, &partner)?, partner.len())?;
        let holds = evaluate(residual, &pairs)?;
        let holds = holds.as_boolean_opt().ok_or_else(|| Error::internal("a condition that is not BOOLEAN"))?;
        let confirmed = partner.iter().zip(holds).map(|(p, holds)| p.filter(|_| holds == Some(true)));
        Ok(confirmed.collect())
    }

    /// The rows of `left` with their partners, or NULLs.
    pub(super) fn rows(&self, left: &[ArrayRef], right: &[ArrayRef], partner: &UInt32Array) -> Result<RecordBatch> {
        conform(&self.output, beside(left, right, partner)?, partner.len())
    }
}

fn beside(left: &[ArrayRef], right: &[ArrayRef], partner: &UInt32Array) -> Result<Vec<ArrayRef>> {
    let one_each = partner.null_count() == 0 && partner.values().iter().copied().eq(0..partner.len() as u32);
    let partners = match one_each && right.iter().all(|c| c.len() == partner.len()) {
        true => right.to_vec(),
        false => take_arrays(right, partner, None)?,
    };
    Ok(left.iter().cloned().chain(partners).collect())
}
