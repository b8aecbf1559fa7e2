//! A batch of changes: the only thing that flows through the engine.

use std::fmt;

use arrow::array::UInt32Array;
use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::compute::{concat, concat_batches, filter, filter_record_batch, take, take_arrays};
use arrow::datatypes::SchemaRef;

use crate::error::Result;

/// What kind of changes an edge of the plan carries, known before a query starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeMode {
    /// Only insertions.
    Append,
    /// At most one live row for each value of these columns; an insertion replaces the row before it.
    Upsert(Vec<usize>),
    /// Insertions, and retractions of rows inserted before.
    Retract,
}

impl fmt::Display for ChangeMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append => f.write_str("append"),
            Self::Upsert(key) => write!(f, "upsert{key:?}"),
            Self::Retract => f.write_str("retract"),
        }
    }
}

/// Rows, each with a weight: `+1` inserts it, `-1` retracts it. A Z-set in Arrow columns.
///
/// Filter, project and union work on it unchanged, join is bilinear, and sinks turn it into `+I -U +U -D`.
#[derive(Debug, Clone)]
pub struct Delta {
    /// The rows.
    pub batch: RecordBatch,
    /// One weight a row, never NULL and never 0; absent where all are `+1`, which costs nothing.
    pub weights: Option<Int64Array>,
    /// For rows that came in below the watermark of their own split: that watermark, in microseconds; NULL for all
    /// others. Absent where there is no such row, as in data that is in order. A window operator judges lateness by it.
    pub split_watermark: Option<Int64Array>,
}

impl Delta {
    /// All rows inserted once, none of them behind its split's watermark.
    pub fn insert(batch: RecordBatch) -> Self {
        Self { batch, weights: None, split_watermark: None }
    }

    /// Rows with a weight each.
    pub fn weighted(batch: RecordBatch, weights: Int64Array) -> Self {
        debug_assert_eq!(batch.num_rows(), weights.len(), "one weight a row");
        Self { batch, weights: Some(weights), split_watermark: None }
    }

    /// Number of rows, whatever their weights.
    pub fn num_rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there is no row at all.
    pub fn is_empty(&self) -> bool {
        self.num_rows() == 0
    }

    /// The columns' names and types.
    pub fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    /// The same changes over other columns (as many rows).
    #[must_use]
    pub fn with_batch(&self, batch: RecordBatch) -> Self {
        debug_assert_eq!(batch.num_rows(), self.num_rows(), "a projection keeps the rows");
        Self { batch, weights: self.weights.clone(), split_watermark: self.split_watermark.clone() }
    }

    /// The rows for which `keep` is true.
    pub fn filter(&self, keep: &BooleanArray) -> Result<Self> {
        let side = |a: &Option<Int64Array>| -> Result<Option<Int64Array>> {
            a.as_ref().map(|a| Ok(int64(filter(a, keep)?))).transpose()
        };
        Ok(Self {
            batch: filter_record_batch(&self.batch, keep)?,
            weights: side(&self.weights)?,
            split_watermark: side(&self.split_watermark)?,
        })
    }

    /// The rows at `indices`, in that order.
    pub fn take(&self, indices: &UInt32Array) -> Result<Self> {
        let side = |a: &Option<Int64Array>| -> Result<Option<Int64Array>> {
            a.as_ref().map(|a| Ok(int64(take(a, indices, None)?))).transpose()
        };
        Ok(Self {
            batch: take_rows(&self.batch, indices)?,
            weights: side(&self.weights)?,
            split_watermark: side(&self.split_watermark)?,
        })
    }

    /// `len` rows from `offset` on, without copying.
    #[must_use]
    pub fn slice(&self, offset: usize, len: usize) -> Self {
        Self {
            batch: self.batch.slice(offset, len),
            weights: self.weights.as_ref().map(|a| a.slice(offset, len)),
            split_watermark: self.split_watermark.as_ref().map(|a| a.slice(offset, len)),
        }
    }

    /// All rows of `deltas`, one after the other. `schema` is for the case of none.
    pub fn concat(schema: &SchemaRef, deltas: &[Delta]) -> Result<Self> {
        if let [one] = deltas {
            return Ok(one.clone());
        }
        let batch = concat_rows(schema, &deltas.iter().map(|d| &d.batch).collect::<Vec<_>>())?;
        let side = |get: &dyn Fn(&Delta) -> Option<Int64Array>, none: &dyn Fn(usize) -> Int64Array| {
            if deltas.iter().all(|d| get(d).is_none()) {
                return Ok::<_, crate::Error>(None);
            }
            let parts: Vec<Int64Array> = deltas.iter().map(|d| get(d).unwrap_or_else(|| none(d.num_rows()))).collect();
            let parts: Vec<&dyn Array> = parts.iter().map(|a| a as &dyn Array).collect();
            Ok(Some(int64(concat(&parts)?)))
        };
        Ok(Self {
            weights: side(&|d| d.weights.clone(), &|n| Int64Array::from_value(1, n))?,
            split_watermark: side(&|d| d.split_watermark.clone(), &Int64Array::new_null)?,
            batch,
        })
    }
}

/// The rows of `batch` at `indices`, also where it has no columns: a query may count rows that it does not look at.
pub fn take_rows(batch: &RecordBatch, indices: &UInt32Array) -> Result<RecordBatch> {
    let columns = take_arrays(batch.columns(), indices, None)?;
    let options = RecordBatchOptions::new().with_row_count(Some(indices.len()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
}

/// All rows of `batches`, one after the other, also where they have no columns.
fn concat_rows(schema: &SchemaRef, batches: &[&RecordBatch]) -> Result<RecordBatch> {
    if schema.fields().is_empty() {
        let rows = batches.iter().map(|b| b.num_rows()).sum();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        return Ok(RecordBatch::try_new_with_options(schema.clone(), vec![], &options)?);
    }
    Ok(concat_batches(schema, batches.iter().copied())?)
}

fn int64(a: ArrayRef) -> Int64Array {
    Int64Array::from(a.to_data())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn rows_without_columns_are_counted_all_the_same() {
        let rows = |n| {
            let options = RecordBatchOptions::new().with_row_count(Some(n));
            RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap()
        };
        let two = [Delta::insert(rows(2)), Delta::weighted(rows(1), Int64Array::from(vec![-1]))];
        let all = Delta::concat(&rows(0).schema(), &two).unwrap();
        assert_eq!((all.num_rows(), all.weights.clone()), (3, Some(Int64Array::from(vec![1, 1, -1]))));
        assert_eq!(all.take(&UInt32Array::from(vec![2, 0])).unwrap().weights, Some(Int64Array::from(vec![-1, 1])));
    }

    #[test]
    fn concat_fills_in_the_weights_that_were_absent() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let rows = |v: Vec<i64>| RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from(v))]).unwrap();
        let one = Delta::insert(rows(vec![1, 2]));
        let two = Delta::weighted(rows(vec![1]), Int64Array::from(vec![-1]));
        let all = Delta::concat(&schema, &[one, two]).unwrap();
        assert_eq!(all.weights, Some(Int64Array::from(vec![1, 1, -1])));
        assert_eq!(all.split_watermark, None);
        let kept = all.filter(&BooleanArray::from(vec![true, false, true])).unwrap();
        assert_eq!(kept.weights, Some(Int64Array::from(vec![1, -1])));
    }
}
