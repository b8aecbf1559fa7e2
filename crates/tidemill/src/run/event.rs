//! What the epoch thread hears.

use arrow::array::RecordBatch;
use tidemill_core::{Delta, Error, SplitId};
use tidemill_dataflow::ingest::Taken;
use tidemill_plan::NodeId;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::report::WatermarkReport;
use super::state::StateReport;

/// Something happened at the rim.
#[derive(Debug)]
pub(crate) enum Event {
    /// A split is there and will be read. Comes before its first row, and for all splits of a source known at its start
    /// before the first row of any of them: time must not run ahead of a split that nobody has heard of.
    Joined { source: usize, split: SplitId },
    /// Rows of a split. The permit is the room that they take in the queue.
    Rows { source: usize, split: SplitId, taken: Box<Taken>, permit: OwnedSemaphorePermit },
    /// A split has ended.
    Ended { source: usize, split: SplitId },
    /// A source has no more splits to come.
    Complete { source: usize },
    /// The batch answer of a part of the query.
    Answer { node: NodeId, rows: Vec<RecordBatch> },
    /// The answer of a lookup.
    LookedUp { node: NodeId, number: u64, rows: Delta },
    /// A reader or a writer failed.
    Failed(Error),
    /// Somebody asks who holds time back.
    Report(oneshot::Sender<WatermarkReport>),
    /// Somebody asks what is kept.
    State(oneshot::Sender<StateReport>),
    /// Somebody asks to stop.
    Stop,
}
