//! The tasks that read: one watches a source for splits, one reads each split.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::source::{ReadRequest, Source};
use tidemill_core::{Result, SplitId};
use tidemill_dataflow::ingest::Ingest;
use tidemill_plan::op::SourceOp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::event::Event;

/// Rows of one split that wait for an epoch, at most: the bound of the queue, and so the backpressure.
const QUEUED_ROWS: u32 = 64 * 1024;
/// Rows that a piece should have.
const PIECE_ROWS: usize = 8 * 1024;
/// Splits of a source that are open at a time.
const OPEN_SPLITS: usize = 64;
/// How often a source is asked for new splits.
const DISCOVERY: Duration = Duration::from_secs(1);

/// Reads one source until it ends.
pub(super) struct Reader {
    /// Its number among the plan's sources.
    pub index: usize,
    pub op: SourceOp,
    pub source: Arc<dyn Source>,
    pub decode_threads: usize,
    pub events: crossbeam_channel::Sender<Event>,
}

impl Reader {
    /// Reads until the end, or tells the epoch thread what failed.
    pub(super) async fn run(self) {
        let events = self.events.clone();
        let name = self.op.name.clone();
        if let Err(e) = Arc::new(self).read().await {
            let _ = events.send(Event::Failed(e.context(format!("table '{name}'"))));
        }
    }

    async fn read(self: Arc<Self>) -> Result<()> {
        let open = Arc::new(Semaphore::new(OPEN_SPLITS));
        let mut known: HashSet<SplitId> = HashSet::new();
        let mut tasks: JoinSet<Result<()>> = JoinSet::new();
        loop {
            let splits = self.source.splits().await?;
            let new: Vec<SplitId> = splits.splits.into_iter().filter(|s| known.insert(s.clone())).collect();
            for split in &new {
                self.tell(Event::Joined { source: self.index, split: split.clone() });
            }
            for split in new {
                let (reader, open) = (Arc::clone(&self), Arc::clone(&open));
                tasks.spawn(async move {
                    // The semaphore is never closed.
                    let _permit = open.acquire_owned().await;
                    reader.read_split(split).await
                });
            }
            if !splits.more_later {
                self.tell(Event::Complete { source: self.index });
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(DISCOVERY) => {}
                Some(done) = tasks.join_next() => joined(done)?,
            }
        }
        while let Some(done) = tasks.join_next().await {
            joined(done)?;
        }
        Ok(())
    }

    async fn read_split(&self, split: SplitId) -> Result<()> {
        let request = ReadRequest {
            projection: self.op.projection.clone(),
            batch_rows: PIECE_ROWS,
            decode_threads: self.decode_threads,
        };
        let decoded = Arc::new(self.source.schema().project(&request.projection)?);
        let mut ingest = Ingest::new(&self.op, decoded)?;
        let mut reader = self.source.open(&split, None, &request).await?;
        let room = Arc::new(Semaphore::new(QUEUED_ROWS as usize));
        while let Some(piece) = reader.next().await? {
            let taken = ingest.take(piece).map_err(|e| e.context(format!("split '{split}'")))?;
            let rows = u32::try_from(taken.delta.num_rows()).unwrap_or(QUEUED_ROWS).clamp(1, QUEUED_ROWS);
            let Ok(permit) = Arc::clone(&room).acquire_many_owned(rows).await else { return Ok(()) };
            self.tell(Event::Rows { source: self.index, split: split.clone(), taken: Box::new(taken), permit });
        }
        self.tell(Event::Ended { source: self.index, split });
        Ok(())
    }

    fn tell(&self, event: Event) {
        // If the epoch thread has gone, the query has ended and this task is about to be dropped.
        let _ = self.events.send(event);
    }
}

fn joined(result: Result<Result<()>, tokio::task::JoinError>) -> Result<()> {
    match result {
        Ok(result) => result,
        Err(e) if e.is_cancelled() => Ok(()),
        Err(e) => Err(tidemill_core::Error::internal(format!("a reader panicked: {e}"))),
    }
}
