//! The engine without its rim: what has come in, the step over it, and what comes out. No task, no queue, no clock.
//!
//! The epoch thread drives it for real, and a simulation drives it by hand: both run this code.

mod questions;
mod reports;
mod waiting;

use std::sync::Arc;

use arrow::array::RecordBatch;
use tidemill_core::source::Source as TableSource;
use tidemill_core::{Delta, Error, Micros, Result, SplitId, Watermark};
use tidemill_dataflow::dataflow::{Config, Dataflow, EpochInput, EpochOutput, SourceFeed};
use tidemill_dataflow::ingest::Taken;
use tidemill_dataflow::split_watermarks::SplitWatermarks;
use tidemill_plan::op::{AtEnd, SinkTarget, SourceInput, SourceOp, StreamOp};
use tidemill_plan::{NodeId, StreamPlan};
use tidemill_sql::catalog::system::{SYSTEM_SCHEMA, SystemTable};

use self::questions::{LookupQuestion, Question};
use self::waiting::Waiting;
use super::refused;
use super::state::Peaks;

/// A dataflow, and what waits for its next step.
pub(crate) struct Engine {
    plan: Arc<StreamPlan>,
    dataflow: Dataflow,
    sources: Vec<Source>,
    sinks: Vec<Sink>,
    peaks: Peaks,
    /// Epochs that have been begun and not been run.
    begun: Vec<Begun>,
}

/// An epoch that waits to be run.
struct Begun {
    input: EpochInput,
    /// Sources whose watermark moves in it.
    watermarks: Vec<(usize, Watermark)>,
}

/// A source node and what has come in for it.
struct Source {
    node: NodeId,
    name: String,
    kind: Kind,
    queued: Vec<Delta>,
    /// The watermark that the dataflow was told last.
    told: Watermark,
}

enum Kind {
    /// A table that the rim reads.
    Table(SplitWatermarks),
    /// The batch answer of a part of the query.
    AtEnd { at_end: AtEnd, answer: Answer },
    /// Rows of this dataflow that are joined at the rim.
    Lookup(Waiting),
    /// Late or rejected rows: those kept from before, and those of this very dataflow.
    Refused { table: SystemTable, projection: Vec<usize> },
}

#[derive(PartialEq, Eq)]
enum Answer {
    Waiting,
    Asked,
    There,
}

/// A sink node. Collected rows stay here until their batch part is asked for.
struct Sink {
    node: NodeId,
    target: SinkTarget,
    collected: Vec<Delta>,
}

/// A table to be read: its number among the sources, what is asked of it, and where to read.
pub(crate) struct ToRead {
    pub index: usize,
    pub op: SourceOp,
    pub source: Arc<dyn TableSource>,
}

/// What one step gave.
#[derive(Default)]
pub(crate) struct Stepped {
    /// Changes for the sinks that the rim serves, by their number among all sinks.
    pub changes: Vec<(usize, Vec<Delta>)>,
    /// Late rows, as rows of their table.
    pub late: Vec<RecordBatch>,
    /// Changes that took back rows which were not there, as rows of their table, and the number of their source.
    pub rejected: Vec<(usize, RecordBatch)>,
    /// Batch parts whose inputs have all ended.
    pub questions: Vec<Question>,
    /// Rows to be looked up.
    pub lookups: Vec<LookupQuestion>,
    /// Sources whose watermark moved: number and watermark.
    pub watermarks: Vec<(usize, Watermark)>,
}

impl Engine {
    /// The dataflow of `plan`. `kept` gives the refused rows of earlier queries.
    pub(crate) fn new(
        plan: Arc<StreamPlan>,
        config: Config,
        kept: &dyn Fn(SystemTable) -> Vec<RecordBatch>,
    ) -> Result<Self> {
        let dataflow = Dataflow::new(Arc::clone(&plan), config)?;
        let mut sources = vec![];
        let mut sinks = vec![];
        for node in plan.nodes() {
            match &node.op {
                StreamOp::Source(op) => {
                    let mut queued = vec![];
                    let kind = match &op.input {
                        SourceInput::Table(_) => {
                            let time = op.event_time.as_ref().map(|t| t.column);
                            Kind::Table(SplitWatermarks::new(time, op.idle_timeout))
                        }
                        SourceInput::Lookup(op) => Kind::Lookup(Waiting { asks: op.asks, ..Waiting::default() }),
                        SourceInput::AtEnd(at_end) => Kind::AtEnd { at_end: at_end.clone(), answer: Answer::Waiting },
                        SourceInput::LateRows | SourceInput::RejectedRows => {
                            let table = match &op.input {
                                SourceInput::LateRows => SystemTable::LateRows,
                                _ => SystemTable::RejectedRows,
                            };
                            for batch in kept(table) {
                                queued.push(Delta::insert(batch.project(&op.projection)?));
                            }
                            Kind::Refused { table, projection: op.projection.clone() }
                        }
                    };
                    sources.push(Source { node: node.id, name: op.name.clone(), kind, queued, told: Watermark::MIN });
                }
                StreamOp::Sink(op) => {
                    sinks.push(Sink { node: node.id, target: op.target.clone(), collected: vec![] });
                }
                _ => {}
            }
        }
        Ok(Self { plan, dataflow, sources, sinks, peaks: Peaks::default(), begun: vec![] })
    }

