//! Where rows enter: a source node passes on what the rim took in, under the schema of its edge.

use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result};

use crate::expression::relabel;
use crate::operator::{Cx, Operator};

/// Passes rows on. Rejecting and watermarks are done by then: see [`ingest`](crate::ingest).
#[derive(Debug)]
pub struct Source {
    schema: SchemaRef,
}

impl Source {
    /// Of an edge with `schema`.
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema }
    }
}

impl Operator for Source {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        cx.emit(relabel(&self.schema, delta)?);
        Ok(())
    }
}
