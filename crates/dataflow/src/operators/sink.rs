//! Where rows leave: the driver hands what a sink node puts out to whoever writes or reads it.

use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result};

use crate::expression::relabel;
use crate::operator::{Cx, Operator};

/// Passes rows on, with the columns named as the table names them. A NULL in a `NOT NULL` column is an error.
#[derive(Debug)]
pub struct Sink {
    schema: SchemaRef,
}

impl Sink {
    /// Of an edge with `schema`.
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema }
    }
}

impl Operator for Sink {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        cx.emit(relabel(&self.schema, delta)?);
        Ok(())
    }
}