    /// The tables to be read.
    pub(crate) fn to_read(&self) -> Vec<ToRead> {
        let one = |(index, source): (usize, &Source)| match &self.plan.node(source.node).op {
            StreamOp::Source(op) => match &op.input {
                SourceInput::Table(table) => Some(ToRead { index, op: op.clone(), source: Arc::clone(table) }),
                _ => None,
            },
            _ => None,
        };
        self.sources.iter().enumerate().filter_map(one).collect()
    }

    /// The names of the sources, by number.
    pub(crate) fn source_names(&self) -> Vec<String> {
        self.sources.iter().map(|s| s.name.clone()).collect()
    }

    /// Who takes the rows of each sink, by number.
    pub(crate) fn sink_targets(&self) -> Vec<SinkTarget> {
        self.sinks.iter().map(|s| s.target.clone()).collect()
    }

    /// A split is there and will be read.
    pub(crate) fn joined(&mut self, source: usize, split: SplitId, now: Micros) -> Result<()> {
        self.splits(source)?.join(split, now);
        Ok(())
    }

    /// A split has ended.
    pub(crate) fn split_ended(&mut self, source: usize, split: &SplitId, now: Micros) -> Result<()> {
        self.splits(source)?.end(split, now);
        Ok(())
    }

    /// A source has no more splits to come.
    pub(crate) fn complete(&mut self, source: usize) -> Result<()> {
        self.splits(source)?.complete();
        Ok(())
    }

    /// Takes in rows of a split. Returns its rejected records as rows of their table.
    pub(crate) fn rows(
        &mut self,
        source: usize,
        split: &SplitId,
        taken: Taken,
        now: Micros,
    ) -> Result<Option<RecordBatch>> {
        let splits = self.splits(source)?;
        let delta = splits.admit(split, taken.delta)?;
        splits.progress(split, taken.watermark, delta.num_rows() as u64, now);
        if !delta.is_empty() {
            self.sources[source].queued.push(delta);
        }
        if taken.rejected.is_empty() {
            return Ok(None);
        }
        let batch = refused::rejected(&self.sources[source].name, split, &taken.rejected)?;
        self.feed_refused(SystemTable::RejectedRows, &batch)?;
        Ok(Some(batch))
    }

    /// Takes in the batch answer of a part of the query.
    pub(crate) fn answered(&mut self, node: NodeId, rows: Vec<RecordBatch>) {
        let Some(source) = self.sources.iter_mut().find(|s| s.node == node) else { return };
        source.queued.extend(rows.into_iter().filter(|b| b.num_rows() > 0).map(Delta::insert));
        if let Kind::AtEnd { answer, .. } = &mut source.kind {
            *answer = Answer::There;
        }
    }

    /// Takes in the answer of a lookup. It is put out when all that were asked before are there.
    pub(crate) fn looked_up(&mut self, node: NodeId, number: u64, rows: Delta) {
        for source in self.sources.iter_mut().filter(|s| s.node == node) {
            if let Kind::Lookup(waiting) = &mut source.kind
                && let Some(asked) = waiting.asked.iter_mut().find(|a| a.number == number)
            {
                asked.answer = Some(rows);
                return;
            }
        }
    }

    /// How many rows wait for their lookup.
    pub(crate) fn rows_asked(&self) -> usize {
        let of = |s: &Source| match &s.kind {
            Kind::Lookup(waiting) => waiting.asked.iter().filter(|a| a.answer.is_none()).map(|a| a.rows).sum(),
            _ => 0,
        };
        self.sources.iter().map(of).sum()
    }

    /// Whether all sinks have ended.
    pub(crate) fn ended(&self) -> bool {
        self.sinks.iter().all(|s| self.dataflow.finished(s.node))
    }

    /// One epoch over what has been taken in, at a clock that reads `now`.
    pub(crate) fn step(&mut self, now: Micros) -> Result<Stepped> {
        self.begin(now);
        let (mut stepped, failed) = self.finish();
        failed?;
        stepped.pop().ok_or_else(|| Error::internal("an epoch was begun and not run"))
    }

