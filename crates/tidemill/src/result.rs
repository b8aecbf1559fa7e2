//! The result of a `SELECT`, as a stream of changes.

use std::pin::Pin;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{Stream, StreamExt};
use tidemill_core::{Delta, Result};
use tokio::sync::mpsc;

use crate::consolidate::consolidate;
use crate::run::{Running, Summary};

/// What a query put out in one epoch: insertions, and retractions of rows inserted before.
pub type Changes = Delta;

/// A running `SELECT`. A [`Stream`] of [`Changes`]; dropping it ends the query.
#[derive(Debug)]
pub struct QueryResult {
    schema: SchemaRef,
    bounded: bool,
    changes: mpsc::Receiver<Result<Changes>>,
    running: Running,
}

impl QueryResult {
    pub(crate) fn new(
        schema: SchemaRef,
        bounded: bool,
        changes: mpsc::Receiver<Result<Changes>>,
        running: Running,
    ) -> Self {
        Self { schema, bounded, changes, running }
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Whether it ends by itself.
    pub fn is_bounded(&self) -> bool {
        self.bounded
    }

    /// The running query: its counters, its watermarks, and how to stop it.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Waits for the end and adds all changes up to the final rows. Over an unbounded table this never returns.
    ///
    /// # Errors
    /// What made the query fail.
    pub async fn collect(mut self) -> Result<RecordBatch> {
        let mut all = Vec::new();
        while let Some(changes) = self.next().await {
            all.push(changes?);
        }
        let schema = self.schema.clone();
        self.running.wait().await?;
        consolidate(&schema, &all)
    }

    /// Waits for the end, passing over what is left of the result.
    ///
    /// # Errors
    /// What made the query fail.
    pub async fn finish(mut self) -> Result<Summary> {
        while let Some(changes) = self.next().await {
            changes?;
        }
        self.running.wait().await
    }
}

impl Stream for QueryResult {
    type Item = Result<Changes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.changes.poll_recv(cx)
    }
}
