//! A session: a catalog, settings, and the way from text to running queries.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tidemill_core::source::Source;
use tidemill_core::{ChangeMode, Clock, Delta, EpochClock, Error, Result, SystemClock};
use tidemill_sql::catalog::{Catalog, Entry};
use tidemill_sql::session::Planner;

use crate::pipeline::{Output, Script};
use crate::result::QueryResult;
use crate::tables::kept::Kept;
use crate::tables::memory::{MemoryTable, check_key};
use crate::tables::push::{PushTable, Sender};

/// Batches that a pushed table holds before its sender has to wait.
const PUSH_QUEUE: usize = 16;

/// A catalog of tables and views, with settings. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Session {
    pub(crate) catalog: Catalog,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) late: Arc<Kept>,
    pub(crate) rejected: Arc<Kept>,
}

/// Which column of a registered table is event time, and how far it may be out of order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTime {
    /// The column: a timestamp.
    pub column: String,
    /// The watermark is this much behind the latest time seen.
    pub delay: Duration,
}

impl EventTime {
    /// Rows may be out of order by up to `delay`.
    pub fn new(column: impl Into<String>, delay: Duration) -> Self {
        Self { column: column.into(), delay }
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// An empty session on the machine's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty session whose processing time is read from `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        let catalog = Catalog::new();
        Self { catalog, clock, late: Arc::new(Kept::new(0)), rejected: Arc::new(Kept::new(0)) }
    }

    /// Runs one `SELECT` and returns its changes as a stream. Statements before it are executed first.
    ///
    /// # Errors
    /// If the text is wrong or cannot be run, or if it holds another number of queries than one.
    pub async fn sql(&self, text: &str) -> Result<QueryResult> {
        let script = self.prepare(text).await?;
        script.into_one_result().await
    }

    /// Runs all statements of `text`, as one dataflow, to the end of their inputs; returns what they say, in order. A
    /// `SELECT` is read to its end and returned as rows.
    ///
    /// # Errors
    /// If the text is wrong or cannot be run.
    pub async fn execute(&self, text: &str) -> Result<Vec<Output>> {
        self.prepare(text).await?.run().await
    }

    /// Reads and plans `text`: executes its definitions and settings, and plans all its queries as one dataflow, which is
    /// not started.
    ///
    /// # Errors
    /// If the text is wrong or cannot be run.
    pub async fn prepare(&self, text: &str) -> Result<Script> {
        Script::prepare(self, text).await
    }

