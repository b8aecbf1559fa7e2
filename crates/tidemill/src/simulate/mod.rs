//! A run without time and tasks: a plan over rows that are there already, cut into epochs as a seed says.
//!
//! The same seed gives the same run. This is how the law is tested (what a query has put out, added up, is the batch answer,
//! for every way of cutting the input), and it runs the same engine as the real thing.

mod standing;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::execution::SessionState;
use tidemill_core::source::{Piece, ReadRequest};
use tidemill_core::{Delta, Micros, RejectedRow, Result, SplitId};
use tidemill_dataflow::StateSize;
use tidemill_dataflow::dataflow::Config;
use tidemill_dataflow::ingest::Ingest;
use tidemill_plan::op::SinkTarget;

use crate::lookup::Lookups;
use crate::pipeline::Pipeline;
use crate::run::at_end;
use crate::run::engine::{Engine, ToRead};

pub use standing::Standing;

/// How a simulated run is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Decides what the other fields leave open.
    pub seed: u64,
    /// Workers.
    pub workers: usize,
    /// Rows that an epoch takes from a split.
    pub rows: CutRows,
    /// What the clock reads in the first epoch; it goes on by a second with each.
    pub start: Micros,
}

/// How many rows an epoch takes from a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutRows {
    /// All of them.
    All,
    /// So many, as long as there are any.
    Exactly(usize),
    /// A random number up to this, in random pieces; the end of a split comes with its last row or later.
    UpTo(usize),
}

impl Cut {
    /// Everything in one epoch, one worker.
    pub fn whole() -> Self {
        Self { seed: 0, workers: 1, rows: CutRows::All, start: 0 }
    }

    /// Random epochs have few rows, which are shared out all the same: each way of sharing is one more that must not matter.
    fn config(&self) -> Config {
        let config = Config { workers: self.workers, ..Config::default() };
        match self.rows {
            CutRows::Exactly(_) => config,
            CutRows::All | CutRows::UpTo(_) => Config { rows_per_worker: 1, ..config },
        }
    }
}

/// What a simulated run gave.
#[derive(Debug, Clone, Default)]
pub struct Simulated {
    /// By result of the pipeline: what each epoch put out, in order.
    pub results: Vec<Vec<Delta>>,
    /// By statement that writes a table: what was written.
    pub written: Vec<Vec<Delta>>,
    /// Rows of `tidemill.late_rows`.
    pub late: Vec<RecordBatch>,
    /// Rows of `tidemill.rejected_rows`.
    pub rejected: Vec<RecordBatch>,
    /// How many epochs there were.
    pub epochs: usize,
    /// By operator: the most that it kept at the end of an epoch, if that was [watched](Simulation::watching_state).
    pub most_state: Vec<(String, StateSize)>,
}

/// A split whose rows are all there.
struct Split {
    source: usize,
    id: SplitId,
    ingest: Ingest,
    /// As they were read, with the weights that came along, where any did. They are not put together: a run is to
    /// read the rows where they are.
    rows: VecDeque<Delta>,
    /// Records that could not be decoded.
    rejected: Vec<RejectedRow>,
    /// How many rows have been handed over.
    taken: usize,
    ended: bool,
}

/// A pipeline over rows that have been read, ready to run.
pub struct Simulation {
    engine: Engine,
    splits: Vec<Split>,
    cut: Cut,
    batch: SessionState,
    lookups: Lookups,
    watch_state: bool,
}

/// Runs `pipeline`, whose sources hold all their rows already, to its end. Nothing is written: what sinks would get is returned.
///
/// # Errors
/// What would make a real run fail.
pub async fn simulate(pipeline: &Pipeline, cut: Cut) -> Result<Simulated> {
    let mut out = Simulated::default();
    let simulation = Simulation::prepare(pipeline, cut).await?;
    // By sink: where its changes go.
    let mut places = vec![];
    for target in simulation.engine.sink_targets() {
        match target {
            SinkTarget::Result(_) => {
                out.results.push(vec![]);
                places.push((true, out.results.len() - 1));
            }
            SinkTarget::Table { .. } => {
                out.written.push(vec![]);
                places.push((false, out.written.len() - 1));
            }
            SinkTarget::Collect | SinkTarget::Ask => places.push((false, usize::MAX)),
        }
    }
    let (mut results, mut written) = (std::mem::take(&mut out.results), std::mem::take(&mut out.written));
    let mut out = simulation
        .run(|sink, delta| match places[sink] {
            (true, place) => results[place].push(delta),
            (false, place) => written[place].push(delta),
        })
        .await?;
    (out.results, out.written) = (results, written);
    Ok(out)
}

impl Simulation {
    /// Reads all rows of the sources.
    ///
    /// # Errors
    /// What the sources say.
    pub async fn prepare(pipeline: &Pipeline, cut: Cut) -> Result<Self> {
        let mut engine = Engine::new(Arc::clone(&pipeline.plan), cut.config(), &|_| vec![])?;
        let mut splits = vec![];
        for to_read in engine.to_read() {
            for split in read(&to_read).await? {
                engine.joined(split.source, split.id.clone(), cut.start)?;
                splits.push(split);
            }
            engine.complete(to_read.index)?;
        }
        Ok(Self {
            engine,
            splits,
            cut,
            batch: pipeline.options.batch.clone(),
            lookups: Lookups::of(&pipeline.plan)?,
            watch_state: false,
        })
    }

