//! Makes the changes of a log exact: what is taken back is the row as it was inserted, and nothing else is.
//!
//! A log of changes may know no more of a row that is gone than its key, may send the new row alone, and may be wrong.
//! Above this operator none of that is seen: every retraction is of a row that is there, in full, at the row's own event time.
//! What takes back a row that was never inserted is rejected, so that no result is ever negative.
//!
//! Changes are applied in the order in which they came, so that the rows of an epoch give the same wherever it was cut; what
//! is emitted is the net of the epoch. One thing is not netted: a row that was below the watermark when it was taken back may
//! be late for its windows, so its insertion and its retraction are not the same to them.
//!
//! [`keyed`]: one row for each key. [`whole`]: without a key, how often each row is there.

mod keyed;
mod out;
#[cfg(test)]
mod tests;
mod whole;

pub(super) use out::{NEW, OLD};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::datatypes::Schema;
use tidemill_core::delta::take_rows;
use tidemill_core::{Error, Result};
use tidemill_plan::Node;
use tidemill_plan::op::{NormalizeOp, OnError};

use crate::graph::{Graph, Routing, StepId};
use crate::operator::{Cx, RejectedChanges};

/// Adds the step: rows of a key (or equal rows) meet on one worker.
pub fn build(op: &NormalizeOp, node: &Node, input: StepId, graph: &mut Graph) -> Result<StepId> {
    let (schema, op) = (node.edge.schema.clone(), op.clone());
    let columns = match op.key.is_empty() {
        true => (0..schema.fields().len()).collect(),
        false => op.key.clone(),
    };
    Ok(graph.add("Normalize", node.id, vec![(input, Routing::ByKey(columns))], move || {
        Ok(match op.key.is_empty() {
            true => Box::new(whole::WholeRows::new(&op, schema.clone())?),
            false => Box::new(keyed::Keyed::new(&op, schema.clone())?),
        })
    }))
}

/// Why a change of a key that has no row is rejected.
pub(super) fn never_there(table: &Schema, key: &[usize]) -> String {
    let names: Vec<_> = key.iter().map(|k| table.field(*k).name().as_str()).collect();
    format!("no row with this PRIMARY KEY ({}) is there to be taken back", names.join(", "))
}

/// Rejects these rows of `batch`, or fails where the table says so.
pub(super) fn reject(
    rows: Vec<u32>,
    batch: &RecordBatch,
    reason: String,
    on_error: OnError,
    cx: &mut Cx,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    if on_error == OnError::Fail {
        return Err(Error::data(reason).with_hint(
            "With 'on-error' = 'reject' such records are kept in tidemill.rejected_rows, and the query goes on.",
        ));
    }
    cx.reject(RejectedChanges { rows: take_rows(batch, &UInt32Array::from(rows))?, reason });
    Ok(())
}
