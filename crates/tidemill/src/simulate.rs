//! A run without time and tasks: a plan over rows that are there already, cut into epochs as a seed says.
//!
//! The same seed gives the same run. This is how the law is tested (what a query has put out, added up, is the batch answer,
//! for every way of cutting the input), and it runs the same engine as the real thing.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use tidemill_core::source::{Piece, ReadRequest};
use tidemill_core::{Delta, Micros, Result, SplitId};
use tidemill_dataflow::ingest::Ingest;
use tidemill_plan::op::SinkTarget;

use crate::pipeline::Pipeline;
use crate::run::at_end;
use crate::run::engine::{Engine, ToRead};

/// How a simulated run is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Decides everything below the other fields.
    pub seed: u64,
    /// Workers.
    pub workers: usize,
    /// Rows that one epoch takes from one split, at most. `usize::MAX`: all of them at once.
    pub max_rows: usize,
    /// What the clock reads in the first epoch; it goes on by a second with each.
    pub start: Micros,
}

impl Cut {
    /// Everything in one epoch, one worker.
    pub fn whole() -> Self {
        Self { seed: 0, workers: 1, max_rows: usize::MAX, start: 0 }
    }
}

/// What a simulated run gave.
#[derive(Debug, Clone, Default)]
pub struct Simulated {
    /// By result of the pipeline: what each epoch put out, in order.
    pub results: Vec<Vec<Delta>>,
    /// By written table: its name and what was written.
    pub written: Vec<(String, Vec<Delta>)>,
    /// Rows of `tidemill.late_rows`.
    pub late: Vec<RecordBatch>,
    /// Rows of `tidemill.rejected_rows`.
    pub rejected: Vec<RecordBatch>,
    /// How many epochs there were.
    pub epochs: usize,
}

/// A split whose rows are all there.
struct Split {
    source: usize,
    id: SplitId,
    ingest: Ingest,
    rows: RecordBatch,
    next: usize,
    ended: bool,
}

/// Runs `pipeline`, whose sources are bounded, to its end. Nothing is written: what sinks would get is returned.
///
/// # Errors
/// What would make a real run fail.
pub async fn simulate(pipeline: &Pipeline, cut: Cut) -> Result<Simulated> {
    let mut engine = Engine::new(Arc::clone(&pipeline.plan), cut.workers, &|_| vec![])?;
    let mut out = Simulated::default();
    let targets = engine.sink_targets();
    for target in &targets {
        match target {
            SinkTarget::Result(_) => out.results.push(vec![]),
            SinkTarget::Table { name, .. } => out.written.push((name.clone(), vec![])),
            SinkTarget::Collect => {}
        }
    }
    let mut random = Random(cut.seed);
    let mut now = cut.start;
    let mut splits = vec![];
    for to_read in engine.to_read() {
        for split in read(&to_read).await? {
            engine.joined(split.source, split.id.clone(), now)?;
            splits.push(split);
        }
        engine.complete(to_read.index)?;
    }
    loop {
        for split in &mut splits {
            take_some(&mut engine, split, cut.max_rows, &mut random, now, &mut out.rejected)?;
        }
        let stepped = engine.step(now)?;
        out.epochs += 1;
        now += 1_000_000;
        for (index, deltas) in stepped.changes {
            match &targets[index] {
                SinkTarget::Result(number) => out.results[*number].extend(deltas),
                SinkTarget::Table { name, .. } => {
                    // Two statements may write the same table; each has an entry of its own, in order.
                    let place = targets[..index].iter().filter(|t| matches!(t, SinkTarget::Table { .. })).count();
                    debug_assert_eq!(&out.written[place].0, name, "entries are in the order of the sinks");
                    out.written[place].1.extend(deltas);
                }
                SinkTarget::Collect => {}
            }
        }
        out.late.extend(stepped.late);
        for question in stepped.questions {
            let rows = at_end::answer(pipeline.options.batch.clone(), question.at_end, question.inputs).await?;
            engine.answered(question.node, rows);
        }
        if engine.ended() {
            return Ok(out);
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
        let mut batches = vec![];
        while let Some(piece) = reader.next().await? {
            batches.push(piece.batch);
        }
        let rows = concat_batches(&decoded, &batches)?;
        let ingest = Ingest::new(&to_read.op, Arc::clone(&decoded))?;
        splits.push(Split { source: to_read.index, id, ingest, rows, next: 0, ended: false });
    }
    Ok(splits)
}

/// Hands the engine the next rows of a split, in up to three pieces, or its end.
fn take_some(
    engine: &mut Engine,
    split: &mut Split,
    max_rows: usize,
    random: &mut Random,
    now: Micros,
    rejected: &mut Vec<RecordBatch>,
) -> Result<()> {
    let left = split.rows.num_rows() - split.next;
    let mut wanted = match max_rows {
        usize::MAX => left,
        most => random.below(most as u64 + 1) as usize,
    }
    .min(left);
    while wanted > 0 {
        let len = if max_rows == usize::MAX { wanted } else { 1 + random.below(wanted as u64) as usize };
        let piece = Piece {
            batch: split.rows.slice(split.next, len),
            rejected: vec![],
            position: (split.next + len).to_string().into(),
            bytes: 0,
            raw: None,
        };
        split.next += len;
        wanted -= len;
        let taken = split.ingest.take(piece)?;
        rejected.extend(engine.rows(split.source, &split.id, taken, now)?);
    }
    // The end may come with the last rows, or an epoch after them.
    if split.next == split.rows.num_rows() && !split.ended && random.below(2) == 0 {
        split.ended = true;
        engine.split_ended(split.source, &split.id, now)?;
    }
    Ok(())
}

/// Splitmix64: small, good enough, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}
