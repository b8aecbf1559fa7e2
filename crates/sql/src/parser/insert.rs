//! `INSERT INTO` and `INSERT OVERWRITE`.

use sqlparser::tokenizer::Token;
use tidemill_core::{Error, Result, Span};

use super::headings::name_columns;
use super::script::Script;
use super::statement::{Insert, Name};

impl Script<'_> {
    pub(super) fn insert(&mut self) -> Result<Insert> {
        let first = self.index();
        let span = self.here();
        self.expect_word("INSERT")?;
        let overwrite = self.word("OVERWRITE");
        if !overwrite {
            self.expect_word("INTO")?;
        } else {
            self.word("INTO");
        }
        self.word("TABLE");
        let target = self.table_name()?;
        Ok(Insert { overwrite, ..self.insert_into(target, first, span)? })
    }

    /// What follows `CREATE TABLE target .. AS`.
    pub(super) fn rows_for(&mut self, target: Name, span: Span) -> Result<Insert> {
        let first = self.index();
        let end = self.emit.unwrap_or(self.range.end);
        let mut insert = self.insert_into(target, first, span)?;
        name_columns(&mut insert.query, self.source, first..end);
        Ok(insert)
    }

    /// What follows `INSERT INTO target`.
    fn insert_into(&mut self, target: Name, first: usize, span: Span) -> Result<Insert> {
        let behind = self.source.tokens[self.index() - 1].span.start;
        let options = self.hints.remove(&behind).map(|(options, _)| options).unwrap_or_default();
        let partition = if self.word("PARTITION") { self.partition()? } else { vec![] };
        let query_in_parens =
            ["SELECT", "WITH", "VALUES"].iter().any(|w| self.is_word(1, w)) || self.peek_is(1, &Token::LParen);
        let columns =
            if self.peek_is(0, &Token::LParen) && !query_in_parens { self.names_in_parens()? } else { vec![] };
        let query = self.query()?;
        self.on_conflict()?;
        let emit = self.emit_clause()?;
        let text = self.source.text_of(first..self.range.end).to_string();
        let state_ttls = std::mem::take(&mut self.state_ttls);
        let notes = std::mem::take(&mut self.notes);
        Ok(Insert { target, options, overwrite: false, partition, columns, query, emit, state_ttls, notes, text, span })
    }

    /// `ON CONFLICT DO DEDUPLICATE` is what becomes of rows with one key anyway: one of them stays.
    fn on_conflict(&mut self) -> Result<()> {
        let Some(at) = self.conflict.take() else { return Ok(()) };
        let what = at + 3;
        match &self.source.tokens[what].token {
            Token::Word(w) if w.value.eq_ignore_ascii_case("DEDUPLICATE") => Ok(()),
            other => Err(Error::unsupported(format!("ON CONFLICT DO {other} is not supported"))
                .with_hint("ON CONFLICT DO DEDUPLICATE is: of several rows with one key the greatest is written.")
                .at(self.source.span_of(what))),
        }
    }

    /// `(day = '2024-01-31', hour)`: partition columns with the value that all rows have, and those that the query gives.
    fn partition(&mut self) -> Result<Vec<(Name, Option<sqlparser::ast::Expr>)>> {
        let mut columns = vec![];
        self.expect(&Token::LParen)?;
        loop {
            let name = self.name()?;
            let value = if self.token(&Token::Eq) { Some(self.expression()?.0) } else { None };
            columns.push((name, value));
            if !self.token(&Token::Comma) {
                self.expect(&Token::RParen)?;
                return Ok(columns);
            }
        }
    }
}
