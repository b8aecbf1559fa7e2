//! Expressions over the rows of a delta, and columns put under the schema that an edge promises.
//!
//! Knows DataFusion's physical expressions; keeps nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::SchemaRef;
use datafusion_common::DataFusionError;
use datafusion_physical_expr::PhysicalExpr;
use tidemill_core::{Delta, Error, Result};

/// The value of `expr` for each row.
pub fn evaluate(expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<ArrayRef> {
    expr.evaluate(batch).and_then(|value| value.into_array(batch.num_rows())).map_err(data_error)
}

/// An error of DataFusion in our words: what an expression cannot do with the data, or a bug.
pub fn data_error(e: DataFusionError) -> Error {
    let root = match e.find_root() {
        DataFusionError::ArrowError(e, _) => Error::data(e.to_string()),
        DataFusionError::Execution(text) => Error::data(text.clone()),
        DataFusionError::External(e) => Error::data(e.to_string()),
        DataFusionError::NotImplemented(text) => Error::unsupported(text.clone()),
        other => Error::internal(other.strip_backtrace()),
    };
    root.caused_by(e)
}

/// `columns` under `schema`. The types agree but for what is nested in them (field names, say), which is put right.
pub fn conform(schema: &SchemaRef, mut columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    for (column, field) in columns.iter_mut().zip(schema.fields()) {
        if column.data_type() != field.data_type() {
            let options = CastOptions { safe: false, ..Default::default() };
            *column = cast_with_options(column, field.data_type(), &options)?;
        }
    }
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(rows)),
    )?)
}

/// The same changes with the columns named as in `schema`. Costs nothing where they are already.
pub fn relabel(schema: &SchemaRef, delta: Delta) -> Result<Delta> {
    if Arc::ptr_eq(schema, delta.batch.schema_ref()) {
        return Ok(delta);
    }
    let rows = delta.num_rows();
    let (_, columns, _) = delta.batch.into_parts();
    Ok(Delta { batch: conform(schema, columns, rows)?, ..delta })
}
