//! The catalog itself: what there is, by name.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use datafusion::arrow::datatypes::{IntervalMonthDayNano, SchemaRef};
use datafusion::common::{Column as PlanColumn, ScalarValue};
use datafusion::logical_expr::Expr;
use sqlparser::ast;
use tidemill_core::source::Source;
use tidemill_core::table::TableSpec;
use tidemill_core::{ChangeMode, Error, Micros, OptionValues, Result};
use tidemill_plan::op::OnError;
use tidemill_plan::window::Length;

use super::names::{Found, ambiguous, find};
use super::{Column, ColumnKind, EventTimeColumn, SystemTable, Table};
use crate::settings::Settings;

/// Tables, views and settings of a session. Cheap to clone; clones share everything.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    entries: Arc<RwLock<BTreeMap<String, Entry>>>,
    settings: Settings,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A table.
    Table(Arc<Table>),
    /// A view.
    View(Arc<View>),
}

/// A view: a query with a name. It is planned anew wherever it is named, so that it has the functions of that query.
#[derive(Debug, Clone)]
pub struct View {
    /// Its name, as written.
    pub name: String,
    /// New names for its columns; empty to keep those of the query.
    pub columns: Vec<String>,
    /// What it stands for.
    pub query: ast::Query,
    /// The columns it had when it was made.
    pub schema: SchemaRef,
    /// The statement that made it, for `SHOW CREATE VIEW`.
    pub ddl: String,
}

/// The parts of a name that every table has in Flink and none here.
const DEFAULT_PREFIXES: [&str; 2] = ["default_catalog.default_database.", "default_database."];

impl Catalog {
    /// An empty catalog with default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// The settings of the session.
    pub fn settings(&self) -> Settings {
        self.settings.clone()
    }

    /// The table called `name`.
    pub fn table(&self, name: &str) -> Result<Arc<Table>> {
        match self.entry(name)? {
            Entry::Table(table) => Ok(table),
            Entry::View(view) => Err(Error::statement(format!("'{}' is a view, not a table", view.name))),
        }
    }

    /// What `name` stands for: exactly, else without regard to case if that is unique.
    pub fn entry(&self, name: &str) -> Result<Entry> {
        let name = plain_name(name);
        let entries = self.read();
        let known = || entries.keys().map(String::as_str);
        match find(name, known()) {
            Found::One(found) => Ok(entries[found].clone()),
            Found::Many(close) => Err(ambiguous("table", name, &close)),
            Found::None => {
                let e = Error::statement(format!("there is no table '{name}'"));
                let system = SystemTable::ALL.map(SystemTable::full_name);
                Err(match entries.is_empty() {
                    true => e.with_hint("No table has been created yet. Write CREATE TABLE first."),
                    false => e.with_nearest(name, known().chain(system)),
                })
            }
        }
    }

    /// The names of all tables.
    pub fn tables(&self) -> Vec<String> {
        self.names(|e| matches!(e, Entry::Table(_)))
    }

    /// The names of all views.
    pub fn views(&self) -> Vec<String> {
        self.names(|e| matches!(e, Entry::View(_)))
    }

    /// Adds a table. An error if its name is taken.
    pub fn register(&self, table: Table) -> Result<()> {
        self.add(table.name.clone(), Entry::Table(Arc::new(table)))
    }

    /// Adds a table over a source of the program's own. `event_time` is the column, by its index, and by how much the
    /// watermark is behind it.
    pub fn register_source(
        &self,
        name: &str,
        source: Arc<dyn Source>,
        event_time: Option<(usize, Micros)>,
    ) -> Result<()> {
        let schema = source.schema();
        let physical = |field: &Arc<_>| Column { field: Arc::clone(field), kind: ColumnKind::Physical, comment: None };
        let columns: Vec<Column> = schema.fields().iter().map(physical).collect();
        let event_time = event_time.map(|(column, delay)| {
            let name = schema.field(column).name();
            let time = Expr::Column(PlanColumn::new_unqualified(name));
            let interval = IntervalMonthDayNano::new(0, 0, delay.saturating_mul(1_000));
            let delay_expr = Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), None);
            let (watermark, text) = match delay {
                0 => (time, name.clone()),
                _ => (time - delay_expr, format!("{name} - {}", Length(delay))),
            };
            EventTimeColumn { column, watermark, text }
        });
        let options = OptionValues::default();
        let spec = TableSpec {
            name: name.to_string(),
            schema: Some(Arc::clone(&schema)),
            metadata: vec![],
            partition_by: vec![],
            primary_key: vec![],
            options,
        };
        let primary_key = match source.changes() {
            ChangeMode::Upsert(key) => key,
            _ => vec![],
        };
        let table = name.to_string();
        self.register(Table {
            name: name.to_string(),
            columns,
            event_time,
            primary_key,
            spec,
            source: Arc::new(move |_| Ok(Arc::clone(&source))),
            sink: Arc::new(move |_| {
                Err(Error::statement(format!("table '{table}' was registered by the program to be read, not written")))
            }),
            idle_timeout: None,
            on_error: OnError::Reject,
            ddl: format!("-- table '{name}' was registered by the program"),
        })
    }

    /// Adds an entry. An error if its name is taken.
    pub(crate) fn add(&self, name: String, entry: Entry) -> Result<()> {
        let mut entries = self.write();
        match entries.get(&name) {
            Some(_) => Err(Error::statement(format!("there is a table or view called '{name}' already"))
                .with_hint("Drop it first, or write IF NOT EXISTS.")),
            None => {
                entries.insert(name, entry);
                Ok(())
            }
        }
    }

    /// Adds an entry, or puts it in the place of one of the same name.
    pub(crate) fn replace(&self, name: String, entry: Entry) {
        self.write().insert(name, entry);
    }

    /// Whether there is something of exactly this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.read().contains_key(plain_name(name))
    }

    /// Removes an entry by its exact name.
    pub(crate) fn remove(&self, name: &str) {
        self.write().remove(name);
    }

    fn names(&self, which: impl Fn(&Entry) -> bool) -> Vec<String> {
        self.read().iter().filter(|(_, e)| which(e)).map(|(name, _)| name.clone()).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Entry>> {
        // Each change is one insertion or removal, so a panic elsewhere leaves nothing half done.
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Entry>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name without Flink's default catalog and database.
pub(crate) fn plain_name(name: &str) -> &str {
    DEFAULT_PREFIXES.iter().find_map(|p| name.strip_prefix(p)).unwrap_or(name)
}
