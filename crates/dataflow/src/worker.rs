//! A worker: its instances of all steps, and how it runs a stage of them.
//!
//! A stage is a run of steps between which rows stay on their worker, so that a worker goes through it without waiting for
//! the others. Where rows are routed a new stage begins: the driver then hands on what each worker has put out for others.
//! Of several epochs that the driver has been given at once, a worker runs its stage of each, one after the other, before the
//! workers meet. A worker knows no thread; who runs it, and where, is the driver's and the [crew](crate::crew)'s concern.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::NodeId;

use crate::exchange::Exchange;
use crate::layout::{Input, Layout, Reader, Route, StepLayout};
use crate::operator::{Cx, LateRows, Operator, RejectedChanges};

/// A worker's instance of a step.
pub(crate) struct Slot {
    pub(crate) operator: Box<dyn Operator>,
    /// What is to be pushed in each epoch, by port.
    pub(crate) inboxes: Vec<Vec<(usize, Delta)>>,
    /// For a step without inputs: the watermark of its source.
    pub(crate) source: Course,
    /// What it was told last; `None` before the first epoch.
    pub(crate) input: Option<Watermark>,
    pub(crate) forwarded: Course,
    pub(crate) rows_in: u64,
    pub(crate) rows_out: u64,
}

/// A watermark after each of the epochs that are run at once. It never falls.
#[derive(Debug)]
pub(crate) struct Course(Vec<Watermark>);

impl Course {
    fn new() -> Self {
        Self(vec![Watermark::MIN])
    }

    fn begin(&mut self, epochs: usize) {
        let last = self.last();
        self.0.clear();
        self.0.resize(epochs.max(1), last);
    }

    pub(crate) fn at(&self, epoch: usize) -> Watermark {
        self.0[epoch]
    }

    /// After the last epoch.
    pub(crate) fn last(&self) -> Watermark {
        self.at(self.0.len() - 1)
    }

    /// From `epoch` on it is at `watermark`, if it was not further.
    pub(crate) fn go_on(&mut self, epoch: usize, watermark: Watermark) {
        if watermark > self.0[epoch] {
            self.0[epoch..].fill(watermark);
        }
    }
}

/// Where rows go that another worker is to have, or a later stage.
pub(crate) struct Parcel {
    pub(crate) epoch: usize,
    pub(crate) worker: usize,
    pub(crate) step: usize,
    pub(crate) port: usize,
    pub(crate) delta: Delta,
}

/// What leaves the dataflow in an epoch, from one worker.
#[derive(Default)]
pub(crate) struct Gone {
    pub(crate) sunk: Vec<(NodeId, Delta)>,
    pub(crate) late: Vec<(NodeId, LateRows)>,
    pub(crate) rejected: Vec<(NodeId, RejectedChanges)>,
    /// How many steps ran.
    pub(crate) steps_run: usize,
}

/// Why a worker stopped, and in which of the epochs.
pub(crate) struct Failure {
    pub(crate) epoch: usize,
    pub(crate) error: Error,
}

/// A worker with all that it keeps. Goes to a thread and comes back, whole.
pub(crate) struct Worker {
    pub(crate) slots: Vec<Slot>,
    /// For each step, the least watermark over all workers, as the driver merged it after the step's stage.
    pub(crate) merged: Vec<Course>,
    pub(crate) outbox: Vec<Parcel>,
    /// By epoch.
    pub(crate) gone: Vec<Gone>,
    exchange: Exchange,
    cx: Cx,
    emitted: Vec<Delta>,
    /// The epoch and the step at work.
    at: (usize, usize),
}

impl Worker {
    pub(crate) fn new(operators: Vec<Box<dyn Operator>>) -> Self {
        let slot = |operator| Slot {
            operator,
            inboxes: vec![],
            source: Course::new(),
            input: None,
            forwarded: Course::new(),
            rows_in: 0,
            rows_out: 0,
        };
        Self {
            merged: operators.iter().map(|_| Course::new()).collect(),
            slots: operators.into_iter().map(slot).collect(),
            outbox: vec![],
            gone: vec![],
            exchange: Exchange::default(),
            cx: Cx::default(),
            emitted: vec![],
            at: (0, 0),
        }
    }

    /// Makes room for so many epochs that are to be run at once.
    pub(crate) fn begin(&mut self, epochs: usize) {
        self.gone.resize_with(epochs, Gone::default);
        for slot in &mut self.slots {
            slot.inboxes.resize_with(epochs, Vec::new);
            slot.source.begin(epochs);
            slot.forwarded.begin(epochs);
        }
        self.merged.iter_mut().for_each(|course| course.begin(epochs));
    }

