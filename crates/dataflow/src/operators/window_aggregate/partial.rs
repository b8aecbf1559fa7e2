//! How sealed panes travel from the workers that filled them to the worker that merges them: as ordinary rows, so that
//! they can be routed by their keys.
//!
//! Columns: the end of the first window that the groups count in, the start of the pane (both in microseconds on the wall
//! clock), the keys, the grouping id if there are sets, the partial states.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::compute::partition;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use tidemill_core::Result;

use crate::aggregate::{Kernel, Segment};
use crate::graph::Routing;
use crate::operators::window_aggregate::cut::Bucket;

/// How many columns come before the keys.
const BEFORE_KEYS: usize = 2;

/// The columns of sealed panes.
pub(super) fn schema(kernel: &Kernel) -> SchemaRef {
    let time = |name: &str| Arc::new(Field::new(name, DataType::Int64, false));
    let mut fields = vec![time("first_end"), time("pane_start")];
    fields.extend(kernel.key_schema().fields().iter().cloned());
    // What an accumulator says of NULLs in its state is not always so.
    fields.extend(kernel.state_fields().iter().map(|f| Arc::new(f.as_ref().clone().with_nullable(true))));
    Arc::new(Schema::new(fields))
}

/// How sealed panes are routed: so that equal keys meet.
pub(super) fn routing(kernel: &Kernel) -> Routing {
    match kernel.key_schema().fields().len() {
        0 => Routing::ToOne,
        keys => Routing::ByKey((BEFORE_KEYS..BEFORE_KEYS + keys).collect()),
    }
}

/// A sealed pane as rows.
pub(super) fn to_batch(schema: &SchemaRef, bucket: Bucket, segment: Segment) -> Result<RecordBatch> {
    let time = |t: i64| Arc::new(Int64Array::from_value(t, segment.rows)) as ArrayRef;
    let mut columns = vec![time(bucket.first_end), time(bucket.start)];
    columns.extend(segment.keys);
    columns.extend(segment.states);
    let options = RecordBatchOptions::new().with_row_count(Some(segment.rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// The sealed panes in `batch`.
pub(super) fn from_batch(kernel: &Kernel, batch: &RecordBatch) -> Result<Vec<(Bucket, Segment)>> {
    let all = Segment::from_columns(kernel, &batch.columns()[BEFORE_KEYS..], batch.num_rows());
    let times = &batch.columns()[..BEFORE_KEYS];
    let (first_end, start) = (times[0].as_primitive::<Int64Type>(), times[1].as_primitive::<Int64Type>());
    let one = |rows: std::ops::Range<usize>| {
        let bucket = Bucket { first_end: first_end.value(rows.start), start: start.value(rows.start) };
        (bucket, all.slice(rows.start, rows.len()))
    };
    Ok(partition(times)?.ranges().into_iter().map(one).collect())
}
