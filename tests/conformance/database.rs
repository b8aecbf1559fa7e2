//! A connection of sqllogictest: one session, whose tables are those of the file.

use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};
use sqlparser::ast::{Distinct, SetExpr};
use tidemill::sql::parser::{self, Statement, StatementKind};
use tidemill::{Output, Session, batch};

use super::standing::StandingView;
use super::tables::Tables;
use super::{Failure, bounded, format, standing, statement};

/// How queries are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In one batch alone: to write the expected answers.
    Batch,
    /// Over tables that end.
    Bounded,
    /// As standing queries.
    Standing,
}

/// A session and its tables.
pub struct Database {
    session: Session,
    tables: Tables,
    mode: Mode,
    views: Vec<StandingView>,
}

impl Database {
    /// An empty one.
    pub fn new(mode: Mode) -> Self {
        Self { session: Session::new(), tables: Tables::default(), mode, views: vec![] }
    }

    async fn statement(&mut self, text: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        if let Some((table, delta)) = statement::changes(&self.session, &self.tables, text).await? {
            let rows = delta.num_rows() as u64;
            let restart = self.tables.change(&table, delta.clone())?;
            for view in &mut self.views {
                match restart {
                    true => view.restart(&self.session, &self.tables).await,
                    false => view.statement(&self.session, &table, &delta).await?,
                }
            }
            return Ok(DBOutput::StatementComplete(rows));
        }
        let statements = parser::parse(text)?;
        let [statement] = statements.as_slice() else { return Err(Failure("one statement at a time".into())) };
        match &statement.kind {
            StatementKind::CreateTable(_) => {
                self.session.catalog().execute(statement, &self.tables).await?;
            }
            StatementKind::Select(_) => return self.query(statement, text).await,
            other => {
                for output in self.session.execute(&format!("{text};")).await? {
                    if let Output::Rows(rows) = output {
                        return Ok(DBOutput::Rows { types: format::types(&rows), rows: format::rows(&rows)? });
                    }
                }
                match other {
                    StatementKind::CreateView(view) if self.mode == Mode::Standing => {
                        let view = StandingView::start(&self.session, &self.tables, &view.name.value).await;
                        self.views.push(view);
                    }
                    StatementKind::Drop { view: true, name, .. } => self.views.retain(|v| v.name() != name.value),
                    StatementKind::Drop { view: false, name, .. } => self.tables.drop(&name.value),
                    _ => {}
                }
            }
        }
        Ok(DBOutput::StatementComplete(0))
    }

    async fn query(&mut self, statement: &Statement, text: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        let StatementKind::Select(select) = &statement.kind else { return Err(Failure("not a query".into())) };
        let ordered = select.query.order_by.is_some();
        // There the order says which rows are the first ones.
        let chosen =
            matches!(select.query.body.as_ref(), SetExpr::Select(s) if matches!(s.distinct, Some(Distinct::On(_))));
        let answer = match self.mode {
            Mode::Batch => batch::answer(&self.session, text).await?,
            Mode::Bounded => bounded::answer(&self.session, text, ordered).await?,
            Mode::Standing => {
                // Without a limit, an order is a matter of whoever shows the rows.
                let mut query = select.query.clone();
                let unlimited = query.limit_clause.is_none() && query.fetch.is_none() && !chosen;
                let incremental = match ordered && unlimited {
                    true => {
                        query.order_by = None;
                        query.to_string()
                    }
                    false => text.to_string(),
                };
                standing::answer(&self.session, &self.tables, text, &incremental).await?
            }
        };
        Ok(DBOutput::Rows { types: format::types(&answer), rows: format::rows(&answer)? })
    }
}

#[async_trait]
impl AsyncDB for Database {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        self.statement(sql.trim().trim_end_matches(';')).await
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        match self.mode {
            Mode::Batch | Mode::Bounded => "bounded",
            Mode::Standing => "standing",
        }
    }
}
