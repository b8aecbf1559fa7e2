//! From text to a running dataflow: definitions are executed, all queries of the text become one plan.

use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::ScalarValue;
use futures::future::try_join_all;
use tidemill_core::{EpochClock, Error, Result};
use tidemill_plan::op::SinkTarget;
use tidemill_plan::{StreamOp, StreamPlan};
use tidemill_sql::catalog::Outcome;
use tidemill_sql::explain;
use tidemill_sql::lower::{LowerOptions, Lowering, UnboundedState};
use tidemill_sql::parser::{ExplainKind, Statement, StatementKind};
use tidemill_sql::session::{Planner, Query};
use tokio::sync::mpsc;

use crate::connect::Connectors;
use crate::consolidate::consolidate;
use crate::result::{Changes, QueryResult};
use crate::run::{RunOptions, Running, Summary};
use crate::session::Session;
use crate::verify;

/// Changes of a result that wait for their reader, at most.
const QUEUED_CHANGES: usize = 16;

/// What a statement said.
#[derive(Debug, Clone)]
pub enum Output {
    /// It was done; there may be something to say about it.
    Message(String),
    /// Rows: of `SHOW`, `DESCRIBE`, or a `SELECT` that has ended.
    Rows(RecordBatch),
    /// Text of several lines: of `EXPLAIN`.
    Text(String),
    /// The `SELECT` of this number, which has not been read yet.
    Result(usize),
    /// How the queries ended.
    Summary(Box<Summary>),
}

/// A text that has been read: its definitions are in the session, its queries are planned and wait to be started.
#[derive(Debug)]
pub struct Script {
    /// What its statements said, in order.
    pub outputs: Vec<Output>,
    /// What it warns about: unbounded state, settings without effect.
    pub warnings: Vec<String>,
    /// Its queries, if it has any.
    pub pipeline: Option<Pipeline>,
}

/// All queries of a text, as one dataflow that has not been started.
pub struct Pipeline {
    pub(crate) plan: Arc<StreamPlan>,
    pub(crate) options: RunOptions,
    results: Vec<ResultInfo>,
}

/// A pipeline that has been started.
#[derive(Debug)]
pub struct Started {
    /// The running dataflow.
    pub running: Running,
    /// The results of its `SELECT`s, in the order of the text. They have to be read: a result that nobody takes holds the
    /// whole dataflow back.
    pub results: Vec<ResultReader>,
}

/// The reading side of a `SELECT`.
#[derive(Debug)]
pub struct ResultReader {
    /// What is read.
    pub info: ResultInfo,
    /// The changes, as they come.
    pub changes: mpsc::Receiver<Result<Changes>>,
}

