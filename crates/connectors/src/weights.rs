//! Rows with weights, for sinks that only know rows.

use arrow::array::{RecordBatch, UInt32Array};
use tidemill_core::delta::take_rows;
use tidemill_core::{Delta, Error, Result};

/// Each row as often as its weight says. A retraction is a bug: the plan does not give one to such a sink.
pub(crate) fn expand(delta: &Delta) -> Result<RecordBatch> {
    let Some(weights) = &delta.weights else { return Ok(delta.batch.clone()) };
    if weights.values().iter().all(|w| *w == 1) {
        return Ok(delta.batch.clone());
    }
    let mut rows: Vec<u32> = Vec::with_capacity(weights.len());
    for (row, weight) in weights.values().iter().enumerate() {
        let times = usize::try_from(*weight)
            .map_err(|_| Error::internal(format!("a sink that takes insertions only was given the weight {weight}")))?;
        rows.extend(std::iter::repeat_n(row as u32, times));
    }
    take_rows(&delta.batch, &UInt32Array::from(rows))
}
