//! Running a plan: the rim around the dataflow.
//!
//! ```text
//! reader tasks ──ingest──► bounded queue ──► epoch thread: step(), step(), .. ──► bounded queues ──► writer tasks
//! (tokio, one a split)                       (owns the dataflow)                                      (tokio, one a sink)
//! ```
//!
//! Reading, decoding, encoding and writing are tasks of the runtime and overlap with the epochs. The epoch thread alone
//! touches the dataflow: it takes what has come in, reads the clock once, and steps. While it steps, input piles up and the
//! next epoch is larger; so latency and throughput set themselves.

pub(crate) mod at_end;
pub(crate) mod engine;
mod epochs;
mod event;
mod reader;
mod refused;
mod report;
pub(crate) mod state;
mod writer;

use std::sync::Arc;

use datafusion::execution::SessionState;
use tidemill_core::{Clock, Error, Result};
use tidemill_plan::StreamPlan;
use tokio::sync::{mpsc, oneshot};

use crate::metrics::{Metrics, Progress};
use crate::result::Changes;
use crate::tables::kept::Kept;

use event::Event;
pub use report::{OperatorReport, SourceReport, SplitReport, WatermarkReport};
pub use state::{OperatorState, StateReport};

/// How a plan is run.
#[derive(Clone)]
pub(crate) struct RunOptions {
    /// Worker threads.
    pub workers: usize,
    /// About how many rows an epoch takes in at most.
    pub epoch_rows: usize,
    /// How often sinks of a query that does not end publish what they were given.
    pub publish_interval: std::time::Duration,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Late rows of all queries of the session.
    pub late: Arc<Kept>,
    /// Rejected rows of all queries of the session.
    pub rejected: Arc<Kept>,
    /// Answers the parts of a query that have no incremental form.
    pub batch: SessionState,
}

/// A running pipeline. Dropping it stops the pipeline.
#[derive(Debug)]
pub struct Running {
    events: crossbeam_channel::Sender<Event>,
    metrics: Metrics,
    done: Option<oneshot::Receiver<Result<Summary>>>,
}

/// How a pipeline ended.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The last counts.
    pub progress: Progress,
    /// Whether it was stopped before its inputs ended.
    pub stopped: bool,
    /// Who held time back at the end.
    pub watermarks: WatermarkReport,
    /// What the operators kept at the end, and at most.
    pub state: StateReport,
}

/// Asks a pipeline to stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stop(crossbeam_channel::Sender<Event>);

impl Stop {
    /// Stops the pipeline: it finishes its epoch, publishes what its sinks hold and ends.
    pub fn stop(&self) {
        // If nobody listens, the pipeline has ended already.
        let _ = self.0.send(Event::Stop);
    }
}

impl Running {
    /// Starts `plan`. `results` are the readers of its `SELECT`s, by number.
    pub(crate) async fn start(
        plan: Arc<StreamPlan>,
        results: Vec<mpsc::Sender<Result<Changes>>>,
        options: RunOptions,
    ) -> Result<Self> {
        let (events, inbox) = crossbeam_channel::unbounded();
        let epochs = epochs::Epochs::new(plan, results, options, events.clone(), inbox).await?;
        let metrics = epochs.metrics().clone();
        let (finish, done) = oneshot::channel();
        std::thread::Builder::new()
            .name("tidemill-epochs".into())
            .spawn(move || {
                // If nobody waits for the end, there is nobody to tell.
                let _ = finish.send(epochs.run());
            })
            .map_err(|e| Error::external("the operating system gives no more threads").caused_by(e))?;
        Ok(Self { events, metrics, done: Some(done) })
    }

    /// The counters now.
    pub fn progress(&self) -> Progress {
        self.metrics.progress()
    }

    /// The counters, to be read while somebody waits for the end.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// A handle that stops it.
    pub fn stop_handle(&self) -> Stop {
        Stop(self.events.clone())
    }

    /// Who holds time back now: by source and split, and by operator.
    ///
    /// # Errors
    /// If the pipeline has ended.
    pub async fn watermarks(&self) -> Result<WatermarkReport> {
        self.reporter().watermarks().await
    }

    /// What the operators keep now: rows, bytes and the oldest event time of each.
    ///
    /// # Errors
    /// If the pipeline has ended.
    pub async fn state(&self) -> Result<StateReport> {
        self.reporter().state().await
    }

    /// A handle that asks for reports.
    pub fn reporter(&self) -> Reporter {
        Reporter(self.events.clone())
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// What made the pipeline fail.
    pub async fn wait(mut self) -> Result<Summary> {
        let done = self.done.take().ok_or_else(|| Error::internal("a pipeline is waited for once"))?;
        done.await.map_err(|_| Error::internal("the epoch thread ended without a word"))?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.done.is_some() {
            let _ = self.events.send(Event::Stop);
        }
    }
}

/// Asks a running pipeline how it is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reporter(crossbeam_channel::Sender<Event>);

impl Reporter {
    /// Who holds time back now.
    ///
    /// # Errors
    /// If the pipeline has ended.
    pub async fn watermarks(&self) -> Result<WatermarkReport> {
        let (ask, answer) = oneshot::channel();
        let ended = || Error::cancelled("the query has ended");
        self.0.send(Event::Report(ask)).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())
    }

    /// What the operators keep now.
    ///
    /// # Errors
    /// If the pipeline has ended.
    pub async fn state(&self) -> Result<StateReport> {
        let (ask, answer) = oneshot::channel();
        let ended = || Error::cancelled("the query has ended");
        self.0.send(Event::State(ask)).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())
    }
}