/// What a `SELECT` gives.
#[derive(Debug, Clone)]
pub struct ResultInfo {
    /// The columns.
    pub schema: SchemaRef,
    /// Whether it ends by itself.
    pub bounded: bool,
    /// Whether rows may be taken back.
    pub retracts: bool,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Script {
    pub(crate) async fn prepare(session: &Session, text: &str) -> Result<Self> {
        let mut outputs = vec![];
        let mut warnings = vec![];
        let mut queries: Vec<Query> = vec![];
        let mut results = 0;
        let clock = EpochClock::default();
        for statement in tidemill_sql::parser::parse(text)? {
            match &statement.kind {
                StatementKind::Explain { kind, statement } => {
                    outputs.push(Output::Text(explain_text(session, *kind, statement)?));
                }
                StatementKind::Verify { runs, seed, statement } => {
                    let runs = runs.map_or(verify::RUNS, |n| usize::try_from(n).unwrap_or(usize::MAX));
                    let agreement = verify::verify(session, statement, runs, seed.unwrap_or(1)).await?;
                    outputs.push(Output::Text(agreement.to_string()));
                }
                StatementKind::Select(_) | StatementKind::Insert(_) | StatementKind::StatementSet(_) => {
                    // Planned at once, so that a statement that follows (a DROP, a SET) does not reach back.
                    for query in Planner::new(&session.catalog, clock.clone())?.query(&statement)? {
                        if query.target.is_none() {
                            outputs.push(Output::Result(results));
                            results += 1;
                        }
                        queries.push(query);
                    }
                }
                _ => match session.catalog.execute(&statement, &Connectors).await? {
                    Outcome::Done(message) => outputs.push(Output::Message(message)),
                    Outcome::Rows(rows) => outputs.push(Output::Rows(rows)),
                },
            }
        }
        let pipeline = match queries.is_empty() {
            true => None,
            false => Some(Pipeline::plan(session, &queries, clock, &mut warnings)?),
        };
        Ok(Self { outputs, warnings, pipeline })
    }

    /// Runs to the end of all inputs; reads every `SELECT` to its end and puts its rows where it stands.
    pub(crate) async fn run(self) -> Result<Vec<Output>> {
        let Some(pipeline) = self.pipeline else { return Ok(self.outputs) };
        let started = pipeline.start().await?;
        let tables = try_join_all(started.results.into_iter().map(ResultReader::collect)).await;
        let summary = started.running.wait().await;
        // Where the dataflow failed, its own error says more than that of a reader.
        let (summary, tables) = (summary?, tables?);
        let mut outputs: Vec<Output> = self
            .outputs
            .into_iter()
            .map(|o| match o {
                Output::Result(number) => Output::Rows(tables[number].clone()),
                other => other,
            })
            .collect();
        outputs.push(Output::Summary(Box::new(summary)));
        Ok(outputs)
    }

    /// Starts the one `SELECT`.
    pub(crate) async fn into_one_result(self) -> Result<QueryResult> {
        let wrong =
            || Error::statement("one SELECT is asked for here").with_hint("Use `execute` for other statements.");
        let pipeline = self.pipeline.ok_or_else(wrong)?;
        let sinks = pipeline.plan.nodes().iter().filter(|n| match &n.op {
            StreamOp::Sink(s) => !matches!(s.target, SinkTarget::Collect | SinkTarget::Ask),
            _ => false,
        });
        if sinks.count() != 1 || pipeline.results.len() != 1 {
            return Err(wrong());
        }
        let mut started = pipeline.start().await?;
        let reader = started.results.pop().ok_or_else(wrong)?;
        Ok(QueryResult::new(reader.info.schema, reader.info.bounded, reader.changes, started.running))
    }
}

impl ResultReader {
    /// Reads to the end and adds all changes up.
    ///
    /// # Errors
    /// What made the query fail.
    pub async fn collect(mut self) -> Result<RecordBatch> {
        let mut all = vec![];
        while let Some(changes) = self.changes.recv().await {
            all.push(changes?);
        }
        consolidate(&self.info.schema, &all)
    }
}

impl Pipeline {
    /// Queries as one dataflow that has not been started.
    pub(crate) fn plan(
        session: &Session,
        queries: &[Query],
        clock: EpochClock,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let planner = Planner::new(&session.catalog, clock.clone())?;
        let (plan, warned) = lower(session, &planner, queries, clock)?;
        for note in queries.iter().flat_map(|q| &q.notes) {
            let note = format!("{note}.");
            if !warnings.contains(&note) {
                warnings.push(note);
            }
        }
        warnings.extend(warned);
        let mut results = vec![];
        for node in plan.nodes() {
            let StreamOp::Sink(sink) = &node.op else { continue };
            if let SinkTarget::Result(_) = sink.target {
                results.push(ResultInfo {
                    schema: Arc::clone(&node.edge.schema),
                    bounded: node.edge.bounded,
                    retracts: node.edge.changes != tidemill_core::ChangeMode::Append,
                });
            }
        }
        let settings = session.catalog.settings();
        session.late.set_limit(settings.late_rows_keep()?);
        session.rejected.set_limit(settings.rejected_rows_keep()?);
        let options = RunOptions {
            workers: settings.workers()?.unwrap_or_else(all_cores),
            epoch_rows: settings.epoch_rows()?,
            publish_interval: settings.publish_interval()?,
            clock: Arc::clone(&session.clock),
            late: Arc::clone(&session.late),
            rejected: Arc::clone(&session.rejected),
            batch: planner.state().clone(),
        };
        Ok(Self { plan: Arc::new(plan), options, results })
    }

    /// The plan.
    pub fn plan_ref(&self) -> &StreamPlan {
        &self.plan
    }

