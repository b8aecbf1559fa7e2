//! `UNION ALL`: all rows of all inputs, columns by place.

use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result};

use crate::expression::relabel;
use crate::operator::{Cx, Operator};

/// Passes on the rows of every port under the names of the first. The driver merges the watermarks.
#[derive(Debug)]
pub struct Union {
    schema: SchemaRef,
}

impl Union {
    /// Of an edge with `schema`.
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema }
    }
}

impl Operator for Union {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        cx.emit(relabel(&self.schema, delta)?);
        Ok(())
    }
}
