//! Counts rows as they come, so that those above know their order also where several workers hand them on.
//!
//! One worker counts for all: of an epoch each has a stretch of the rows, and only together are these in the order in which the
//! rows came.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result};
use tidemill_plan::Node;

use crate::expression::conform;
use crate::graph::{Graph, Routing, StepId};
use crate::operator::{Cx, Operator};

/// Adds the step, to which the workers' rows come one worker after the other.
pub fn build(node: &Node, input: StepId, graph: &mut Graph) -> StepId {
    let output = Arc::clone(&node.edge.schema);
    let make = move || Ok(Box::new(Number::new(Arc::clone(&output))) as _);
    graph.add(node.op.name(), node.id, vec![(input, Routing::ToOne)], make)
}

/// Adds the number of each row as the last column.
#[derive(Debug)]
pub struct Number {
    output: SchemaRef,
    came: i64,
}

impl Number {
    /// Puts out rows of `output`.
    pub fn new(output: SchemaRef) -> Self {
        Self { output, came: 0 }
    }
}

impl Operator for Number {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let rows = delta.num_rows();
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(self.came..self.came + rows as i64));
        self.came += rows as i64;
        let columns = delta.batch.columns().iter().cloned().chain([numbers]).collect();
        cx.emit(delta.with_batch(conform(&self.output, columns, rows)?));
        Ok(())
    }
}