    /// What its `SELECT`s give, in the order of the text.
    pub fn results(&self) -> &[ResultInfo] {
        &self.results
    }

    /// Opens the sinks and begins to read.
    ///
    /// # Errors
    /// If a sink cannot be opened.
    pub async fn start(self) -> Result<Started> {
        let (mut senders, mut readers) = (vec![], vec![]);
        for info in self.results {
            let (sender, changes) = mpsc::channel(QUEUED_CHANGES);
            senders.push(sender);
            readers.push(ResultReader { info, changes });
        }
        let running = Running::start(self.plan, senders, self.options).await?;
        Ok(Started { running, results: readers })
    }
}

/// As many workers as the machine has cores.
fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// All queries as one plan.
fn lower(
    session: &Session,
    planner: &Planner,
    queries: &[Query],
    clock: EpochClock,
) -> Result<(StreamPlan, Vec<String>)> {
    let settings = session.catalog.settings();
    let options = LowerOptions {
        allowed_lateness: settings.allowed_lateness()?,
        zone: settings.zone()?,
        state_ttl: settings.state_ttl()?,
        unbounded_state: match settings.state_unbounded()? {
            "reject" => UnboundedState::Reject,
            "allow" => UnboundedState::Allow,
            _ => UnboundedState::Warn,
        },
    };
    let mut lowering = Lowering::new(planner.state(), clock, options);
    let mut results = 0;
    for query in queries {
        let target = match &query.target {
            Some(table) => {
                let table = session.catalog.table(table)?;
                let mut spec = table.spec.clone();
                spec.options.0.extend(query.target_options.iter().cloned());
                let mut sink = (table.sink)(&spec).map_err(|e| e.at(query.span))?;
                if query.overwrite {
                    let others = queries.iter().filter(|q| q.target == query.target).count();
                    if others > 1 {
                        let error = format!("'{}' is overwritten and written by another INSERT beside it", table.name);
                        return Err(Error::statement(error)
                            .with_hint("Write all its rows by one INSERT OVERWRITE, with UNION ALL.")
                            .at(query.span));
                    }
                    sink = sink.overwriting(partition_row(&sink.schema(), &query.partition)?).ok_or_else(|| {
                        Error::unsupported(format!("INSERT OVERWRITE into '{}' is not supported", table.name))
                            .with_hint("Tables of files can be overwritten; INSERT INTO adds to what is there.")
                            .at(query.span)
                    })?;
                }
                SinkTarget::Table { name: table.name.clone(), sink }
            }
            None => {
                results += 1;
                SinkTarget::Result(results - 1)
            }
        };
        lowering.add(query, target)?;
    }
    lowering.finish()
}

/// A row with the values of its partition; no other column counts.
fn partition_row(columns: &SchemaRef, partition: &[(String, ScalarValue)]) -> Result<Option<RecordBatch>> {
    if partition.is_empty() {
        return Ok(None);
    }
    let values = columns.fields().iter().map(|field| {
        Ok(match partition.iter().find(|(name, _)| name == field.name()) {
            Some((_, value)) => value.to_array().map_err(|e| Error::internal(e.to_string()))?,
            None => new_null_array(field.data_type(), 1),
        })
    });
    let values = values.collect::<Result<Vec<_>>>()?;
    let fields: Vec<_> = columns.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    Ok(Some(RecordBatch::try_new(Arc::new(Schema::new(fields)), values)?))
}

fn explain_text(session: &Session, kind: ExplainKind, statement: &Statement) -> Result<String> {
    let clock = EpochClock::default();
    let planner = Planner::new(&session.catalog, clock.clone())?;
    let queries = planner.query(statement)?;
    if kind == ExplainKind::Logical {
        return Ok(queries.iter().map(|q| explain::logical(&q.plan)).collect());
    }
    let (plan, warnings) = lower(session, &planner, &queries, clock)?;
    let mut text = match kind {
        ExplainKind::Logical => String::new(),
        ExplainKind::Stream => explain::stream(&plan),
        ExplainKind::State => explain::state(&plan),
        ExplainKind::Watermark => explain::watermark(&plan),
        ExplainKind::Default => explain::all(&queries.iter().map(|q| &q.plan).collect::<Vec<_>>(), &plan),
    };
    for warning in warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    Ok(text)
}
