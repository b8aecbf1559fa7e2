//! The threads that run workers side by side.
//!
//! The first worker runs on the caller's thread, each other one on a thread of its own that lives as long as the crew. A
//! worker is handed over whole and comes back whole, so nothing is shared and nothing is locked.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use tidemill_core::{Error, Micros, Result};

use crate::layout::Layout;
use crate::worker::{Failure, Worker};

/// How often a thread looks for news, letting others run in between, before it goes to sleep: so often that it
/// seldom does while input is plentiful, also where the other closes a window meanwhile. Being woken costs some 15 microseconds, as
/// much as a thousand rows do. Looking without letting others run is no faster, and ruinous where two
/// threads share a core.
const LOOKS: usize = 500;

struct Job {
    worker: Worker,
    stage: usize,
    clock: Arc<[Micros]>,
}

/// How a stage ended on a worker.
type Ended = std::result::Result<(), Failure>;

struct Hand {
    jobs: Option<Sender<Job>>,
    done: Receiver<(Worker, Ended)>,
    thread: Option<JoinHandle<()>>,
}

/// A thread for each worker but the first.
pub(crate) struct Crew {
    hands: Vec<Hand>,
}

impl Crew {
    /// Starts the threads.
    pub(crate) fn start(layout: &Arc<Layout>) -> Result<Self> {
        let hands = (1..layout.workers).map(|number| Hand::start(number, Arc::clone(layout)));
        Ok(Self { hands: hands.collect::<Result<_>>()? })
    }

    /// Runs a stage on all workers at once. Of several failures the one in the earliest epoch is returned, of the lowest worker.
    pub(crate) fn run_stage(
        &self,
        workers: &mut Vec<Worker>,
        layout: &Layout,
        stage: usize,
        clock: &Arc<[Micros]>,
    ) -> Result<Option<Failure>> {
        let gone = || Error::internal("a worker thread has ended");
        for (hand, worker) in self.hands.iter().zip(workers.drain(1..)) {
            let jobs = hand.jobs.as_ref().ok_or_else(gone)?;
            jobs.send(Job { worker, stage, clock: Arc::clone(clock) }).map_err(|_| gone())?;
        }
        let mut failed = workers[0].run_stage(layout, stage, clock).err();
        for hand in &self.hands {
            let (worker, ended) = receive(&hand.done).ok_or_else(gone)?;
            workers.push(worker);
            failed = earliest(failed, ended.err());
        }
        Ok(failed)
    }
}

/// The failure in the earlier epoch; of two in the same, the first.
pub(crate) fn earliest(first: Option<Failure>, second: Option<Failure>) -> Option<Failure> {
    match (first, second) {
        (Some(first), Some(second)) if second.epoch < first.epoch => Some(second),
        (first, second) => first.or(second),
    }
}

impl Hand {
    fn start(number: usize, layout: Arc<Layout>) -> Result<Self> {
        let (jobs, inbox) = bounded::<Job>(1);
        let (outbox, done) = bounded(1);
        let work = move || {
            while let Some(Job { mut worker, stage, clock }) = receive(&inbox) {
                let ended = worker.run_stage(&layout, stage, &clock);
                if outbox.send((worker, ended)).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("tidemill-worker-{number}")).spawn(work)?;
        Ok(Self { jobs: Some(jobs), done, thread: Some(thread) })
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked: a worker catches the panics of its operators.
            let _ = thread.join();
        }
    }
}

/// The next message; `None` when there will be none.
fn receive<T>(from: &Receiver<T>) -> Option<T> {
    for _ in 0..LOOKS {
        if let Ok(message) = from.try_recv() {
            return Some(message);
        }
        std::thread::yield_now();
    }
    from.recv().ok()
}