    /// The catalog, for completion and inspection.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Every name that a statement could use now: tables, views, their columns, functions. For completion.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![];
        for relation in self.catalog.tables().into_iter().chain(self.catalog.views()) {
            match self.catalog.entry(&relation) {
                Ok(Entry::Table(table)) => names.extend(table.columns.iter().map(|c| c.field.name().clone())),
                Ok(Entry::View(view)) => names.extend(view.schema.fields().iter().map(|f| f.name().clone())),
                // Somebody dropped it just now.
                Err(_) => {}
            }
            names.push(relation);
        }
        if let Ok(planner) = Planner::new(&self.catalog, EpochClock::default()) {
            let state = planner.state();
            names.extend(state.scalar_functions().keys().cloned());
            names.extend(state.aggregate_functions().keys().cloned());
            names.extend(state.window_functions().keys().cloned());
        }
        names
    }

    /// Changes a setting, as `SET 'key' = 'value'` does.
    ///
    /// # Errors
    /// If there is no such setting, or if it does not take the value.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        self.catalog.settings().set(key, value).map(drop)
    }

    /// Registers rows that are there already as a table.
    ///
    /// # Errors
    /// If the batches differ in their columns, or if there is no such time column.
    pub fn register_table(
        &self,
        name: &str,
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
        event_time: Option<EventTime>,
    ) -> Result<()> {
        let table = MemoryTable::try_new(Arc::clone(&schema), vec![batches])?;
        self.catalog.register_source(name, Arc::new(table), watermark(&schema, event_time)?)
    }

    /// Registers a source of any kind as a table.
    ///
    /// # Errors
    /// If there is no such time column.
    pub fn register_source(&self, name: &str, source: Arc<dyn Source>, event_time: Option<EventTime>) -> Result<()> {
        let watermark = watermark(&source.schema(), event_time)?;
        self.catalog.register_source(name, source, watermark)
    }

    /// Registers a table that the program pushes rows into. It ends when the sender is dropped.
    ///
    /// # Errors
    /// If there is no such time column.
    pub fn register_push(&self, name: &str, schema: SchemaRef, event_time: Option<EventTime>) -> Result<Sender> {
        let (sender, table) = PushTable::new(Arc::clone(&schema), PUSH_QUEUE);
        self.catalog.register_source(name, Arc::new(table), watermark(&schema, event_time)?)?;
        Ok(sender)
    }

    /// Registers a table that is made by changes which are there already: weight `1` inserts a row, `-1` takes it back.
    /// `changes` says which kinds there are; see [`Sender::send_changes`].
    ///
    /// # Errors
    /// If the batches differ in their columns, if there is no such time column or key, or if a table of insertions has a
    /// retraction.
    pub fn register_changes(
        &self,
        name: &str,
        schema: SchemaRef,
        deltas: Vec<Delta>,
        changes: ChangeMode,
        event_time: Option<EventTime>,
    ) -> Result<()> {
        let table = MemoryTable::of_changes(Arc::clone(&schema), vec![deltas], changes)?;
        self.catalog.register_source(name, Arc::new(table), watermark(&schema, event_time)?)
    }

    /// Registers a table that the program pushes changes into, of the kinds that `changes` says. It ends when the sender is
    /// dropped.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    /// # use tidemill::{ChangeMode, Delta, Session};
    /// # #[tokio::main(flavor = "multi_thread")]
    /// # async fn main() -> tidemill::Result<()> {
    /// let rows = |ids: Vec<i64>, stock: Vec<i64>| {
    ///     RecordBatch::try_from_iter([
    ///         ("id", Arc::new(Int64Array::from(ids)) as ArrayRef),
    ///         ("stock", Arc::new(Int64Array::from(stock))),
    ///     ])
    /// };
    /// let session = Session::new();
    /// let columns = rows(vec![], vec![])?.schema();
    /// let items = session.register_push_changes("items", columns, ChangeMode::Upsert(vec![0]), None)?;
    /// let result = session.sql("SELECT id, stock FROM items").await?;
    /// items.send(rows(vec![1, 2], vec![5, 7])?).await?;
    /// let changes = Delta::weighted(rows(vec![1, 2], vec![4, 0])?, Int64Array::from(vec![1, -1]));
    /// items.send_changes(changes).await?; // 1 is replaced, 2 is deleted
    /// drop(items);
    /// assert_eq!(result.collect().await?, rows(vec![1], vec![4])?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If there is no such time column or key.
    pub fn register_push_changes(
        &self,
        name: &str,
        schema: SchemaRef,
        changes: ChangeMode,
        event_time: Option<EventTime>,
    ) -> Result<Sender> {
        check_key(&schema, &changes)?;
        let (sender, table) = PushTable::of_changes(Arc::clone(&schema), changes, PUSH_QUEUE);
        self.catalog.register_source(name, Arc::new(table), watermark(&schema, event_time)?)?;
        Ok(sender)
    }

    /// Late rows of the session's queries so far: those that are kept, and how many there were.
    pub fn late_rows(&self) -> (Vec<RecordBatch>, u64) {
        (self.late.batches(), self.late.total())
    }

    /// Rejected rows of the session's queries so far: those that are kept, and how many there were.
    pub fn rejected_rows(&self) -> (Vec<RecordBatch>, u64) {
        (self.rejected.batches(), self.rejected.total())
    }
}

/// The time column's index and its delay in microseconds.
fn watermark(schema: &SchemaRef, event_time: Option<EventTime>) -> Result<Option<(usize, i64)>> {
    let Some(time) = event_time else { return Ok(None) };
    let index = schema.index_of(&time.column).map_err(|_| {
        Error::statement(format!("the table has no column '{}'", time.column))
            .with_nearest(&time.column, schema.fields().iter().map(|f| f.name().as_str()))
    })?;
    let delay = i64::try_from(time.delay.as_micros())
        .map_err(|_| Error::statement("the delay of a watermark is longer than time itself"))?;
    Ok(Some((index, delay)))
}
