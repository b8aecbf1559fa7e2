//! Parquet files: only the wanted columns, a row group a thread.

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use ::parquet::file::metadata::ParquetMetaData;
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;
use tidemill_core::{Error, Result};

use super::adapt::{Adapter, engine_field};
use super::object::Object;
use super::rows::{RowFile, Unit};
use super::source::FileSplit;

/// The columns of a file, in the types of the engine.
pub(crate) fn schema(object: &Object, name: &str) -> Result<SchemaRef> {
    let metadata = metadata(object, name)?;
    let fields: Vec<_> = metadata.schema().fields().iter().map(|f| engine_field(f)).collect();
    Ok(Arc::new(Schema::new(fields)))
}

fn metadata(object: &Object, name: &str) -> Result<ArrowReaderMetadata> {
    ArrowReaderMetadata::load(object, ArrowReaderOptions::new())
        .map_err(|e| Error::data(format!("cannot read '{name}' as Parquet: {e}")).caused_by(e))
}

/// The row groups of `name` from row `from` on.
pub(crate) fn units(
    split: &FileSplit,
    object: &Object,
    name: &Arc<str>,
    wanted: &[usize],
    from: u64,
    row_file: impl FnOnce(Adapter) -> RowFile,
) -> Result<Vec<Unit>> {
    let metadata = metadata(object, name)?;
    let may_be_null =
        |column: usize| metadata.schema().field(column).is_nullable() && may_hold_null(metadata.metadata(), column);
    let adapter = Adapter::new(name, metadata.schema(), &split.columns.records, wanted, may_be_null)?;
    let mask = ProjectionMask::roots(metadata.parquet_schema(), adapter.read.iter().copied());
    let file = row_file(adapter);
    let mut units: Vec<Unit> = Vec::new();
    let mut first = 0u64;
    for (group, meta) in metadata.metadata().row_groups().iter().enumerate() {
        let rows = meta.num_rows().max(0).cast_unsigned();
        let skip = from.saturating_sub(first).min(rows);
        if skip < rows {
            let (file, metadata, mask) = (file.clone(), metadata.clone(), mask.clone());
            let (batch_rows, row) = (split.batch_rows, first + skip);
            let read_bytes = (meta.columns().iter().enumerate())
                .filter(|(leaf, _)| mask.leaf_included(*leaf))
                .map(|(_, c)| c.compressed_size().max(0).cast_unsigned())
                .sum::<u64>();
            units.push(Box::new(move |outlet| {
                let failed = |e: &dyn std::fmt::Display| Error::data(format!("cannot read '{}': {e}", file.name));
                let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file.object.clone(), metadata)
                    .with_row_groups(vec![group])
                    .with_projection(mask)
                    .with_batch_size(batch_rows)
                    .with_offset(usize::try_from(skip).unwrap_or(usize::MAX));
                let mut row = row;
                for batch in builder.build().map_err(|e| failed(&e).caused_by(e))? {
                    let batch = batch.map_err(|e| failed(&e).caused_by(e))?;
                    let count = batch.num_rows() as u64;
                    if !outlet.send(&file, batch, row, read_bytes * count / rows)? {
                        return Ok(());
                    }
                    row += count;
                }
                Ok(())
            }));
        }
        first += rows;
    }
    Ok(units)
}

/// Whether the statistics leave it open that top-level `column` holds a NULL.
fn may_hold_null(metadata: &ParquetMetaData, column: usize) -> bool {
    let schema = metadata.file_metadata().schema_descr();
    let leaves: Vec<usize> = (0..schema.num_columns()).filter(|l| schema.get_column_root_idx(*l) == column).collect();
    // A nested column's leaves do not tell about the column itself.
    let [leaf] = leaves[..] else { return true };
    let nulls = |group: &::parquet::file::metadata::RowGroupMetaData| group.column(leaf).statistics()?.null_count_opt();
    metadata.row_groups().iter().any(|group| nulls(group) != Some(0))
}