    /// Looks after each epoch how much the operators keep, which costs time.
    #[must_use]
    pub fn watching_state(self) -> Self {
        Self { watch_state: true, ..self }
    }

    /// Runs to the end. `changes` is handed what each sink would get, with the sink's number in the plan.
    ///
    /// # Errors
    /// What would make a real run fail.
    pub async fn run(mut self, mut changes: impl FnMut(usize, Delta)) -> Result<Simulated> {
        let mut out = Simulated::default();
        let mut random = Random(self.cut.seed);
        let mut now = self.cut.start;
        // How many epochs are run at once is one more thing that must not matter.
        let random_run = matches!(self.cut.rows, CutRows::UpTo(_));
        loop {
            loop {
                for split in &mut self.splits {
                    take_some(&mut self.engine, split, self.cut.rows, &mut random, now, &mut out.rejected)?;
                }
                self.engine.begin(now);
                out.epochs += 1;
                now += 1_000_000;
                let more = self.engine.wants_more() && !self.splits.iter().all(|split| split.ended);
                if !more || (random_run && random.below(4) == 0) {
                    break;
                }
            }
            let (all, failed) = self.engine.finish();
            for stepped in all {
                for (sink, deltas) in stepped.changes {
                    deltas.into_iter().for_each(|delta| changes(sink, delta));
                }
                out.late.extend(stepped.late);
                out.rejected.extend(stepped.rejected.into_iter().map(|(_, batch)| batch));
                for question in stepped.lookups {
                    let rows =
                        self.lookups.at(question.node)?.answer(&question.rows, &self.batch, question.now).await?;
                    self.engine.looked_up(question.node, question.number, rows);
                }
                for question in stepped.questions {
                    let rows = at_end::answer(self.batch.clone(), question.at_end, question.inputs).await?;
                    self.engine.answered(question.node, rows);
                }
            }
            failed?;
            if self.watch_state {
                note_most(&mut out.most_state, self.engine.state());
            }
            if self.engine.ended() {
                return Ok(out);
            }
        }
    }
}

/// Keeps the larger state of each operator.
fn note_most(most: &mut Vec<(String, StateSize)>, now: Vec<(String, StateSize)>) {
    if most.is_empty() {
        *most = now;
        return;
    }
    for ((_, most), (_, now)) in most.iter_mut().zip(now) {
        if now.bytes > most.bytes {
            *most = now;
        }
    }
}

/// All rows of a table, by split.
async fn read(to_read: &ToRead) -> Result<Vec<Split>> {
    let request = ReadRequest { projection: to_read.op.projection.clone(), batch_rows: 8192, decode_threads: 1 };
    let decoded = Arc::new(to_read.source.schema().project(&request.projection)?);
    let mut splits = vec![];
    for id in to_read.source.splits().await?.splits {
        let mut reader = to_read.source.open(&id, None, &request).await?;
        let (mut rows, mut rejected) = (VecDeque::new(), vec![]);
        while let Some(piece) = reader.next().await? {
            rows.push_back(Delta { weights: piece.weights, ..Delta::insert(piece.batch) });
            rejected.extend(piece.rejected);
        }
        let ingest = Ingest::new(&to_read.op, Arc::clone(&decoded))?;
        splits.push(Split { source: to_read.index, id, ingest, rows, rejected, taken: 0, ended: false });
    }
    Ok(splits)
}

/// Hands the engine the next rows of a split, or its end.
fn take_some(
    engine: &mut Engine,
    split: &mut Split,
    cut: CutRows,
    random: &mut Random,
    now: Micros,
    rejected: &mut Vec<RecordBatch>,
) -> Result<()> {
    let mut wanted = match cut {
        CutRows::All => usize::MAX,
        CutRows::Exactly(rows) => rows,
        CutRows::UpTo(most) => random.below(most as u64 + 1) as usize,
    };
    while wanted > 0
        && let Some(next) = split.rows.front_mut()
    {
        let most = wanted.min(next.num_rows());
        let len = match cut {
            CutRows::UpTo(_) if most > 0 => 1 + random.below(most as u64) as usize,
            _ => most,
        };
        let rows = next.slice(0, len);
        *next = next.slice(len, next.num_rows() - len);
        if next.is_empty() {
            split.rows.pop_front();
        }
        split.taken += len;
        wanted -= len;
        let piece = Piece {
            batch: rows.batch,
            weights: rows.weights,
            // With the first rows: the cut of the others is what matters.
            rejected: std::mem::take(&mut split.rejected),
            position: split.taken.to_string().into(),
            bytes: 0,
            raw: None,
        };
        let taken = split.ingest.take(piece)?;
        rejected.extend(engine.rows(split.source, &split.id, taken, now)?);
    }
    // The end may come with the last rows, or some epochs after them.
    let at_once = !matches!(cut, CutRows::UpTo(_));
    if split.rows.is_empty() && !split.ended && (at_once || random.below(2) == 0) {
        split.ended = true;
        engine.split_ended(split.source, &split.id, now)?;
    }
    Ok(())
}

/// Splitmix64: small, good enough, and the same everywhere.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// Any number.
    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 where that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}
