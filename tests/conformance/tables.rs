//! Tables without a connector: each is the log of the changes that statements made to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tidemill::core::table::TableSpec;
use tidemill::core::{ChangeMode, Delta, Error, Result};
use tidemill::sql::bind::{Connect, Connected};
use tidemill::tables::memory::MemoryTable;

/// The tables of a file. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Tables(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    tables: BTreeMap<String, Table>,
    /// How many statements there were: the order of changes across tables.
    statements: usize,
    endless: bool,
}

#[derive(Debug)]
struct Table {
    schema: SchemaRef,
    key: Vec<usize>,
    /// Whether rows were ever taken back.
    retracts: bool,
    log: Vec<(usize, Delta)>,
}

impl Table {
    fn changes(&self) -> ChangeMode {
        match (self.key.is_empty(), self.retracts) {
            (false, _) => ChangeMode::Upsert(self.key.clone()),
            (true, true) => ChangeMode::Retract,
            (true, false) => ChangeMode::Append,
        }
    }
}

impl Tables {
    /// Whether tables are declared to have no end, from now on.
    pub fn set_endless(&self, endless: bool) {
        self.held().endless = endless;
    }

    /// The columns of a table, and which of them are its key.
    ///
    /// # Errors
    /// If there is no such table.
    pub fn describe(&self, name: &str) -> Result<(SchemaRef, Vec<usize>)> {
        let held = self.held();
        let table = held.tables.get(name).ok_or_else(|| Error::statement(format!("no table '{name}'")))?;
        Ok((Arc::clone(&table.schema), table.key.clone()))
    }

    /// Adds the changes of one statement to a table. Returns whether the table is now one that retracts and was not before.
    ///
    /// # Errors
    /// If there is no such table.
    pub fn change(&self, name: &str, delta: Delta) -> Result<bool> {
        let mut held = self.held();
        held.statements += 1;
        let number = held.statements;
        let table = held.tables.get_mut(name).ok_or_else(|| Error::statement(format!("no table '{name}'")))?;
        let before = table.changes();
        table.retracts |= delta.weights.as_ref().is_some_and(|w| w.values().iter().any(|w| *w < 0));
        table.log.push((number, delta));
        Ok(table.changes() != before)
    }

    /// All changes of all tables, statement by statement.
    pub fn statements(&self) -> Vec<(String, Delta)> {
        let held = self.held();
        let of = |(name, table): (&String, &Table)| {
            table.log.iter().map(|(number, delta)| (*number, name.clone(), delta.clone())).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = held.tables.iter().flat_map(of).collect();
        all.sort_by_key(|(number, ..)| *number);
        all.into_iter().map(|(_, name, delta)| (name, delta)).collect()
    }

    /// Forgets a table.
    pub fn drop(&self, name: &str) {
        self.held().tables.remove(name);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("no test panics while it holds the tables")
    }

    fn source(&self, name: &str) -> Result<MemoryTable> {
        let held = self.held();
        let table = held.tables.get(name).ok_or_else(|| Error::statement(format!("no table '{name}'")))?;
        let rows = table.log.iter().map(|(_, delta)| match table.changes() {
            ChangeMode::Append => Delta::insert(delta.batch.clone()),
            _ => delta.clone(),
        });
        let source = MemoryTable::of_changes(Arc::clone(&table.schema), vec![rows.collect()], table.changes())?;
        Ok(if held.endless { source.without_end() } else { source })
    }
}

#[async_trait]
impl Connect for Tables {
    async fn connect(&self, spec: TableSpec) -> Result<Connected> {
        if spec.options.get("connector").is_some() {
            return Err(Error::statement("tables of these files live in memory: leave the connector out"));
        }
        let schema = spec.schema.clone().ok_or_else(|| Error::statement("write the columns of the table"))?;
        let key = spec.primary_key.iter().filter_map(|k| schema.index_of(k).ok()).collect();
        let table = Table { schema: Arc::clone(&schema), key, retracts: false, log: vec![] };
        self.held().tables.insert(spec.name.clone(), table);
        let tables = self.clone();
        Ok(Connected {
            schema,
            metadata: vec![],
            source: Arc::new(move |spec| Ok(Arc::new(tables.source(&spec.name)?))),
            sink: Arc::new(|_| Err(Error::statement("these tables are changed by statements, not by a stream"))),
        })
    }
}

/// Rows as changes of one weight.
pub fn weighted(rows: RecordBatch, weight: i64) -> Delta {
    let weights = vec![weight; rows.num_rows()];
    Delta::weighted(rows, weights.into())
}
