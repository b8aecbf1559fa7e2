//! What the unit tests of this crate share: small deltas, one operator run alone, pictures of what came out.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::pretty::pretty_format_batches;
use tidemill_core::{Delta, Watermark};

use crate::operator::{Cx, Operator};

/// One column of integers, each row with its weight.
pub(crate) fn rows(name: &str, values: &[Option<i64>], weights: Vec<i64>) -> Delta {
    let schema = Arc::new(Schema::new(vec![Field::new(name, DataType::Int64, true)]));
    let batch = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(values.to_vec()))]).unwrap();
    Delta::weighted(batch, Int64Array::from(weights))
}

/// What `operator` puts out in one epoch that ends its input.
pub(crate) fn run(mut operator: impl Operator, input: Vec<Delta>) -> Vec<Delta> {
    let mut cx = Cx::new(0);
    for delta in input {
        operator.push(0, delta, &mut cx).unwrap();
    }
    operator.advance(Watermark::MAX, &mut cx).unwrap();
    operator.end_epoch(&mut cx).unwrap();
    cx.take_emitted()
}

/// Each delta as a table; the weights and split watermarks are columns where there are any.
pub(crate) fn picture(deltas: &[Delta]) -> String {
    let tables = deltas.iter().map(|delta| {
        let mut fields = delta.schema().fields().to_vec();
        let mut columns = delta.batch.columns().to_vec();
        for (name, side) in [("weight", &delta.weights), ("split watermark", &delta.split_watermark)] {
            if let Some(side) = side {
                fields.push(Arc::new(Field::new(name, DataType::Int64, true)));
                columns.push(Arc::new(side.clone()) as ArrayRef);
            }
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        pretty_format_batches(&[batch]).unwrap().to_string()
    });
    tables.collect::<Vec<_>>().join("\n")
}
