//! The epoch thread: takes what has come in, steps the engine, hands on what comes out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use tidemill_core::{Error, Result};
use tidemill_dataflow::dataflow::Config;
use tidemill_plan::StreamPlan;
use tidemill_plan::op::SinkTarget;
use tidemill_sql::catalog::system::SystemTable;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::AbortHandle;

use super::engine::{Engine, Stepped, ToRead};
use super::event::Event;
use super::reader::Reader;
use super::writer::{Gone, Writer};
use super::{RunOptions, Summary, at_end};
use crate::lookup::Lookups;
use crate::metrics::Metrics;
use crate::result::Changes;

/// How often time is looked at while nothing comes in: for idle splits, processing time and publishing.
const TICK: Duration = Duration::from_millis(100);

/// How often the sizes of the operators' states are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Who takes the rows of a sink.
enum Taker {
    Table(Writer),
    Result(mpsc::Sender<Result<Changes>>),
    /// The engine itself.
    Engine,
}

/// Everything the epoch thread owns.
pub(super) struct Epochs {
    engine: Engine,
    options: RunOptions,
    /// By the number of the sink.
    takers: Vec<Taker>,
    metrics: Metrics,
    inbox: Receiver<Event>,
    events: Sender<Event>,
    runtime: Handle,
    readers: Vec<AbortHandle>,
    last_publish: Instant,
    last_look: Instant,
    unpublished: bool,
    lookups: Lookups,
    /// Room in the queue of what was taken in while many rows waited for their lookup.
    held: Vec<OwnedSemaphorePermit>,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

impl Epochs {
    /// Opens the sinks, then starts to read the sources.
    pub(super) async fn new(
        plan: Arc<StreamPlan>,
        results: Vec<mpsc::Sender<Result<Changes>>>,
        options: RunOptions,
        events: Sender<Event>,
        inbox: Receiver<Event>,
    ) -> Result<Self> {
        let kept = |table: SystemTable| match table {
            SystemTable::LateRows => options.late.batches(),
            SystemTable::RejectedRows => options.rejected.batches(),
        };
        let lookups = Lookups::of(&plan)?;
        let engine = Engine::new(plan, Config { workers: options.workers, ..Config::default() }, &kept)?;
        let (mut takers, mut names) = (vec![], vec![]);
        for target in engine.sink_targets() {
            let (name, taker) = match target {
                SinkTarget::Table { name, sink } => {
                    (name.clone(), Taker::Table(Writer::open(name, &sink, events.clone()).await?))
                }
                SinkTarget::Result(number) => match results.get(number) {
                    Some(result) => ("result".into(), Taker::Result(result.clone())),
                    None => return Err(Error::internal(format!("nobody reads result {number}"))),
                },
                SinkTarget::Collect => ("collected".into(), Taker::Engine),
                SinkTarget::Ask => ("looked up".into(), Taker::Engine),
            };
            names.push(name);
            takers.push(taker);
        }
        let metrics = Metrics::new(engine.source_names(), names);
        let decode_threads = options.workers.max(1);
        let mut readers = vec![];
        for ToRead { index, op, source } in engine.to_read() {
            let reader = Reader { index, op, source, decode_threads, events: events.clone() };
            readers.push(tokio::spawn(reader.run()).abort_handle());
        }
        Ok(Self {
            engine,
            options,
            takers,
            metrics,
            inbox,
            events,
            runtime: Handle::current(),
            readers,
            last_publish: Instant::now(),
            last_look: Instant::now(),
            unpublished: false,
            lookups,
            held: vec![],
        })
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Runs to the end: of the inputs, by a stop, or by a failure.
    pub(super) fn run(mut self) -> Result<Summary> {
        let ended = self.epochs().and_then(|stopped| {
            for taker in std::mem::take(&mut self.takers) {
                if let Taker::Table(writer) = taker {
                    writer.close().map_err(|gone| self.failure(gone))?;
                }
            }
            Ok(stopped)
        });
        for reader in &self.readers {
            reader.abort();
        }
        match ended {
            Ok(stopped) => Ok(Summary {
                progress: self.metrics.progress(),
                stopped,
                watermarks: self.engine.report(),
                state: self.engine.state_report(),
            }),
            Err(e) => {
                for taker in &self.takers {
                    if let Taker::Result(result) = taker {
                        // A reader that has gone needs no word.
                        let _ = result.blocking_send(Err(Error::new(e.kind(), e.message())));
                    }
                }
                Err(e)
            }
        }
    }

    /// Epoch after epoch. Returns whether it was stopped before the end.
    fn epochs(&mut self) -> Result<bool> {
        // The first epoch has no input: constant rows, and the kept rows of earlier queries.
        self.step()?;
        while !self.engine.ended() {
            let mut next = self.take_in()?;
            // What has come in faster than it was worked on is worked on at once.
            while next == Next::GoOn && self.engine.wants_more() && !self.inbox.is_empty() {
                self.engine.begin(self.options.clock.now());
                next = self.take_in()?;
            }
            if next == Next::Stop {
                return Ok(true);
            }
            self.step()?;
        }
        Ok(false)
    }

    /// Waits for something to happen, then takes in all that is there, up to the size of an epoch.
    fn take_in(&mut self) -> Result<Next> {
        let mut rows = 0;
        let mut event = match self.inbox.recv_timeout(TICK) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Err(Error::internal("the epoch thread was left alone")),
        };
        while let Some(now) = event {
            if let Event::Rows { taken, .. } = &now {
                rows += taken.delta.num_rows();
            }
            if self.hear(now)? == Next::Stop {
                return Ok(Next::Stop);
            }
            if rows >= self.options.epoch_rows {
                break;
            }
            event = self.inbox.try_recv().ok();
        }
        Ok(Next::GoOn)
    }

