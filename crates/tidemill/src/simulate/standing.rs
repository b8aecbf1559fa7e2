//! A query that stands while its tables change, driven by hand: changes are handed over, an epoch is run, the result so far
//! is read. Reads nothing and waits for nothing.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::execution::SessionState;
use tidemill_core::source::Piece;
use tidemill_core::{Delta, Error, Micros, Result, SplitId};
use tidemill_dataflow::dataflow::Config;
use tidemill_dataflow::ingest::Ingest;
use tidemill_plan::op::SinkTarget;

use crate::consolidate::consolidate;
use crate::lookup::Lookups;
use crate::pipeline::Pipeline;
use crate::run::at_end;
use crate::run::engine::Engine;

/// A pipeline that has been started and waits for changes of its tables.
pub struct Standing {
    engine: Engine,
    feeds: Vec<Feed>,
    /// By result of the pipeline: the rows so far, and what has come since they were added up.
    results: Vec<Vec<Delta>>,
    /// By sink: its result, if it is one.
    places: Vec<Option<usize>>,
    schemas: Vec<Arc<Schema>>,
    now: Micros,
    batch: SessionState,
    lookups: Lookups,
}

/// A table that is fed: one source of the plan, with one split.
struct Feed {
    source: usize,
    table: String,
    projection: Vec<usize>,
    ingest: Ingest,
    split: SplitId,
}

impl Standing {
    /// Starts `pipeline`. Its tables are not read: their rows are handed over with [`changes`](Self::changes).
    ///
    /// # Errors
    /// If the plan cannot be built.
    pub fn start(pipeline: &Pipeline, workers: usize) -> Result<Self> {
        let config = Config { workers, rows_per_worker: 1, ..Config::default() };
        let mut engine = Engine::new(Arc::clone(&pipeline.plan), config, &|_| vec![])?;
        let mut feeds = vec![];
        for to_read in engine.to_read() {
            let split = SplitId::from("0");
            engine.joined(to_read.index, split.clone(), 0)?;
            engine.complete(to_read.index)?;
            let decoded = Arc::new(to_read.source.schema().project(&to_read.op.projection)?);
            feeds.push(Feed {
                source: to_read.index,
                table: to_read.op.name.clone(),
                projection: to_read.op.projection.clone(),
                ingest: Ingest::new(&to_read.op, decoded)?,
                split,
            });
        }
        let mut results = 0;
        let place = |target: SinkTarget| match target {
            SinkTarget::Result(_) => {
                results += 1;
                Some(results - 1)
            }
            SinkTarget::Table { .. } | SinkTarget::Collect | SinkTarget::Ask => None,
        };
        let places = engine.sink_targets().into_iter().map(place).collect();
        let schemas: Vec<_> = pipeline.results().iter().map(|r| Arc::clone(&r.schema)).collect();
        let results = vec![vec![]; schemas.len()];
        let batch = pipeline.options.batch.clone();
        let lookups = Lookups::of(&pipeline.plan)?;
        Ok(Self { engine, feeds, results, places, schemas, now: 0, batch, lookups })
    }

    /// The tables that it reads.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.feeds.iter().map(|f| f.table.as_str())
    }

    /// Hands over changes of a table, all of its columns, for the next epoch. A table that the query does not read is passed
    /// over.
    ///
    /// # Errors
    /// What makes the rows impossible to take in.
    pub fn changes(&mut self, table: &str, changes: &Delta) -> Result<()> {
        for feed in self.feeds.iter_mut().filter(|f| f.table == table) {
            let piece = Piece {
                batch: changes.batch.project(&feed.projection)?,
                weights: changes.weights.clone(),
                rejected: vec![],
                position: String::new().into(),
                bytes: 0,
                raw: None,
            };
            let taken = feed.ingest.take(piece)?;
            if let Some(rejected) = taken.rejected.first() {
                return Err(Error::data(format!("a row of '{table}' was rejected: {}", rejected.reason)));
            }
            self.engine.rows(feed.source, &feed.split, taken, self.now)?;
        }
        Ok(())
    }

    /// Runs one epoch over what was handed over; the clock goes on by a second.
    ///
    /// # Errors
    /// What would make a real run fail.
    pub async fn epoch(&mut self) -> Result<()> {
        loop {
            let stepped = self.engine.step(self.now)?;
            for (sink, deltas) in stepped.changes {
                if let Some(place) = self.places[sink] {
                    self.results[place].extend(deltas);
                }
            }
            for question in stepped.questions {
                let rows = at_end::answer(self.batch.clone(), question.at_end, question.inputs).await?;
                self.engine.answered(question.node, rows);
            }
            // What was looked up comes back at once.
            let asked = !stepped.lookups.is_empty();
            for question in stepped.lookups {
                let rows = self.lookups.at(question.node)?.answer(&question.rows, &self.batch, question.now).await?;
                self.engine.looked_up(question.node, question.number, rows);
            }
            if !asked {
                break;
            }
        }
        self.now += 1_000_000;
        Ok(())
    }

    /// Ends all tables and runs until the query has ended.
    ///
    /// # Errors
    /// What would make a real run fail.
    pub async fn end(&mut self) -> Result<()> {
        for feed in &self.feeds {
            self.engine.split_ended(feed.source, &feed.split, self.now)?;
        }
        self.epoch().await?;
        while !self.engine.ended() {
            self.epoch().await?;
        }
        Ok(())
    }

    /// The rows of a result as they are now: all changes so far, added up.
    ///
    /// # Errors
    /// If the changes take back what was never put out.
    pub fn result(&mut self, number: usize) -> Result<RecordBatch> {
        let (Some(schema), Some(changes)) = (self.schemas.get(number), self.results.get_mut(number)) else {
            return Err(Error::internal(format!("the query has no result {number}")));
        };
        let rows = consolidate(schema, changes)?;
        *changes = vec![Delta::insert(rows.clone())];
        Ok(rows)
    }
}
