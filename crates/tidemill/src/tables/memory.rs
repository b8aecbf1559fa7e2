//! A table of rows that are there already: bounded, in one split or several.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tidemill_core::source::{Piece, Position, ReadRequest, Source, SplitId, SplitReader, Splits};
use tidemill_core::{Error, Result};

/// Rows in memory, in the order in which they were given.
#[derive(Debug, Clone)]
pub struct MemoryTable {
    schema: SchemaRef,
    splits: Vec<Arc<[RecordBatch]>>,
}

impl MemoryTable {
    /// A table of these rows, by split. All batches have the columns of `schema`.
    pub fn try_new(schema: SchemaRef, splits: Vec<Vec<RecordBatch>>) -> Result<Self> {
        for batch in splits.iter().flatten() {
            if batch.schema().fields() != schema.fields() {
                return Err(Error::statement(format!(
                    "the rows do not have the columns of the table: {} instead of {}",
                    batch.schema(),
                    schema
                )));
            }
        }
        Ok(Self { schema, splits: splits.into_iter().map(Into::into).collect() })
    }
}

#[async_trait]
impl Source for MemoryTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn bounded(&self) -> bool {
        true
    }

    async fn splits(&self) -> Result<Splits> {
        let name = |i: usize| SplitId::from(i.to_string().as_str());
        Ok(Splits { splits: (0..self.splits.len()).map(name).collect(), more_later: false })
    }

    async fn open(
        &self,
        split: &SplitId,
        from: Option<&Position>,
        request: &ReadRequest,
    ) -> Result<Box<dyn SplitReader>> {
        let done = match from {
            None => 0,
            Some(position) => {
                position.0.parse().map_err(|_| Error::internal(format!("'{position}' is not a number of rows")))?
            }
        };
        let batches = split.0.parse().ok().and_then(|i: usize| self.splits.get(i).cloned());
        let batches = batches.ok_or_else(|| Error::internal(format!("a table in memory has no split '{split}'")))?;
        Ok(Box::new(MemoryReader { batches, request: request.clone(), next: 0, offset: 0, skip: done, done }))
    }
}

/// Cuts the batches into pieces of the wanted size, without copying.
struct MemoryReader {
    batches: Arc<[RecordBatch]>,
    request: ReadRequest,
    next: usize,
    offset: usize,
    skip: usize,
    done: usize,
}

#[async_trait]
impl SplitReader for MemoryReader {
    async fn next(&mut self) -> Result<Option<Piece>> {
        while let Some(batch) = self.batches.get(self.next) {
            let left = batch.num_rows() - self.offset;
            let skipped = self.skip.min(left);
            self.skip -= skipped;
            self.offset += skipped;
            let len = (left - skipped).min(self.request.batch_rows);
            if len == 0 {
                self.next += 1;
                self.offset = 0;
                continue;
            }
            let rows = batch.slice(self.offset, len).project(&self.request.projection)?;
            self.offset += len;
            self.done += len;
            let bytes = rows.columns().iter().map(|c| c.get_array_memory_size() as u64).sum();
            return Ok(Some(Piece {
                batch: rows,
                rejected: vec![],
                position: self.done.to_string().into(),
                bytes,
                raw: None,
            }));
        }
        Ok(None)
    }
}
