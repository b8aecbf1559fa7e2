//! Sinks: where results go.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
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

    /// The columns of its `PRIMARY KEY`, as indices into [`schema`](Self::schema). A sink that takes
    /// [`Accepts::Upsert`] has one, and gets at most one row for each key and epoch: with weight `1` the row as it is now,
    /// with weight `-1` the row that is gone. One that takes [`Accepts::Retract`] gets the net changes of an epoch, a
    /// retraction right before the insertion of the same key.
    fn key(&self) -> Vec<usize> {
        vec![]
    }

    /// Whether it wants the changes of an epoch added up before it is handed them. A sink that throws them away does not.
    fn wants_net_changes(&self) -> bool {
        true
    }

    /// The same table, as one whose rows are replaced by what is written until it is closed. `None` where that cannot be. `partition` is a row
    /// whose partition columns say what all rows are replaced of, also where none is written.
    fn overwriting(&self, partition: Option<RecordBatch>) -> Option<Arc<dyn Sink>> {
        let _ = partition;
        None
    }

    /// Whether a query that writes to it has to end, since what it writes means nothing before that.
    fn needs_an_end(&self) -> bool {
        false
    }

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
