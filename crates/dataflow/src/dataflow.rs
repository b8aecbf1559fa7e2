//! The step from one epoch to the next: a pure function of the state and the epoch's input.
//!
//! Step by step, in the order of the graph, on every worker: all deltas are pushed, time advances, the epoch ends. Workers
//! wait for each other only where rows are routed between them, and where several epochs are there already, only once for all of
//! them. Whether they run side by side or one after the other on the caller's thread depends on how much there is to do, and
//! makes no difference to what comes out.

mod sources;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod window_tests;

use std::sync::Arc;

use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::{NodeId, StreamPlan};

use crate::contract::Checked;
use crate::crew::{Crew, earliest};
use crate::graph::{Graph, StepId};
use crate::layout::{Layout, layout};
use crate::operator::{LateRows, RejectedChanges, StateSize};
use crate::operators;
use crate::worker::{Course, Failure, Parcel, Worker};

/// From so many waiting rows on, a stage runs on all workers at once; below, handing them over costs more than it saves.
const PARALLEL_ROWS: usize = 2_048;

/// What pays: see [`Config::rows_per_worker`].
const ROWS_PER_WORKER: usize = 1_024;

/// So many rows for each worker are enough to be handed over at once: waiting for each other costs next to nothing then.
const ROWS_AT_ONCE: usize = 65_536;

/// And so many epochs, however few rows they have: what there is to note of each grows with their number.
const EPOCHS_AT_ONCE: usize = 64;

/// How a dataflow runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// How many workers share the work; at least 1. The rows that come out are the same for any number.
    pub workers: usize,
    /// A worker is given at least so many rows of a source in an epoch, if there are as many; at least 1. Tests have few rows
    /// shared out too.
    pub rows_per_worker: usize,
    /// Whether each operator is checked against the contract of [`Operator`](crate::Operator). Slow; for tests.
    pub check_contracts: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { workers: 1, rows_per_worker: ROWS_PER_WORKER, check_contracts: cfg!(debug_assertions) }
    }
}

/// What a source hands over in an epoch.
#[derive(Debug, Clone)]
pub struct SourceFeed {
    /// The source's node.
    pub node: NodeId,
    /// Its new rows.
    pub deltas: Vec<Delta>,
    /// Its watermark after them, merged over its splits. [`Watermark::MAX`] when it has ended.
    pub watermark: Watermark,
}

/// The input of an epoch. A source that is not named has no rows and keeps its watermark.
#[derive(Debug, Clone, Default)]
pub struct EpochInput {
    /// The reading of the clock: microseconds since 1970-01-01 00:00 UTC. One that is before the last is taken as the last.
    pub now: Micros,
    /// What the sources hand over.
    pub sources: Vec<SourceFeed>,
}

/// What came out of an epoch.
#[derive(Debug, Default)]
pub struct EpochOutput {
    /// For each sink node that has any: its changes, in order.
    pub sinks: Vec<(NodeId, Vec<Delta>)>,
    /// Rows that came too late, and the node that refused them.
    pub late: Vec<(NodeId, LateRows)>,
    /// Changes that took back rows which were not there, and the node that refused them.
    pub rejected: Vec<(NodeId, RejectedChanges)>,
    /// How many rows the sources handed over.
    pub rows_in: usize,
    /// How many rows the sinks were handed.
    pub rows_out: usize,
    /// How many steps ran, counted on each worker: those that had rows or were told of a new watermark.
    pub steps_run: usize,
}

/// How many rows have gone through a node so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeRows {
    /// Taken in, on all ports.
    pub rows_in: u64,
    /// Put out.
    pub rows_out: u64,
}

/// A running stream plan.
pub struct Dataflow {
    plan: Arc<StreamPlan>,
    layout: Arc<Layout>,
    workers: Vec<Worker>,
    crew: Option<Crew>,
    rows_per_worker: usize,
    /// The first and the last step of each node.
    steps_of: Vec<(usize, usize)>,
    /// The sources whose watermark the plan's clock shows.
    timed_sources: Vec<NodeId>,
    /// The rows of `VALUES`, until the first epoch.
    values: Vec<SourceFeed>,
    now: Micros,
    rows_so_far: usize,
    failed: Option<String>,
}

impl Dataflow {
    /// Builds the operators of `plan`.
    pub fn new(plan: Arc<StreamPlan>, config: Config) -> Result<Self> {
        let mut graph = Graph::new(config.workers);
        let mut steps_of: Vec<(usize, usize)> = vec![];
        for node in plan.nodes() {
            let inputs: Vec<StepId> = node.inputs.iter().map(|i| StepId(steps_of[i.0].1)).collect();
            let first = graph.steps.len();
            let last = operators::build(&plan, node, &inputs, &mut graph)?;
            steps_of.push((first, last.0));
        }
        Self::of_graph(plan, graph, steps_of, config)
    }

