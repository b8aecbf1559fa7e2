//! Functions with `OVER`, in four forms.
//!
//! - [`updating`]: over any input. The rows are kept with their values, and what an epoch changes is put out anew.
//! - [`complete`]: rows wait until their whole partition is there: until its window has closed, or the input ends.
//! - [`event_time`]: rows are ordered by event time, and come out in that order as the watermark moves on.
//! - [`arrival`]: rows are ordered as they come, and come out at once.
//!
//! Read in this order: [`functions`] (what is computed), [`order`] (the order of rows), then [`partitions`] and
//! [`updating`]; [`waiting`] and [`complete`]; [`habit`], [`running`], [`event_time`] and [`arrival`].
//!
//! The values are those of DataFusion's window expressions; which form is right was decided by the plan.

pub mod arrival;
pub mod complete;
pub mod event_time;
pub mod functions;
pub mod habit;
pub mod order;
pub mod partitions;
pub mod running;
#[cfg(test)]
mod tests;
pub mod updating;
pub mod waiting;

use arrow::datatypes::SchemaRef;
use tidemill_core::Result;
use tidemill_plan::Node;
use tidemill_plan::op::{OverForm, OverOp};

use self::arrival::Arrival;
use self::complete::Complete;
use self::event_time::EventTime;
use self::updating::Updating;
use crate::graph::{Graph, Routing, StepId};

/// Adds the step: the rows of a partition meet on one worker. `event_time` is that of the input.
pub fn build(
    op: &OverOp,
    node: &Node,
    input: StepId,
    input_schema: &SchemaRef,
    event_time: Option<usize>,
    graph: &mut Graph,
) -> Result<StepId> {
    let routing = match op.partition_by.is_empty() {
        true => Routing::ToOne,
        false => Routing::ByKey(op.partition_by.clone()),
    };
    let (op, input_schema, output) = (op.clone(), input_schema.clone(), node.edge.schema.clone());
    Ok(graph.add("Over", node.id, vec![(input, routing)], move || {
        let (input, output) = (input_schema.clone(), output.clone());
        Ok(match &op.form {
            OverForm::Arrival { number } => Box::new(Arrival::new(&op, *number, &input, output)?),
            OverForm::Changes => Box::new(Updating::new(&op, input, output)?),
            OverForm::Partitions { end, allowed_lateness } => {
                Box::new(Complete::new(&op, end.clone(), *allowed_lateness, event_time, input, output)?)
            }
            OverForm::EventTime { time, allowed_lateness, reach } => {
                Box::new(EventTime::new(&op, *time, *allowed_lateness, *reach, input, output)?)
            }
        })
    }))
}
