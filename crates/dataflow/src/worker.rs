//! A worker: its instances of all steps, and how it runs a stage of them.
//!
//! A stage is a run of steps between which rows stay on their worker, so that a worker goes through it without waiting for
//! the others. Where rows are routed a new stage begins: the driver then hands on what each worker has put out for others.
//! A worker knows no thread; who runs it, and where, is the driver's and the [crew](crate::crew)'s concern.

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
    /// What is to be pushed in this epoch, by port.
    pub(crate) inbox: Vec<(usize, Delta)>,
    /// For a step without inputs: the watermark of its source.
    pub(crate) source: Watermark,
    /// What it was told last; `None` before the first epoch.
    pub(crate) input: Option<Watermark>,
    pub(crate) forwarded: Watermark,
    pub(crate) rows_in: u64,
    pub(crate) rows_out: u64,
}

/// A worker with all that it keeps. Goes to a thread and comes back, whole.
pub(crate) struct Worker {
    pub(crate) slots: Vec<Slot>,
    /// For each step, the least watermark over all workers, as the driver merged it after the step's stage.
    pub(crate) merged: Vec<Watermark>,
    /// For other workers, or for a later stage of this one: `(step, port, worker, delta)`.
    pub(crate) outbox: Vec<(usize, usize, usize, Delta)>,
    pub(crate) sunk: Vec<(NodeId, Delta)>,
    pub(crate) late: Vec<(NodeId, LateRows)>,
    pub(crate) rejected: Vec<(NodeId, RejectedChanges)>,
    /// How many steps ran in this epoch.
    pub(crate) steps_run: usize,
    exchange: Exchange,
    cx: Cx,
    emitted: Vec<Delta>,
    /// The step at work, for messages.
    at: usize,
}

impl Worker {
    pub(crate) fn new(operators: Vec<Box<dyn Operator>>) -> Self {
        let slot = |operator| Slot {
            operator,
            inbox: vec![],
            source: Watermark::MIN,
            input: None,
            forwarded: Watermark::MIN,
            rows_in: 0,
            rows_out: 0,
        };
        Self {
            merged: vec![Watermark::MIN; operators.len()],
            slots: operators.into_iter().map(slot).collect(),
            outbox: vec![],
            sunk: vec![],
            late: vec![],
            rejected: vec![],
            steps_run: 0,
            exchange: Exchange::default(),
            cx: Cx::default(),
            emitted: vec![],
            at: 0,
        }
    }

    /// Runs the steps of a stage. A panic in an operator is an error that names it; the worker is of no use after that.
    pub(crate) fn run_stage(&mut self, layout: &Layout, stage: usize, now: Micros) -> Result<()> {
        self.cx.now = now;
        let run = AssertUnwindSafe(|| layout.stages[stage].iter().try_for_each(|step| self.run_step(layout, *step)));
        match catch_unwind(run) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(e),
            Err(panic) => {
                let step = &layout.steps[self.at];
                let what = panic_text(panic.as_ref());
                Err(Error::internal(format!("{} (node {}) failed: {what}", step.name, step.node.0)))
            }
        }
    }

    fn run_step(&mut self, layout: &Layout, index: usize) -> Result<()> {
        self.at = index;
        let step = &layout.steps[index];
        let watermark = self.input_watermark(step, index);
        let slot = &mut self.slots[index];
        if slot.inbox.is_empty() && slot.input == Some(watermark) && !step.always {
            return Ok(());
        }
        self.steps_run += 1;
        let mut inbox = std::mem::take(&mut slot.inbox);
        for (port, delta) in inbox.drain(..) {
            slot.rows_in += delta.num_rows() as u64;
            slot.operator.push(port, delta, &mut self.cx)?;
        }
        slot.inbox = inbox;
        slot.input = Some(watermark);
        slot.forwarded = slot.operator.advance(watermark, &mut self.cx)?.max(slot.forwarded);
        slot.operator.end_epoch(&mut self.cx)?;
        self.late.extend(self.cx.take_late().into_iter().map(|rows| (step.node, rows)));
        self.rejected.extend(self.cx.take_rejected().into_iter().map(|rows| (step.node, rows)));
        self.hand_on(layout, index)
    }

    /// The least watermark over the step's inputs.
    pub(crate) fn input_watermark(&self, step: &StepLayout, index: usize) -> Watermark {
        let of = |input: &Input| match input.routed {
            true => self.merged[input.step],
            false => self.slots[input.step].forwarded,
        };
        step.inputs.iter().map(of).min().unwrap_or(self.slots[index].source)
    }

    /// Hands what the step has put out to its readers.
    fn hand_on(&mut self, layout: &Layout, index: usize) -> Result<()> {
        let step = &layout.steps[index];
        let mut emitted = std::mem::take(&mut self.emitted);
        self.cx.swap_emitted(&mut emitted);
        for delta in emitted.drain(..) {
            self.slots[index].rows_out += delta.num_rows() as u64;
            if step.sink {
                self.sunk.push((step.node, delta));
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
        match &to.route {
            Route::Stay => self.slots[to.step].inbox.push((to.port, delta)),
            Route::ToOne => self.outbox.push((to.step, to.port, 0, delta)),
            Route::ByKey(keys) => {
                let outbox = &mut self.outbox;
                self.exchange.split(delta, keys, workers, |worker, part| {
                    outbox.push((to.step, to.port, worker, part));
                })?;
            }
        }
        Ok(())
    }

    /// How many rows wait for the steps of a stage.
    pub(crate) fn rows_waiting(&self, steps: &[usize]) -> usize {
        steps.iter().flat_map(|s| &self.slots[*s].inbox).map(|(_, delta)| delta.num_rows()).sum()
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "it panicked",
    }
}
