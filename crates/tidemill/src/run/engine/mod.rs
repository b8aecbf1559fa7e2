//! The engine without its rim: what has come in, the step over it, and what comes out. No task, no queue, no clock.
//!
//! The epoch thread drives it for real, and a simulation drives it by hand: both run this code.

mod reports;
mod waiting;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use tidemill_core::source::Source as TableSource;
use tidemill_core::{Delta, Error, Micros, Result, SplitId, Watermark};
use tidemill_dataflow::dataflow::{Config, Dataflow, EpochInput, SourceFeed};
use tidemill_dataflow::ingest::Taken;
use tidemill_dataflow::split_watermarks::SplitWatermarks;
use tidemill_plan::op::{AtEnd, SinkTarget, SourceInput, SourceOp, StreamOp};
use tidemill_plan::{NodeId, StreamPlan};
use tidemill_sql::catalog::system::{SYSTEM_SCHEMA, SystemTable};

use self::waiting::{Asked, Waiting};
use super::refused;
use super::state::Peaks;
use crate::consolidate::consolidate;

/// A dataflow, and what waits for its next step.
pub(crate) struct Engine {
    plan: Arc<StreamPlan>,
    dataflow: Dataflow,
    sources: Vec<Source>,
    sinks: Vec<Sink>,
    peaks: Peaks,
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

/// A part of the query that DataFusion is to answer once.
pub(crate) struct Question {
    pub node: NodeId,
    pub at_end: AtEnd,
    pub inputs: HashMap<String, RecordBatch>,
}

/// Rows that a lookup join asks about.
pub(crate) struct LookupQuestion {
    /// The join's node.
    pub node: NodeId,
    /// Tells the questions of a join apart.
    pub number: u64,
    pub rows: Vec<Delta>,
    /// What the clock read.
    pub now: Micros,
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
        Ok(Self { plan, dataflow, sources, sinks, peaks: Peaks::default() })
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
        let mut stepped = Stepped::default();
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
                stepped.watermarks.push((index, watermark));
            }
            source.told = watermark;
            feeds.push(SourceFeed { node: source.node, deltas: std::mem::take(&mut source.queued), watermark });
        }
        let output = self.dataflow.step(EpochInput { now, sources: feeds })?;
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

    /// The batch parts whose inputs have all ended and that have not been asked for.
    fn questions(&mut self) -> Result<Vec<Question>> {
        let mut questions = vec![];
        for index in 0..self.sources.len() {
            let Kind::AtEnd { at_end, answer: Answer::Waiting } = &self.sources[index].kind else { continue };
            if !at_end.inputs.iter().all(|(_, id)| self.dataflow.finished(*id)) {
                continue;
            }
            let at_end = at_end.clone();
            let mut inputs = HashMap::new();
            for (name, id) in &at_end.inputs {
                let schema = Arc::clone(&self.plan.node(*id).edge.schema);
                let Some(sink) = self.sinks.iter_mut().find(|s| s.node == *id) else {
                    return Err(Error::internal("a batch part of the query reads something that is not collected"));
                };
                inputs.insert(name.clone(), consolidate(&schema, &std::mem::take(&mut sink.collected))?);
            }
            let source = &mut self.sources[index];
            source.kind = Kind::AtEnd { at_end: at_end.clone(), answer: Answer::Asked };
            questions.push(Question { node: source.node, at_end, inputs });
        }
        Ok(questions)
    }

    /// What the epoch's rows ask for, and how far time has come behind them.
    fn lookups(&mut self, now: Micros) -> Vec<LookupQuestion> {
        let mut questions = vec![];
        for source in &mut self.sources {
            let Kind::Lookup(waiting) = &mut source.kind else { continue };
            // Several joins may ask for the rows of one sink.
            let sink = self.sinks.iter().find(|s| s.node == waiting.asks);
            let rows = sink.map(|s| s.collected.clone()).unwrap_or_default();
            let watermark = self.dataflow.watermark(waiting.asks);
            if rows.is_empty() && watermark == waiting.watermark {
                continue;
            }
            let (number, count) = (waiting.count, rows.iter().map(Delta::num_rows).sum());
            // Time alone needs no answer.
            let answer = rows.is_empty().then(|| Delta::insert(RecordBatch::new_empty(Arc::new(Schema::empty()))));
            waiting.asked.push_back(Asked { number, rows: count, watermark, answer });
            (waiting.count, waiting.watermark) = (number + 1, watermark);
            if !rows.is_empty() {
                questions.push(LookupQuestion { node: source.node, number, rows, now });
            }
        }
        for sink in self.sinks.iter_mut().filter(|s| matches!(s.target, SinkTarget::Ask)) {
            sink.collected.clear();
        }
        questions
    }
}