    /// Of a graph that is built. `steps_of` has the first and the last step of each node.
    fn of_graph(plan: Arc<StreamPlan>, graph: Graph, steps_of: Vec<(usize, usize)>, config: Config) -> Result<Self> {
        let layout = Arc::new(layout(&plan, &graph));
        let workers = (0..graph.workers).map(|_| worker(&plan, &graph, &steps_of, config.check_contracts));
        let workers = workers.collect::<Result<_>>()?;
        Ok(Self {
            timed_sources: sources::timed_sources(&plan),
            values: sources::values_of(&plan)?,
            plan,
            layout,
            workers,
            crew: None,
            rows_per_worker: config.rows_per_worker.max(1),
            steps_of,
            now: Micros::MIN,
            rows_so_far: 0,
            failed: None,
        })
    }

    /// One epoch. After an error the dataflow is of no use: every later call is an error too.
    pub fn step(&mut self, input: EpochInput) -> Result<EpochOutput> {
        let (mut out, failed) = self.steps(vec![input]);
        failed?;
        out.pop().ok_or_else(|| Error::internal("an epoch put out nothing, not even that"))
    }

    /// Several epochs whose input is there already, one after the other: what comes out of each, up to the first that fails.
    ///
    /// The same as a [`step`](Self::step) for each, but that several workers wait for each other less often.
    pub fn steps(&mut self, inputs: Vec<EpochInput>) -> (Vec<EpochOutput>, Result<()>) {
        // The readings of the plan's clock are those of one epoch.
        if inputs.len() > 1 && self.plan.clock().is_read() {
            let mut out = vec![];
            for input in inputs {
                match self.step(input) {
                    Ok(epoch) => out.push(epoch),
                    Err(e) => return (out, Err(e)),
                }
            }
            return (out, Ok(()));
        }
        if let Some(why) = &self.failed {
            return (vec![], Err(Error::internal(format!("the dataflow has stopped: {why}"))));
        }
        let mut out = vec![];
        let failed = self.run(inputs, &mut out).inspect_err(|e| self.failed = Some(e.message().to_string()));
        (out, failed)
    }

    /// Whether it pays to hand over further epochs together with so many that have so many rows.
    pub fn wants_more(&self, epochs: usize, rows: usize) -> bool {
        let workers = self.workers.len();
        let little = epochs < EPOCHS_AT_ONCE && rows < workers * ROWS_AT_ONCE;
        workers > 1 && little && !self.plan.clock().is_read()
    }

    /// What comes out goes to `done`, for each epoch before the first that fails.
    fn run(&mut self, inputs: Vec<EpochInput>, done: &mut Vec<EpochOutput>) -> Result<()> {
        let mut out: Vec<_> = inputs.iter().map(|_| EpochOutput::default()).collect();
        self.workers.iter_mut().for_each(|worker| worker.begin(inputs.len()));
        let begins = self.timed_sources.iter().map(|n| self.watermark(*n)).min().unwrap_or(Watermark::MIN);
        let clock: Vec<Micros> = inputs.iter().map(|input| self.reading(input.now)).collect();
        self.plan.clock().set(self.now, begins);
        let mut clock = clock.as_slice();
        let ends = self.share_out(inputs, &mut out)?;
        // The last epoch puts out whatever is left, however few rows come with it.
        let much = ends && self.rows_so_far >= PARALLEL_ROWS;
        let mut failed = None;
        // Few rows are not worth waking the crew for. But where an earlier stage had many, handing over costs next to nothing,
        // and a few rows may close a window of many groups.
        let mut awake = false;
        for stage in 0..self.layout.stages.len() {
            let rows = self.rows_waiting(stage);
            let at_once = self.workers.len() > 1 && (much || rows >= PARALLEL_ROWS || (awake && rows > 0));
            awake |= at_once;
            if let Some(failure) = self.run_stage(stage, at_once, clock)? {
                // The epochs before it are run to their end.
                clock = &clock[..failure.epoch];
                failed = Some(failure.error);
            }
        }
        out.truncate(clock.len());
        self.collect(&mut out);
        *done = out;
        failed.map_or(Ok(()), Err)
    }

    /// What operators see of a clock that reads `now`: a machine's clock can be put back, their time must not go back with it.
    fn reading(&mut self, now: Micros) -> Micros {
        self.now = self.now.max(now);
        self.now
    }

    fn rows_waiting(&self, stage: usize) -> usize {
        self.workers.iter().map(|w| w.rows_waiting(&self.layout.stages[stage])).sum()
    }

