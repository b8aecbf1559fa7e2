//! A table that a program pushes rows into: unbounded until its sender is dropped.

use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tidemill_core::source::{Piece, Position, ReadRequest, Source, SplitId, SplitReader, Splits};
use tidemill_core::{ChangeMode, Delta, Error, Result};
use tokio::sync::mpsc;

use super::memory::check_changes;

/// Pushes rows into a table. Dropping the last clone of it ends the table.
#[derive(Debug, Clone)]
pub struct Sender {
    schema: SchemaRef,
    changes: ChangeMode,
    rows: mpsc::Sender<Delta>,
}

impl Sender {
    /// Hands over some rows. Waits while the engine is behind (backpressure).
    ///
    /// # Errors
    /// If the columns are not those of the table, or if the query that reads the table has ended.
    pub async fn send(&self, batch: RecordBatch) -> Result<()> {
        self.send_changes(Delta::insert(batch)).await
    }

    /// Hands over some changes: weight `1` inserts a row, `-1` takes it back. In an upsert table an insertion replaces the
    /// row of its key, and a negative weight deletes it, whatever stands in the other columns. Changes are taken in in
    /// their order; one that takes back a row which is not there becomes a rejected row. Waits while the engine is behind.
    ///
    /// # Errors
    /// If the columns are not those of the table, if it was registered for insertions only and a weight is not 1, or if the
    /// query that reads it has ended.
    pub async fn send_changes(&self, changes: Delta) -> Result<()> {
        check_changes(&self.schema, &self.changes, &changes)?;
        self.rows.send(changes).await.map_err(|_| Error::cancelled("the query that read this table has ended"))
    }

    /// The columns of the table.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

/// The reading side. One query reads it, once: what has been taken in is gone.
pub struct PushTable {
    schema: SchemaRef,
    changes: ChangeMode,
    rows: Mutex<Option<mpsc::Receiver<Delta>>>,
}

impl PushTable {
    /// A table of these columns that holds at most `capacity` batches that the engine has not taken in.
    pub fn new(schema: SchemaRef, capacity: usize) -> (Sender, Self) {
        Self::of_changes(schema, ChangeMode::Append, capacity)
    }

    /// The same for changes of these kinds.
    pub fn of_changes(schema: SchemaRef, changes: ChangeMode, capacity: usize) -> (Sender, Self) {
        let (rows, receiver) = mpsc::channel(capacity.max(1));
        let sender = Sender { schema: Arc::clone(&schema), changes: changes.clone(), rows };
        (sender, Self { schema, changes, rows: Mutex::new(Some(receiver)) })
    }
}

impl fmt::Debug for PushTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushTable").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[async_trait]
impl Source for PushTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn changes(&self) -> ChangeMode {
        self.changes.clone()
    }

    fn bounded(&self) -> bool {
        false
    }

    /// The program decides when there are rows; a pause of it means nothing for time.
    fn live(&self) -> bool {
        false
    }

    async fn splits(&self) -> Result<Splits> {
        Ok(Splits { splits: vec!["push".into()], more_later: false })
    }

    async fn open(&self, _: &SplitId, _: Option<&Position>, request: &ReadRequest) -> Result<Box<dyn SplitReader>> {
        let rows = self.rows.lock().map_err(|_| Error::internal("the table's lock is broken"))?.take();
        let rows = rows.ok_or_else(|| {
            Error::statement("this table is being read by another query already").with_hint(
                "Rows that are pushed are taken in once. Register a table for each query, or use one statement set.",
            )
        })?;
        Ok(Box::new(PushReader { rows, projection: request.projection.clone(), done: 0 }))
    }
}

struct PushReader {
    rows: mpsc::Receiver<Delta>,
    projection: Vec<usize>,
    done: usize,
}

#[async_trait]
impl SplitReader for PushReader {
    async fn next(&mut self) -> Result<Option<Piece>> {
        let Some(Delta { batch, weights, .. }) = self.rows.recv().await else { return Ok(None) };
        let batch = batch.project(&self.projection)?;
        self.done += batch.num_rows();
        let bytes = batch.columns().iter().map(|c| c.get_array_memory_size() as u64).sum();
        Ok(Some(Piece { batch, weights, rejected: vec![], position: self.done.to_string().into(), bytes, raw: None }))
    }
}
