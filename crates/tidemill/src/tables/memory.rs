//! A table of rows that are there already, in one split or several: insertions, or insertions and retractions.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tidemill_core::source::{Piece, Position, ReadRequest, Source, SplitId, SplitReader, Splits};
use tidemill_core::{ChangeMode, Delta, Error, Result};

/// Rows in memory, in the order in which they were given.
#[derive(Debug, Clone)]
pub struct MemoryTable {
    schema: SchemaRef,
    changes: ChangeMode,
    bounded: bool,
    splits: Vec<Arc<[Delta]>>,
}

impl MemoryTable {
    /// A table of these rows, by split. All batches have the columns of `schema`.
    ///
    /// # Errors
    /// If a batch has other columns.
    pub fn try_new(schema: SchemaRef, splits: Vec<Vec<RecordBatch>>) -> Result<Self> {
        let inserted = |batches: Vec<RecordBatch>| batches.into_iter().map(Delta::insert).collect();
        Self::of_changes(schema, splits.into_iter().map(inserted).collect(), ChangeMode::Append)
    }

    /// A table that these changes make, by split, in their order; `changes` says which kinds there are. All changes of a
    /// row (or key) are in one split.
    ///
    /// # Errors
    /// If a batch has other columns than `schema`, or a table of insertions a retraction.
    pub fn of_changes(schema: SchemaRef, splits: Vec<Vec<Delta>>, changes: ChangeMode) -> Result<Self> {
        check_key(&schema, &changes)?;
        for delta in splits.iter().flatten() {
            check_changes(&schema, &changes, delta)?;
        }
        Ok(Self { schema, changes, bounded: true, splits: splits.into_iter().map(Into::into).collect() })
    }

    /// The same rows of a table that is declared to have no end: queries over it are planned to go on, and the rows end
    /// all the same. For tests of such queries.
    #[must_use]
    pub fn without_end(self) -> Self {
        Self { bounded: false, ..self }
    }
}

/// Whether the key of an upsert table has columns.
pub(crate) fn check_key(schema: &SchemaRef, changes: &ChangeMode) -> Result<()> {
    match changes {
        ChangeMode::Upsert(key) if key.is_empty() || key.iter().any(|k| *k >= schema.fields().len()) => {
            Err(Error::statement("the key of an upsert table has no columns, or columns that the table does not have"))
        }
        _ => Ok(()),
    }
}

/// Whether `delta` can be a change of a table with these columns.
pub(super) fn check_changes(schema: &SchemaRef, changes: &ChangeMode, delta: &Delta) -> Result<()> {
    if delta.schema().fields() != schema.fields() {
        return Err(Error::statement(format!(
            "the rows do not have the columns of the table: {} instead of {}",
            delta.schema(),
            schema
        )));
    }
    match &delta.weights {
        Some(w) if w.null_count() > 0 || w.values().contains(&0) => {
            Err(Error::statement("the weight of a change is NULL or 0"))
        }
        Some(w) if *changes == ChangeMode::Append && w.values().iter().any(|w| *w != 1) => {
            Err(Error::statement("the table takes insertions only, and a row has another weight than 1")
                .with_hint("Register it as a table of changes."))
        }
        _ => Ok(()),
    }
}

#[async_trait]
impl Source for MemoryTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn bounded(&self) -> bool {
        self.bounded
    }

    /// All rows are there: nobody waits for them.
    fn live(&self) -> bool {
        false
    }

    fn changes(&self) -> ChangeMode {
        self.changes.clone()
    }

    async fn version(&self) -> Result<Option<String>> {
        Ok(Some(String::new()))
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
        let deltas = split.0.parse().ok().and_then(|i: usize| self.splits.get(i).cloned());
        let deltas = deltas.ok_or_else(|| Error::internal(format!("a table in memory has no split '{split}'")))?;
        Ok(Box::new(MemoryReader { deltas, request: request.clone(), next: 0, offset: 0, skip: done, done }))
    }
}

/// Cuts the batches into pieces of the wanted size, without copying.
struct MemoryReader {
    deltas: Arc<[Delta]>,
    request: ReadRequest,
    next: usize,
    offset: usize,
    skip: usize,
    done: usize,
}

#[async_trait]
impl SplitReader for MemoryReader {
    async fn next(&mut self) -> Result<Option<Piece>> {
        while let Some(delta) = self.deltas.get(self.next) {
            let left = delta.num_rows() - self.offset;
            let skipped = self.skip.min(left);
            self.skip -= skipped;
            self.offset += skipped;
            let len = (left - skipped).min(self.request.batch_rows);
            if len == 0 {
                self.next += 1;
                self.offset = 0;
                continue;
            }
            let rows = delta.slice(self.offset, len);
            let batch = rows.batch.project(&self.request.projection)?;
            self.offset += len;
            self.done += len;
            let bytes = batch.columns().iter().map(|c| c.get_array_memory_size() as u64).sum();
            return Ok(Some(Piece {
                batch,
                weights: rows.weights,
                rejected: vec![],
                position: self.done.to_string().into(),
                bytes,
                raw: None,
            }));
        }
        Ok(None)
    }
}
