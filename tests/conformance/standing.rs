//! A query that was started before the first statement, over tables without an end: each statement is an epoch of its own.

use arrow::array::RecordBatch;
use tidemill::core::Delta;
use tidemill::simulate::Standing;
use tidemill::{Session, batch};

use super::Failure;
use super::bounded::agree;
use super::tables::Tables;

/// A view that stands: its rows are kept up to date with every statement, and compared with the batch answer.
pub struct StandingView {
    name: String,
    query: Result<Standing, Failure>,
}

/// The batch answer to `text`, with which the standing query agrees. `incremental` is the same query without an order.
///
/// # Errors
/// If the query is refused, or if it does not agree.
pub async fn answer(session: &Session, tables: &Tables, text: &str, incremental: &str) -> Result<RecordBatch, Failure> {
    let expected = batch::answer(session, text).await?;
    for workers in [1, 3] {
        let mut standing = started(session, tables, incremental, workers).await?;
        let name = format!("standing, {workers} workers");
        if !waits_for_time(session, &standing)? {
            agree(&name, &expected, &standing.result(0)?, false)?;
        }
        standing.end().await?;
        agree(&format!("{name}, at the end"), &expected, &standing.result(0)?, false)?;
    }
    Ok(expected)
}

/// A standing query that has seen all statements so far, each in an epoch.
async fn started(session: &Session, tables: &Tables, text: &str, workers: usize) -> Result<Standing, Failure> {
    tables.set_endless(true);
    let script = session.prepare(text).await;
    tables.set_endless(false);
    let pipeline = script?.pipeline.ok_or_else(|| Failure("the text is not a query".into()))?;
    let mut standing = Standing::start(&pipeline, workers)?;
    // Before the first statement: what is there without any row.
    standing.epoch().await?;
    for (table, delta) in tables.statements() {
        standing.changes(&table, &delta)?;
        standing.epoch().await?;
    }
    Ok(standing)
}

/// Whether a result may be held back until time has passed: then it is the batch answer at the end alone.
fn waits_for_time(session: &Session, standing: &Standing) -> Result<bool, Failure> {
    for table in standing.tables() {
        if session.catalog().table(table)?.event_time.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

impl StandingView {
    /// Starts the view `name`. Where it has no incremental form, queries that read it say so.
    pub async fn start(session: &Session, tables: &Tables, name: &str) -> Self {
        let query = started(session, tables, &format!("SELECT * FROM `{name}`"), 2).await;
        Self { name: name.to_string(), query }
    }

    /// Starts it again, since a table has become one that takes rows back.
    pub async fn restart(&mut self, session: &Session, tables: &Tables) {
        *self = Self::start(session, tables, &self.name).await;
    }

    /// Takes in the changes of a statement.
    ///
    /// # Errors
    /// If the view is then not the batch answer.
    pub async fn statement(&mut self, session: &Session, table: &str, delta: &Delta) -> Result<(), Failure> {
        let Ok(standing) = &mut self.query else { return Ok(()) };
        standing.changes(table, delta)?;
        standing.epoch().await?;
        if waits_for_time(session, standing)? {
            return Ok(());
        }
        let expected = batch::answer(session, &format!("SELECT * FROM `{}`", self.name)).await?;
        agree(&format!("standing view '{}'", self.name), &expected, &standing.result(0)?, false)
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }
}
