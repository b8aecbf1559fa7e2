//! Adding deltas up: what is left of all insertions and retractions.

use std::collections::HashMap;

use arrow::array::{Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};
use tidemill_core::delta::take_rows;
use tidemill_core::{Delta, Error, Result};

/// The rows that `deltas` add up to, each as often as its weight says, in the order in which they first appeared.
///
/// # Errors
/// If a row was retracted more often than it was inserted: a result never does that.
pub fn consolidate(schema: &SchemaRef, deltas: &[Delta]) -> Result<RecordBatch> {
    let all = Delta::concat(schema, deltas)?;
    let Some(weights) = &all.weights else { return Ok(all.batch) };
    let fields = schema.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    if schema.fields().is_empty() {
        return without_columns(&all, weights);
    }
    let rows = converter.convert_columns(all.batch.columns())?;
    // By row: its weight, and where it first appeared.
    let mut sums: HashMap<OwnedRow, (i64, u32)> = HashMap::new();
    for (i, row) in rows.iter().enumerate() {
        let place = u32::try_from(i).map_err(|_| Error::internal("a result of more than 4 billion changes"))?;
        let sum = sums.entry(row.owned()).or_insert((0, place));
        if sum.0 == 0 {
            sum.1 = place;
        }
        sum.0 += weights.value(i);
    }
    let mut left: Vec<(u32, i64)> = sums.into_values().map(|(weight, place)| (place, weight)).collect();
    left.sort_unstable();
    let mut indices = Vec::with_capacity(left.len());
    for (place, weight) in left {
        if weight < 0 {
            return Err(Error::internal("a result retracted a row that it had not inserted"));
        }
        indices.extend(std::iter::repeat_n(place, weight as usize));
    }
    take_rows(&all.batch, &UInt32Array::from(indices))
}

/// Rows that are told apart by nothing, as often as their weights add up to.
fn without_columns(all: &Delta, weights: &Int64Array) -> Result<RecordBatch> {
    let rows = usize::try_from(weights.values().iter().sum::<i64>())
        .map_err(|_| Error::internal("a result retracted a row that it had not inserted"))?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(all.schema(), vec![], &options)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn what_was_retracted_is_gone() {
        let batch =
            |v: Vec<i64>| RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(v)) as ArrayRef)]).unwrap();
        let deltas =
            [Delta::insert(batch(vec![1, 2, 3])), Delta::weighted(batch(vec![2, 4]), Int64Array::from(vec![-1, 2]))];
        let left = consolidate(&batch(vec![]).schema(), &deltas).unwrap();
        assert_eq!(left.column(0).as_primitive::<Int64Type>().values().to_vec(), [1, 3, 4, 4]);
        let wrong = [Delta::weighted(batch(vec![1]), Int64Array::from(vec![-1]))];
        assert!(consolidate(&batch(vec![]).schema(), &wrong).is_err());
    }
}
