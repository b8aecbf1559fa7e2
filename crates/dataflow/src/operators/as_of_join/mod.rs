//! Each left row with the one right row that was valid at its time: `ASOF JOIN` and temporal joins.
//!
//! Two forms. [`settled`] lets a left row wait until the watermark has passed its time and puts it out once; it keeps the
//! [`versions`] of the right side that a left row to come may still ask for. [`updating`] puts a left row out at once and
//! again when it gets another partner, and takes any changes. [`pairing`] makes output rows for both.
//!
//! Rows of equal keys meet on one worker. Nothing here knows whether it was written as `ASOF JOIN` or `FOR SYSTEM_TIME AS
//! OF`.

mod ordered_side;
mod pairing;
mod settled;
#[cfg(test)]
mod tests;
mod updating;
mod versions;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use tidemill_core::{Error, Result};
use tidemill_plan::op::{AsOfForm, AsOfJoinOp};
use tidemill_plan::{Node, StreamPlan};

use super::no_time::NoTime;
use crate::Operator;
use crate::graph::{Graph, Routing, StepId};

/// Adds the step, and below it what holds time back on an input whose watermark says nothing of its time column.
pub fn build(op: &AsOfJoinOp, plan: &StreamPlan, node: &Node, inputs: &[StepId], graph: &mut Graph) -> Result<StepId> {
    let ([left, right], [left_node, right_node]) = (inputs, &node.inputs[..]) else {
        return Err(Error::internal(format!("{} with {} inputs", node.op.name(), inputs.len())));
    };
    let edges = [&plan.node(*left_node).edge, &plan.node(*right_node).edge];
    let (left_keys, right_keys): (Vec<usize>, Vec<usize>) = op.keys.iter().copied().unzip();
    let mut steps = vec![];
    for ((step, edge), (keys, time)) in
        [left, right].into_iter().zip(edges).zip([(left_keys, op.times.0), (right_keys, op.times.1)])
    {
        let routing = if keys.is_empty() { Routing::ToOne } else { Routing::ByKey(keys) };
        // A row that looks ahead in time never knows that no nearer one will come, but at the end.
        let untimed = edge.event_time != Some(time) || !op.matching.looks_back();
        let step = match op.form == AsOfForm::Settled && untimed {
            true => graph.add("NoTime", node.id, vec![(*step, Routing::Stay)], || Ok(Box::new(NoTime))),
            false => *step,
        };
        steps.push((step, routing));
    }
    let schemas = edges.map(|e| e.schema.clone());
    let (op, output) = (op.clone(), node.edge.schema.clone());
    Ok(graph.add(node.op.name(), node.id, steps, move || instance(&op, &schemas, &output)))
}

fn instance(op: &AsOfJoinOp, inputs: &[SchemaRef; 2], output: &SchemaRef) -> Result<Box<dyn Operator>> {
    Ok(match op.form {
        AsOfForm::Settled => Box::new(settled::Settled::new(op, inputs, output)?),
        AsOfForm::Updating => Box::new(updating::Updating::new(op, inputs, output)?),
    })
}

/// The values of a time column as numbers in the same order: those that a timestamp counts in.
fn counts(array: &ArrayRef) -> Result<Int64Array> {
    let numbers = match array.data_type() {
        // The same numbers, whatever the unit and the zone.
        DataType::Timestamp(..) => array.to_data().into_builder().data_type(DataType::Int64).build()?,
        DataType::Date32 => cast(&cast(array, &DataType::Int32)?, &DataType::Int64)?.to_data(),
        _ => cast(array, &DataType::Int64)?.to_data(),
    };
    Ok(numbers.into())
}

/// The rows in which none of `columns` is NULL; `None` where that is all of them.
fn without_nulls<'a>(columns: impl Iterator<Item = &'a ArrayRef>) -> Option<BooleanArray> {
    let nulls = columns.fold(None, |all: Option<NullBuffer>, c| NullBuffer::union(all.as_ref(), c.nulls()));
    nulls.filter(|n| n.null_count() > 0).map(|n| BooleanArray::new(n.into_inner(), None))
}