    fn hear(&mut self, event: Event) -> Result<Next> {
        let now = self.options.clock.now();
        match event {
            Event::Joined { source, split } => self.engine.joined(source, split, now)?,
            Event::Complete { source } => self.engine.complete(source)?,
            Event::Ended { source, split } => self.engine.split_ended(source, &split, now)?,
            Event::Rows { source, split, taken, permit } => {
                // While many rows wait for their lookup, what is read waits as well.
                if self.engine.rows_asked() > self.options.epoch_rows {
                    self.held.push(permit);
                }
                let rejected = taken.rejected.len() as u64;
                self.metrics.took(source, taken.delta.num_rows() as u64, taken.bytes, rejected);
                if let Some(batch) = self.engine.rows(source, &split, *taken, now)? {
                    self.options.rejected.push(batch);
                }
            }
            Event::Answer { node, rows } => self.engine.answered(node, rows),
            Event::LookedUp { node, number, rows } => {
                self.engine.looked_up(node, number, rows);
                if self.engine.rows_asked() <= self.options.epoch_rows {
                    self.held.clear();
                }
            }
            Event::Failed(e) => return Err(e),
            Event::Report(ask) => {
                // Whoever asked may have gone.
                let _ = ask.send(self.engine.report());
            }
            Event::State(ask) => {
                let _ = ask.send(self.engine.state_report());
            }
            Event::Stop => return Ok(Next::Stop),
        }
        Ok(Next::GoOn)
    }

    /// One epoch over what has been taken in, after those that were begun before.
    fn step(&mut self) -> Result<()> {
        self.engine.begin(self.options.clock.now());
        let (all, failed) = self.engine.finish();
        for stepped in all {
            self.metrics.epoch();
            for (source, watermark) in &stepped.watermarks {
                self.metrics.watermark(*source, *watermark);
            }
            self.hand_on(stepped)?;
        }
        failed?;
        if self.last_look.elapsed() >= LOOK {
            // For the most that was kept; looking at each epoch would cost more than a small epoch does.
            self.engine.state_report();
            self.last_look = Instant::now();
        }
        self.publish_now_and_then()
    }

    fn hand_on(&mut self, stepped: Stepped) -> Result<()> {
        for (index, deltas) in stepped.changes {
            self.metrics.gave(index, deltas.iter().map(|d| d.num_rows() as u64).sum());
            match &self.takers[index] {
                Taker::Engine => {}
                Taker::Table(writer) => {
                    self.unpublished = true;
                    writer.write(deltas).map_err(|gone| self.failure(gone))?;
                }
                Taker::Result(result) => {
                    for delta in deltas {
                        if result.blocking_send(Ok(delta)).is_err() {
                            return Err(Error::cancelled("nobody reads the result any more"));
                        }
                    }
                }
            }
        }
        for batch in stepped.late {
            self.metrics.late(batch.num_rows() as u64);
            self.options.late.push(batch);
        }
        for (source, batch) in stepped.rejected {
            self.metrics.rejected(source, batch.num_rows() as u64);
            self.options.rejected.push(batch);
        }
        for question in stepped.lookups {
            let asker = self.lookups.at(question.node)?;
            let (events, state) = (self.events.clone(), self.options.batch.clone());
            self.runtime.spawn(async move {
                let event = match asker.answer(&question.rows, &state, question.now).await {
                    Ok(rows) => Event::LookedUp { node: question.node, number: question.number, rows },
                    Err(e) => Event::Failed(e),
                };
                // If the epoch thread has gone, the query has ended.
                let _ = events.send(event);
            });
        }
        for question in stepped.questions {
            let (events, state) = (self.events.clone(), self.options.batch.clone());
            self.runtime.spawn(async move {
                let event = match at_end::answer(state, question.at_end, question.inputs).await {
                    Ok(rows) => Event::Answer { node: question.node, rows },
                    Err(e) => Event::Failed(e),
                };
                // If the epoch thread has gone, the query has ended.
                let _ = events.send(event);
            });
        }
        Ok(())
    }

    fn publish_now_and_then(&mut self) -> Result<()> {
        if !self.unpublished || self.last_publish.elapsed() < self.options.publish_interval {
            return Ok(());
        }
        self.last_publish = Instant::now();
        self.unpublished = false;
        for taker in &self.takers {
            if let Taker::Table(writer) = taker {
                writer.publish().map_err(|gone| self.failure(gone))?;
            }
        }
        Ok(())
    }

    /// The reason why a writer has gone: it has been put into the inbox before the writer went.
    fn failure(&self, gone: Gone) -> Error {
        self.inbox.try_iter().find_map(|e| if let Event::Failed(e) = e { Some(e) } else { None }).unwrap_or(gone.into())
    }
}