    /// Runs the steps of a stage in each epoch; `clock` has what the clock reads in it. A panic in an operator is an error that
    /// names it. After an error the worker can still run later stages of the epochs before that one.
    pub(crate) fn run_stage(
        &mut self,
        layout: &Layout,
        stage: usize,
        clock: &[Micros],
    ) -> std::result::Result<(), Failure> {
        let run = AssertUnwindSafe(|| self.run_epochs(layout, stage, clock));
        let error = match catch_unwind(run) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(e)) => e,
            Err(panic) => {
                let step = &layout.steps[self.at.1];
                let what = panic_text(panic.as_ref());
                Error::internal(format!("{} (node {}) failed: {what}", step.name, step.node.0))
            }
        };
        (self.cx, self.emitted) = Default::default();
        Err(Failure { epoch: self.at.0, error })
    }

    fn run_epochs(&mut self, layout: &Layout, stage: usize, clock: &[Micros]) -> Result<()> {
        for (epoch, now) in clock.iter().enumerate() {
            self.cx.now = *now;
            for step in &layout.stages[stage] {
                self.at = (epoch, *step);
                self.run_step(layout)?;
            }
        }
        Ok(())
    }

    fn run_step(&mut self, layout: &Layout) -> Result<()> {
        let (epoch, index) = self.at;
        let step = &layout.steps[index];
        let watermark = self.input_watermark(step, index, |course| course.at(epoch));
        let slot = &mut self.slots[index];
        if slot.inboxes[epoch].is_empty() && slot.input == Some(watermark) && !step.always {
            return Ok(());
        }
        let mut inbox = std::mem::take(&mut slot.inboxes[epoch]);
        for (port, delta) in inbox.drain(..) {
            slot.rows_in += delta.num_rows() as u64;
            slot.operator.push(port, delta, &mut self.cx)?;
        }
        slot.inboxes[epoch] = inbox;
        slot.input = Some(watermark);
        slot.forwarded.go_on(epoch, slot.operator.advance(watermark, &mut self.cx)?);
        slot.operator.end_epoch(&mut self.cx)?;
        let gone = &mut self.gone[epoch];
        gone.steps_run += 1;
        gone.late.extend(self.cx.take_late().into_iter().map(|rows| (step.node, rows)));
        gone.rejected.extend(self.cx.take_rejected().into_iter().map(|rows| (step.node, rows)));
        self.hand_on(layout)
    }

    /// The least watermark over the step's inputs, of which `at` tells the epoch.
    pub(crate) fn input_watermark(
        &self,
        step: &StepLayout,
        index: usize,
        at: impl Fn(&Course) -> Watermark,
    ) -> Watermark {
        let of = |input: &Input| match input.routed {
            true => at(&self.merged[input.step]),
            false => at(&self.slots[input.step].forwarded),
        };
        step.inputs.iter().map(of).min().unwrap_or_else(|| at(&self.slots[index].source))
    }

    /// Hands what the step at work has put out to its readers.
    fn hand_on(&mut self, layout: &Layout) -> Result<()> {
        let (epoch, index) = self.at;
        let step = &layout.steps[index];
        let mut emitted = std::mem::take(&mut self.emitted);
        self.cx.swap_emitted(&mut emitted);
        for delta in emitted.drain(..) {
            self.slots[index].rows_out += delta.num_rows() as u64;
            if step.sink {
                self.gone[epoch].sunk.push((step.node, delta));
            } else if let Some((last, others)) = step.readers.split_last() {
                for reader in others {
                    self.send(reader, delta.clone(), layout.workers)?;
                }
                self.send(last, delta, layout.workers)?;
            }
        }
        self.emitted = emitted;
        Ok(())
    }

    fn send(&mut self, to: &Reader, delta: Delta, workers: usize) -> Result<()> {
        let (epoch, step, port) = (self.at.0, to.step, to.port);
        match &to.route {
            Route::Stay => self.slots[step].inboxes[epoch].push((port, delta)),
            Route::ToOne => self.outbox.push(Parcel { epoch, worker: 0, step, port, delta }),
            Route::ByKey(keys) => {
                let outbox = &mut self.outbox;
                self.exchange.split(delta, keys, workers, |worker, delta| {
                    outbox.push(Parcel { epoch, worker, step, port, delta });
                })?;
            }
        }
        Ok(())
    }

    /// How many rows wait for the steps of a stage.
    pub(crate) fn rows_waiting(&self, steps: &[usize]) -> usize {
        let inboxes = steps.iter().flat_map(|s| &self.slots[*s].inboxes);
        inboxes.flatten().map(|(_, delta)| delta.num_rows()).sum()
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "it panicked",
    }
}