    fn run_stage(&mut self, stage: usize, at_once: bool, clock: &[Micros]) -> Result<Option<Failure>> {
        let mut failed = None;
        if at_once {
            let crew = match self.crew.take() {
                Some(crew) => crew,
                None => Crew::start(&self.layout)?,
            };
            let result = crew.run_stage(&mut self.workers, &self.layout, stage, &clock.into());
            self.crew = Some(crew);
            failed = result?;
        } else {
            for worker in &mut self.workers {
                failed = earliest(failed, worker.run_stage(&self.layout, stage, clock).err());
            }
        }
        if self.workers.len() > 1 {
            self.route(stage, clock.len());
        }
        Ok(failed)
    }

    /// Delivers what the workers have put out for each other, and tells them how far all have come.
    fn route(&mut self, stage: usize, epochs: usize) {
        for from in 0..self.workers.len() {
            let mut outbox = std::mem::take(&mut self.workers[from].outbox);
            for Parcel { epoch, worker, step, port, delta } in outbox.drain(..) {
                self.workers[worker].slots[step].inboxes[epoch].push((port, delta));
            }
            self.workers[from].outbox = outbox;
        }
        for step in &self.layout.stages[stage] {
            for epoch in 0..epochs {
                let least = least(&self.workers, |w| w.slots[*step].forwarded.at(epoch));
                self.workers.iter_mut().for_each(|w| w.merged[*step].go_on(epoch, least));
            }
        }
    }

    fn collect(&mut self, out: &mut [EpochOutput]) {
        for worker in &mut self.workers {
            for (out, gone) in out.iter_mut().zip(&mut worker.gone) {
                out.steps_run += std::mem::take(&mut gone.steps_run);
                out.late.append(&mut gone.late);
                out.rejected.append(&mut gone.rejected);
                for (node, delta) in gone.sunk.drain(..) {
                    out.rows_out += delta.num_rows();
                    match out.sinks.iter_mut().find(|(n, _)| *n == node) {
                        Some((_, deltas)) => deltas.push(delta),
                        None => out.sinks.push((node, vec![delta])),
                    }
                }
            }
        }
    }

    /// The watermark that a node has forwarded: the least over the workers.
    pub fn watermark(&self, node: NodeId) -> Watermark {
        least(&self.workers, |w| w.slots[self.steps_of[node.0].1].forwarded.last())
    }

    /// The watermark that a node has been told: the least over its inputs and the workers.
    pub fn input_watermark(&self, node: NodeId) -> Watermark {
        let first = self.steps_of[node.0].0;
        least(&self.workers, |w| w.input_watermark(&self.layout.steps[first], first, Course::last))
    }

    /// Whether a node will put out nothing more.
    pub fn finished(&self, node: NodeId) -> bool {
        self.watermark(node) == Watermark::MAX
    }

    /// What each node keeps.
    pub fn state(&self) -> Vec<(NodeId, StateSize)> {
        let mut sizes: Vec<_> = self.plan.nodes().iter().map(|n| (n.id, StateSize::default())).collect();
        for worker in &self.workers {
            for (step, slot) in self.layout.steps.iter().zip(&worker.slots) {
                let size = &mut sizes[step.node.0].1;
                *size = size.plus(slot.operator.state());
            }
        }
        sizes
    }

    /// How many rows have gone through each node so far.
    pub fn rows(&self) -> Vec<(NodeId, NodeRows)> {
        let rows = |(node, (first, last)): (usize, &(usize, usize))| {
            let sum = |step: usize, of: fn(&crate::worker::Slot) -> u64| {
                self.workers.iter().map(|w| of(&w.slots[step])).sum::<u64>()
            };
            (NodeId(node), NodeRows { rows_in: sum(*first, |s| s.rows_in), rows_out: sum(*last, |s| s.rows_out) })
        };
        self.steps_of.iter().enumerate().map(rows).collect()
    }

    /// The plan it runs.
    pub fn plan(&self) -> &Arc<StreamPlan> {
        &self.plan
    }
}

fn least(workers: &[Worker], of: impl Fn(&Worker) -> Watermark) -> Watermark {
    workers.iter().map(of).min().unwrap_or(Watermark::MIN)
}

/// The instances of all steps for one worker.
fn worker(plan: &StreamPlan, graph: &Graph, steps_of: &[(usize, usize)], check: bool) -> Result<Worker> {
    let operators = graph.steps.iter().enumerate().map(|(index, step)| {
        let operator = (step.make)()?;
        if !check {
            return Ok(operator);
        }
        let edge = (steps_of[step.node.0].1 == index).then(|| plan.node(step.node).edge.clone());
        Ok(Box::new(Checked::new(operator, step.name, step.node, edge)) as _)
    });
    Ok(Worker::new(operators.collect::<Result<_>>()?))
}
