//! `VALUES`, and the one row of a `SELECT` without `FROM`.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, EmptyRelation, Expr, Values};
use tidemill_core::{ChangeMode, Result};
use tidemill_plan::op::StreamOp;
use tidemill_plan::{Edge, NodeId};

use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::Relation;

impl Lowering<'_> {
    pub(super) fn values(&mut self, values: &Values) -> Lower<Relation> {
        let schema = Arc::clone(values.schema.inner());
        if values.values.iter().flatten().any(Expr::is_volatile) {
            return self.changing_values(values, &schema);
        }
        let columns: Lower<Vec<_>> = (0..schema.fields().len())
            .map(|c| {
                let cells = values.values.iter().map(|row| self.constant(&row[c]));
                let cells = cells.collect::<Lower<Vec<_>>>()?;
                Ok(ScalarValue::iter_to_array(cells)?)
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(values.values.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns?, &options);
        let columns = schema.fields().len();
        Ok(Relation::plain(self.rows(vec![batch.map_err(tidemill_core::Error::from)?], schema), columns))
    }

    pub(super) fn empty(&mut self, empty: &EmptyRelation) -> Lower<Relation> {
        let schema = Arc::clone(empty.schema.inner());
        let columns = schema.fields().len();
        let batches = if empty.produce_one_row { vec![one_row()?] } else { vec![] };
        let schema = if empty.produce_one_row { Arc::new(Schema::empty()) } else { schema };
        Ok(Relation::plain(self.rows(batches, schema), columns))
    }

    /// Rows with functions of the clock or of chance: those are asked when the query runs.
    fn changing_values(&mut self, values: &Values, schema: &SchemaRef) -> Lower<Relation> {
        let one = self.rows(vec![one_row()?], Arc::new(Schema::empty()));
        let none = DFSchema::empty();
        let edge = Edge { schema: Arc::clone(schema), ..self.plan.node(one).edge.clone() };
        let mut inputs = vec![];
        for row in &values.values {
            let exprs = row.iter().map(|e| self.express(e, &none)).collect::<Lower<Vec<_>>>()?;
            inputs.push(self.plan.add(StreamOp::Project(exprs), vec![one], edge.clone()));
        }
        let node = match inputs.as_slice() {
            [node] => *node,
            _ => self.plan.add(StreamOp::Union, inputs, edge),
        };
        Ok(Relation::plain(node, schema.fields().len()))
    }

    fn rows(&mut self, batches: Vec<RecordBatch>, schema: SchemaRef) -> NodeId {
        let edge = Edge { schema, changes: ChangeMode::Append, event_time: None, bounded: true };
        self.plan.add(StreamOp::Values(batches), vec![], edge)
    }

    fn constant(&self, expr: &Expr) -> Lower<ScalarValue> {
        if let Expr::Literal(value, _) = expr {
            return Ok(value.clone());
        }
        match self.express(expr, &DFSchema::empty())?.evaluate(&one_row()?)? {
            ColumnarValue::Scalar(value) => Ok(value),
            ColumnarValue::Array(array) => Ok(ScalarValue::try_from_array(&array, 0)?),
        }
    }
}

/// A row without columns.
fn one_row() -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)?)
}
