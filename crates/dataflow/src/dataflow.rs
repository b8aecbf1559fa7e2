//! The step from one epoch to the next: a pure function of the state and the epoch's input.
//!
//! Step by step, in the order of the graph, on every worker: all deltas are pushed, time advances, the epoch ends. Workers
//! wait for each other only where rows are routed between them. Whether they run side by side or one after the other on
//! the caller's thread depends on how much there is to do, and makes no difference to what comes out.

#[cfg(test)]
mod tests;
#[cfg(test)]
mod window_tests;

use std::sync::Arc;

use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::op::SourceInput;
use tidemill_plan::{NodeId, StreamOp, StreamPlan};

use crate::contract::Checked;
use crate::crew::Crew;
use crate::graph::{Graph, StepId};
use crate::layout::{Layout, layout};
use crate::operator::{LateRows, RejectedChanges, StateSize};
use crate::operators::{self, values};
use crate::worker::Worker;

/// From so many waiting rows on, a stage runs on all workers at once; below, handing them over costs more than it saves.
const PARALLEL_ROWS: usize = 2_048;

/// What pays: see [`Config::rows_per_worker`].
const ROWS_PER_WORKER: usize = 1_024;

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
            timed_sources: timed_sources(&plan),
            values: values_of(&plan)?,
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
        if let Some(why) = &self.failed {
            return Err(Error::internal(format!("the dataflow has stopped: {why}")));
        }
        self.run(input).inspect_err(|e| self.failed = Some(e.message().to_string()))
    }

    fn run(&mut self, input: EpochInput) -> Result<EpochOutput> {
        // A machine's clock can be put back; the time that operators see must not go back with it.
        self.now = self.now.max(input.now);
        let begins = self.timed_sources.iter().map(|n| self.watermark(*n)).min().unwrap_or(Watermark::MIN);
        self.plan.clock().set(self.now, begins);
        let mut out = EpochOutput::default();
        let mut ends = false;
        for feed in std::mem::take(&mut self.values).into_iter().chain(input.sources) {
            ends |= feed.watermark == Watermark::MAX;
            out.rows_in += self.feed(feed)?;
        }
        self.rows_so_far = self.rows_so_far.saturating_add(out.rows_in);
        // The last epoch puts out whatever is left, however few rows come with it.
        let much = ends && self.rows_so_far >= PARALLEL_ROWS;
        // Few rows are not worth waking the crew for. But where an earlier stage had many, handing over costs next to nothing,
        // and a few rows may close a window of many groups.
        let mut awake = false;
        for stage in 0..self.layout.stages.len() {
            let rows = self.rows_waiting(stage);
            let at_once = self.workers.len() > 1 && (much || rows >= PARALLEL_ROWS || (awake && rows > 0));
            awake |= at_once;
            self.run_stage(stage, at_once)?;
        }
        self.collect(&mut out);
        Ok(out)
    }

    /// Hands a source's rows to the workers: each a stretch of them, so that their order is kept when the results of the
    /// workers are put one after the other. A few rows are not worth sharing out.
    fn feed(&mut self, feed: SourceFeed) -> Result<usize> {
        let Some(node) = self.plan.nodes().get(feed.node.0) else {
            return Err(Error::internal(format!("there is no node {}", feed.node.0)));
        };
        let step = self.steps_of[feed.node.0].0;
        if !matches!(node.op, StreamOp::Source(_) | StreamOp::Values(_)) {
            return Err(Error::internal(format!("node {} is no source, but a {}", feed.node.0, node.op.name())));
        }
        for worker in &mut self.workers {
            let slot = &mut worker.slots[step];
            slot.source = slot.source.max(feed.watermark);
        }
        let rows: usize = feed.deltas.iter().map(Delta::num_rows).sum();
        let sharers = (rows / self.rows_per_worker).clamp(1, self.workers.len());
        let share = rows.div_ceil(sharers);
        let (mut worker, mut room) = (0, share);
        for delta in feed.deltas {
            let mut from = 0;
            while from < delta.num_rows() {
                let len = room.min(delta.num_rows() - from);
                let part = if len == delta.num_rows() { delta.clone() } else { delta.slice(from, len) };
                self.workers[worker].slots[step].inbox.push((0, part));
                from += len;
                room -= len;
                if room == 0 {
                    (worker, room) = (worker + 1, share);
                }
            }
        }
        Ok(rows)
    }

    fn rows_waiting(&self, stage: usize) -> usize {
        self.workers.iter().map(|w| w.rows_waiting(&self.layout.stages[stage])).sum()
    }

    fn run_stage(&mut self, stage: usize, at_once: bool) -> Result<()> {
        if at_once {
            let crew = match self.crew.take() {
                Some(crew) => crew,
                None => Crew::start(&self.layout)?,
            };
            let result = crew.run_stage(&mut self.workers, &self.layout, stage, self.now);
            self.crew = Some(crew);
            result?;
        } else {
            for worker in &mut self.workers {
                worker.run_stage(&self.layout, stage, self.now)?;
            }
        }
        if self.workers.len() > 1 {
            self.route(stage);
        }
        Ok(())
    }

    /// Delivers what the workers have put out for each other, and tells them how far all have come.
    fn route(&mut self, stage: usize) {
        for from in 0..self.workers.len() {
            let mut outbox = std::mem::take(&mut self.workers[from].outbox);
            for (step, port, to, delta) in outbox.drain(..) {
                self.workers[to].slots[step].inbox.push((port, delta));
            }
            self.workers[from].outbox = outbox;
        }
        for step in &self.layout.stages[stage] {
            let least = least(&self.workers, |w| w.slots[*step].forwarded);
            self.workers.iter_mut().for_each(|w| w.merged[*step] = least);
        }
    }

    fn collect(&mut self, out: &mut EpochOutput) {
        for worker in &mut self.workers {
            out.steps_run += std::mem::take(&mut worker.steps_run);
            out.late.append(&mut worker.late);
            out.rejected.append(&mut worker.rejected);
            for (node, delta) in worker.sunk.drain(..) {
                out.rows_out += delta.num_rows();
                match out.sinks.iter_mut().find(|(n, _)| *n == node) {
                    Some((_, deltas)) => deltas.push(delta),
                    None => out.sinks.push((node, vec![delta])),
                }
            }
        }
    }

    /// The watermark that a node has forwarded: the least over the workers.
    pub fn watermark(&self, node: NodeId) -> Watermark {
        least(&self.workers, |w| w.slots[self.steps_of[node.0].1].forwarded)
    }

    /// The watermark that a node has been told: the least over its inputs and the workers.
    pub fn input_watermark(&self, node: NodeId) -> Watermark {
        let first = self.steps_of[node.0].0;
        least(&self.workers, |w| w.input_watermark(&self.layout.steps[first], first))
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

fn timed_sources(plan: &StreamPlan) -> Vec<NodeId> {
    let timed = |op: &StreamOp| matches!(op, StreamOp::Source(s) if s.event_time.is_some() && matches!(s.input, SourceInput::Table(_)));
    plan.nodes().iter().filter(|n| timed(&n.op)).map(|n| n.id).collect()
}

/// The rows of `VALUES` nodes, which end with the first epoch.
fn values_of(plan: &StreamPlan) -> Result<Vec<SourceFeed>> {
    let mut feeds = vec![];
    for node in plan.nodes() {
        if let StreamOp::Values(batches) = &node.op {
            let deltas = values::deltas(batches, &node.edge.schema)?;
            feeds.push(SourceFeed { node: node.id, deltas, watermark: Watermark::MAX });
        }
    }
    Ok(feeds)
}
