//! Sinks: where results go.

use std::fmt;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;

use crate::delta::{ChangeMode, Delta};
use crate::error::Result;

/// Which changes a sink can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accepts {
    /// Insertions only; a query whose result is updated is refused before it starts.
    Append,
    /// Insertions that replace the row with the same primary key, and deletions by key.
    Upsert,
    /// Anything, row by row.
    Retract,
}

impl Accepts {
    /// Whether a result of `mode` can be written.
    pub fn takes(self, mode: &ChangeMode) -> bool {
        match self {
            Self::Append => *mode == ChangeMode::Append,
            Self::Upsert | Self::Retract => true,
        }
    }
}

/// A table that rows can be written to.
#[async_trait]
pub trait Sink: Send + Sync + fmt::Debug {
    /// The columns it wants, in order.
    fn schema(&self) -> SchemaRef;

    /// Which changes it can take.
    fn accepts(&self) -> Accepts;

    /// Starts to write.
    async fn open(&self) -> Result<Box<dyn SinkWriter>>;
}

/// Writes one result. Calls come one after the other: any number of `write`, now and then a `publish`, one `close`.
#[async_trait]
pub trait SinkWriter: Send {
    /// Takes some changes. They need not be visible to a reader before [`publish`](Self::publish).
    async fn write(&mut self, delta: &Delta) -> Result<()>;

    /// Makes everything written so far visible, at once or not at all where the system can do that.
    async fn publish(&mut self) -> Result<()>;

    /// Publishes the rest and lets go of what is held. Not called where the query failed: what was not published
    /// must then stay invisible.
    async fn close(&mut self) -> Result<()>;
}
