//! `SET`, `SHOW`, and the one database that there is.

use sqlparser::tokenizer::Token;
use tidemill_core::{Error, Result};

use super::script::Script;
use super::statement::{Name, Show, StatementKind};

/// The one catalog.
pub(crate) const CATALOG: &str = "default_catalog";
/// The one database in it.
pub(crate) const DATABASE: &str = "default_database";

impl Script<'_> {
    pub(super) fn set(&mut self) -> Result<StatementKind> {
        self.expect_word("SET")?;
        if self.at_end() {
            return Ok(StatementKind::ShowSet);
        }
        let key = self.option_key()?;
        self.expect(&Token::Eq)?;
        if let Some(value) = self.maybe_string() {
            return Ok(StatementKind::Set { key, value });
        }
        if self.at_end() {
            return Err(self.expected("a value"));
        }
        let value = self.source.text_of(self.index()..self.range.end).to_string();
        while !self.at_end() {
            self.parser.advance_token();
        }
        Ok(StatementKind::Set { key, value })
    }

    pub(super) fn show(&mut self) -> Result<Show> {
        self.expect_word("SHOW")?;
        let at = self.here();
        if self.word("TABLES") {
            self.like_pattern().map(Show::Tables)
        } else if self.word("VIEWS") {
            self.like_pattern().map(Show::Views)
        } else if self.word("CATALOGS") || self.words(&["CURRENT", "CATALOG"]) {
            Ok(Show::Catalogs)
        } else if self.word("DATABASES") || self.words(&["CURRENT", "DATABASE"]) {
            Ok(Show::Databases)
        } else if self.words(&["USER", "FUNCTIONS"]) || self.word("FUNCTIONS") {
            Ok(Show::Functions)
        } else if self.word("SETTINGS") {
            Ok(Show::Settings)
        } else if self.word("COLUMNS") {
            if !self.word("IN") {
                self.expect_word("FROM")?;
            }
            self.table_name().map(Show::Columns)
        } else if self.words(&["CREATE", "TABLE"]) || self.words(&["CREATE", "VIEW"]) {
            self.table_name().map(Show::Create)
        } else {
            Err(Error::unsupported("SHOW has TABLES, VIEWS, FUNCTIONS, SETTINGS, COLUMNS FROM and CREATE TABLE").at(at))
        }
    }

    /// `[FROM database] [LIKE 'pattern']`.
    fn like_pattern(&mut self) -> Result<Option<String>> {
        if self.word("FROM") || self.word("IN") {
            one_database(&self.table_name()?)?;
        }
        match self.word("LIKE") {
            true => self.string().map(Some),
            false => Ok(None),
        }
    }
}

/// Refuses every catalog and database but those that there are.
pub(crate) fn one_database(name: &Name) -> Result<()> {
    match name.value.as_str() {
        CATALOG | DATABASE => Ok(()),
        both if both.split_once('.') == Some((CATALOG, DATABASE)) => Ok(()),
        _ => Err(Error::statement(format!("there is no catalog or database '{name}'"))
            .with_hint(format!("All tables are in the database {DATABASE} of the catalog {CATALOG}."))
            .at(name.span)),
    }
}
