//! The table that a log of changes has made once all of it was read: what a batch run sees of it.
//!
//! Row by row and without cleverness on purpose: this is what the dataflow is compared with.

use std::collections::HashMap;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};
use tidemill_core::delta::take_rows;
use tidemill_core::{Delta, Result};
use tidemill_dataflow::changelog::changes;
use tidemill_plan::op::Changelog;

/// The rows that are there after all `records`, given by split. A change that takes back what is not there does nothing.
pub(super) fn rows(changelog: &Changelog, schema: &SchemaRef, records: Vec<Vec<Delta>>) -> Result<Vec<RecordBatch>> {
    let columns: Vec<usize> = match changelog.key.is_empty() {
        true => (0..schema.fields().len()).collect(),
        false => changelog.key.clone(),
    };
    let sort = columns.iter().map(|c| SortField::new(schema.field(*c).data_type().clone())).collect();
    let converter = RowConverter::new(sort)?;
    let mut deltas = vec![];
    // By key: where its rows stand, each as often as it is there.
    let mut there: HashMap<OwnedRow, Vec<(usize, u32)>> = HashMap::new();
    for record in records.into_iter().flatten() {
        let (delta, _) = changes(changelog, &record.batch, record.weights, &mut vec![])?;
        let keys: Vec<_> = columns.iter().map(|c| delta.batch.column(*c).clone()).collect();
        let keys = converter.convert_columns(&keys)?;
        for (row, key) in keys.iter().enumerate() {
            let weight = delta.weights.as_ref().map_or(1, |w| w.value(row));
            let rows = there.entry(key.owned()).or_default();
            let times = usize::try_from(weight.unsigned_abs()).unwrap_or(usize::MAX);
            match (changelog.key.is_empty(), weight > 0) {
                (true, true) => rows.extend(std::iter::repeat_n((deltas.len(), row as u32), times)),
                (true, false) if rows.len() >= times => rows.truncate(rows.len() - times),
                (true, false) => {}
                (false, true) => *rows = vec![(deltas.len(), row as u32)],
                (false, false) => rows.clear(),
            }
        }
        deltas.push(delta);
    }
    let mut kept = vec![vec![]; deltas.len()];
    there.into_values().flatten().for_each(|(delta, row)| kept[delta].push(row));
    let take = |(delta, mut rows): (Delta, Vec<u32>)| {
        rows.sort_unstable();
        take_rows(&delta.batch, &UInt32Array::from(rows))
    };
    deltas.into_iter().zip(kept).map(take).collect()
}