    /// Begins an epoch over what has been taken in, at a clock that reads `now`. Others may be begun before it is run: see
    /// [`wants_more`](Self::wants_more).
    pub(crate) fn begin(&mut self, now: Micros) {
        let mut watermarks = vec![];
        let refused_end = self.refused_end();
        let mut feeds = vec![];
        for (index, source) in self.sources.iter_mut().enumerate() {
            let watermark = match &mut source.kind {
                Kind::Table(splits) => splits.advance(now),
                Kind::AtEnd { answer: Answer::There, .. } => Watermark::MAX,
                Kind::Lookup(waiting) => waiting.put_out(&mut source.queued, source.told),
                Kind::Refused { .. } if refused_end => Watermark::MAX,
                Kind::AtEnd { .. } | Kind::Refused { .. } => Watermark::MIN,
            }
            .max(source.told);
            if source.queued.is_empty() && watermark == source.told {
                continue;
            }
            if watermark != source.told {
                watermarks.push((index, watermark));
            }
            source.told = watermark;
            feeds.push(SourceFeed { node: source.node, deltas: std::mem::take(&mut source.queued), watermark });
        }
        self.begun.push(Begun { input: EpochInput { now, sources: feeds }, watermarks });
    }

    /// Whether further epochs may be begun before those that have been are run, and it pays.
    pub(crate) fn wants_more(&self) -> bool {
        // What other sources have to say next depends on what comes out of an epoch.
        let at_rim = self.sources.iter().all(|s| matches!(s.kind, Kind::Table(_)));
        let deltas = self.begun.iter().flat_map(|begun| &begun.input.sources).flat_map(|feed| &feed.deltas);
        at_rim && self.dataflow.wants_more(self.begun.len(), deltas.map(Delta::num_rows).sum())
    }

    /// Runs the epochs that have been begun: what came of each, up to the first that fails.
    pub(crate) fn finish(&mut self) -> (Vec<Stepped>, Result<()>) {
        let (mut inputs, mut watermarks, mut clock) = (vec![], vec![], vec![]);
        for begun in self.begun.drain(..) {
            clock.push(begun.input.now);
            inputs.push(begun.input);
            watermarks.push(begun.watermarks);
        }
        let (outputs, failed) = self.dataflow.steps(inputs);
        let mut all = vec![];
        for ((output, watermarks), now) in outputs.into_iter().zip(watermarks).zip(clock) {
            match self.stepped(output, watermarks, now) {
                Ok(stepped) => all.push(stepped),
                Err(e) => return (all, Err(e)),
            }
        }
        (all, failed)
    }

    fn stepped(&mut self, output: EpochOutput, watermarks: Vec<(usize, Watermark)>, now: Micros) -> Result<Stepped> {
        let mut stepped = Stepped { watermarks, ..Stepped::default() };
        for (node, deltas) in output.sinks {
            let Some(index) = self.sinks.iter().position(|s| s.node == node) else { continue };
            match self.sinks[index].target {
                SinkTarget::Collect | SinkTarget::Ask => self.sinks[index].collected.extend(deltas),
                _ => stepped.changes.push((index, deltas)),
            }
        }
        for (node, late) in output.late {
            let tables = self.plan.tables_below(node).join(", ");
            let batch = refused::late(&tables, &self.operator_name(node), &late)?;
            self.feed_refused(SystemTable::LateRows, &batch)?;
            stepped.late.push(batch);
        }
        for (node, rejected) in output.rejected {
            // A normalization stands right above its source.
            let source = self.plan.node(node).inputs.first();
            let source = self.sources.iter().position(|s| Some(&s.node) == source);
            let source = source.ok_or_else(|| Error::internal("changes were rejected that no source has sent"))?;
            let batch = refused::rejected_changes(&self.sources[source].name, &rejected)?;
            self.feed_refused(SystemTable::RejectedRows, &batch)?;
            stepped.rejected.push((source, batch));
        }
        stepped.questions = self.questions()?;
        stepped.lookups = self.lookups(now);
        Ok(stepped)
    }

    fn splits(&mut self, source: usize) -> Result<&mut SplitWatermarks> {
        match &mut self.sources[source].kind {
            Kind::Table(splits) => Ok(splits),
            _ => Err(Error::internal("rows for a source that is not read")),
        }
    }

    /// Whether no more rows can be refused: every other source has ended, and nothing waits.
    fn refused_end(&self) -> bool {
        self.sources.iter().all(|s| match &s.kind {
            Kind::Refused { .. } => true,
            Kind::Table(_) | Kind::Lookup(_) => s.told == Watermark::MAX,
            // An answer over refused rows waits for them, not they for it.
            Kind::AtEnd { at_end, .. } => s.told == Watermark::MAX || self.reads_refused(at_end),
        })
    }

    fn reads_refused(&self, at_end: &AtEnd) -> bool {
        let system = |id: &NodeId| self.plan.tables_below(*id).iter().any(|t| t.starts_with(SYSTEM_SCHEMA));
        at_end.inputs.iter().any(|(_, id)| system(id))
    }

    /// Hands refused rows to the queries that read them.
    fn feed_refused(&mut self, table: SystemTable, batch: &RecordBatch) -> Result<()> {
        for source in &mut self.sources {
            match &source.kind {
                Kind::Refused { table: reads, projection } if *reads == table => {
                    source.queued.push(Delta::insert(batch.project(projection)?));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
