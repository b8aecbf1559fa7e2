//! The statements that change or show the catalog.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use tidemill_core::{Error, Result};

use super::{Catalog, Entry, show};
use crate::bind::{Connect, alter, create_table, view};
use crate::parser::show::{CATALOG, DATABASE, one_database};
use crate::parser::{CreateTable, Name, Show, Statement, StatementKind};

/// What came of a statement.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was done; what there is to say about it.
    Done(String),
    /// What was asked for.
    Rows(RecordBatch),
}

impl Catalog {
    /// Executes a statement that is not a query: `CREATE`, `ALTER`, `DROP`, `SET`, `RESET`, `SHOW`, `DESCRIBE`.
    ///
    /// # Errors
    /// If the statement is wrong, with its place; or if it is a query.
    pub async fn execute(&self, statement: &Statement, connect: &dyn Connect) -> Result<Outcome> {
        match &statement.kind {
            StatementKind::CreateTable(create) => self.create_table(create, connect).await.map(Outcome::Done),
            StatementKind::CreateView(create) => view::create(self, create, statement).map(Outcome::Done),
            StatementKind::Drop { view, name, if_exists } => self.drop(*view, name, *if_exists).map(Outcome::Done),
            StatementKind::Alter(change) => alter::alter(self, change, statement, connect).await.map(Outcome::Done),
            StatementKind::Set { key, value } => {
                let notice = self.settings().set(&key.value, value).map_err(|e| e.at(key.span))?;
                Ok(Outcome::Done(notice.unwrap_or_else(|| format!("{key} = {value}"))))
            }
            StatementKind::Reset(key) => {
                let settings = self.settings();
                match key {
                    None => settings.reset(None)?,
                    Some(key) => settings.reset(Some(&key.value)).map_err(|e| e.at(key.span))?,
                }
                Ok(Outcome::Done("reset".into()))
            }
            StatementKind::ShowSet => show::changed_settings(&self.settings()).map(Outcome::Rows),
            StatementKind::Show(what) => self.show(what).map(Outcome::Rows),
            StatementKind::Use(name) => {
                one_database(name)?;
                Ok(Outcome::Done(format!("'{name}' is there and in use")))
            }
            StatementKind::Describe(name) => self.describe(name).map(Outcome::Rows),
            _ => Err(Error::internal("a query is planned, not executed").at(statement.span)),
        }
    }

    async fn create_table(&self, create: &CreateTable, connect: &dyn Connect) -> Result<String> {
        let name = &create.name;
        if create.if_not_exists && self.has(&name.value) {
            return Ok(format!("'{name}' is there already"));
        }
        let replaced =
            create.or_replace && matches!(self.entry(&name.value), Ok(Entry::Table(t)) if t.name == name.value);
        if self.has(&name.value) && !replaced {
            return Err(Error::statement(format!("there is a table or view called '{name}' already"))
                .with_hint("Drop it first, or write IF NOT EXISTS.")
                .at(name.span));
        }
        let table = match &create.as_select {
            None => create_table::bind(self, create, connect).await?,
            Some(rows) => {
                let columns = Some(create_table::columns_of(self, rows)?);
                create_table::bind(self, &CreateTable { columns, ..create.clone() }, connect).await?
            }
        };
        if replaced {
            self.replace(name.value.clone(), Entry::Table(Arc::new(table)));
            return Ok(format!("table '{name}' replaced"));
        }
        self.add(name.value.clone(), Entry::Table(Arc::new(table))).map_err(|e| e.at(name.span))?;
        Ok(format!("table '{name}' created"))
    }

    fn drop(&self, view: bool, name: &Name, if_exists: bool) -> Result<String> {
        let what = if view { "view" } else { "table" };
        let entry = match self.entry(&name.value) {
            Ok(entry) => entry,
            Err(_) if if_exists => return Ok(format!("there is no {what} '{name}'")),
            Err(e) => return Err(e.at(name.span)),
        };
        let own_name = match (&entry, view) {
            (Entry::Table(t), false) => &t.name,
            (Entry::View(v), true) => &v.name,
            (Entry::Table(t), true) => {
                let e = Error::statement(format!("'{}' is a table, not a view", t.name));
                return Err(e.with_hint("Write DROP TABLE.").at(name.span));
            }
            (Entry::View(v), false) => {
                let e = Error::statement(format!("'{}' is a view, not a table", v.name));
                return Err(e.with_hint("Write DROP VIEW.").at(name.span));
            }
        };
        self.remove(own_name);
        Ok(format!("{what} '{own_name}' dropped"))
    }

    fn show(&self, what: &Show) -> Result<RecordBatch> {
        match what {
            Show::Tables(like) => {
                show::names_like("table name", [self.tables(), self.views()].concat(), like.as_deref())
            }
            Show::Views(like) => show::names_like("view name", self.views(), like.as_deref()),
            Show::Catalogs => show::names("catalog name", vec![CATALOG.into()]),
            Show::Databases => show::names("database name", vec![DATABASE.into()]),
            Show::Functions => show::functions(self),
            Show::Settings => show::settings(&self.settings()),
            Show::Columns(name) => self.describe(name),
            Show::Create(name) => {
                let ddl = match self.entry(&name.value).map_err(|e| e.at(name.span))? {
                    Entry::Table(table) => table.ddl.clone(),
                    Entry::View(view) => view.ddl.clone(),
                };
                show::names("result", vec![ddl])
            }
        }
    }

    fn describe(&self, name: &Name) -> Result<RecordBatch> {
        if let Some(system) = super::SystemTable::ALL.into_iter().find(|s| s.full_name() == name.value) {
            return show::columns_of(&system.columns());
        }
        match self.entry(&name.value).map_err(|e| e.at(name.span))? {
            Entry::Table(table) => show::table(&table),
            Entry::View(view) => show::columns_of(&view.schema),
        }
    }
}
