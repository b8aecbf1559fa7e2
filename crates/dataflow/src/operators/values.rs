//! `VALUES`: rows that the statement itself holds.
//!
//! The driver feeds them to the node in the first epoch, as it feeds a source, and then the edge ends.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result};

use crate::expression::relabel;

/// The rows of a `Values` node, as the driver feeds them.
pub fn deltas(batches: &[RecordBatch], schema: &SchemaRef) -> Result<Vec<Delta>> {
    batches.iter().filter(|b| b.num_rows() > 0).map(|b| relabel(schema, Delta::insert(b.clone()))).collect()
}
