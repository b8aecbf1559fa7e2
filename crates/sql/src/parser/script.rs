//! A file of statements.

use std::ops::Range;

use sqlparser::ast;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;
use tidemill_core::{Error, Micros, Result};

use super::dialect::Dialect;
use super::excludes;
use super::finish::{Hints, finish};
use super::forms;
use super::headings::name_columns;
use super::refused;
use super::source::Source;
use super::statement::{EmitClause, ExplainKind, Select, Statement, StatementKind};
use super::table_query;
use super::using_alias::named_using;
use super::values;
use crate::as_of::subquery::name_queries;
use crate::as_of::syntax::plain_as_of;

/// The statements of `text`. Places in them and in errors are places of the whole text.
pub fn parse(text: &str) -> Result<Vec<Statement>> {
    let source = Source::new(text)?;
    let mut statements = vec![];
    let mut at = 0;
    while at < source.tokens.len() {
        let end = next_end(&source, at);
        if end > at {
            let (statement, next) = statement(&source, at..end)?;
            let rows = match &statement.kind {
                StatementKind::CreateTable(table) => table.as_select.clone(),
                _ => None,
            };
            let rows = rows.map(|insert| Statement { kind: StatementKind::Insert(insert), ..statement.clone() });
            statements.push(statement);
            statements.extend(rows);
            at = next;
        }
        at += 1;
    }
    Ok(statements)
}

/// One expression, for columns whose text is kept.
pub fn parse_expression(text: &str) -> Result<ast::Expr> {
    let source = Source::new(text)?;
    let mut script = Script::new(&source, 0..source.tokens.len())?;
    let (expr, _) = script.expression()?;
    script.end()?;
    Ok(expr)
}

/// Where the statement that begins at `at` ends: its semicolon, or the end of the text.
fn next_end(source: &Source, at: usize) -> usize {
    let rest = source.tokens[at..].iter().position(|t| t.token == Token::SemiColon);
    rest.map_or(source.tokens.len(), |i| at + i)
}

/// The statement in `range`, and where it ends: a statement set goes over several semicolons.
fn statement(source: &Source, range: Range<usize>) -> Result<(Statement, usize)> {
    let mut script = Script::new(source, range.clone())?;
    let explain = script.explain()?;
    let verify = if explain.is_none() { script.verify()? } else { None };
    let first = script.index();
    let (kind, end) =
        if script.words(&["EXECUTE", "STATEMENT", "SET", "BEGIN"]) || script.words(&["STATEMENT", "SET", "BEGIN"]) {
            statement_set(source, script.index(), range.start)?
        } else if script.words(&["BEGIN", "STATEMENT", "SET"]) {
            script.end()?;
            statement_set(source, range.end + 1, range.start)?
        } else {
            let kind = script.statement()?;
            script.end()?;
            (kind, range.end)
        };
    let whole =
        |kind, from| Statement { kind, text: source.text_of(from..end).to_string(), span: source.span_of(from) };
    let inner = whole(kind, first);
    let statement = match explain {
        None => match verify {
            None => inner,
            Some(_) if !matches!(inner.kind, StatementKind::Select(_)) => {
                return Err(Error::statement("VERIFY is for a query")
                    .with_hint("Write VERIFY SELECT ..")
                    .at(inner.span));
            }
            Some((runs, seed)) => whole(StatementKind::Verify { runs, seed, statement: Box::new(inner) }, range.start),
        },
        Some(kind) => {
            if !matches!(
                inner.kind,
                StatementKind::Select(_) | StatementKind::Insert(_) | StatementKind::StatementSet(_)
            ) {
                return Err(Error::statement("EXPLAIN is for a query, an INSERT or a STATEMENT SET").at(inner.span));
            }
            whole(StatementKind::Explain { kind, statement: Box::new(inner) }, range.start)
        }
    };
    Ok((statement, end))
}

/// The inserts from `at` on, up to `END`.
fn statement_set(source: &Source, mut at: usize, begin: usize) -> Result<(StatementKind, usize)> {
    let mut inserts = vec![];
    while at < source.tokens.len() {
        let end = next_end(source, at);
        let mut script = Script::new(source, at..end)?;
        if script.word("END") {
            script.end()?;
            if inserts.is_empty() {
                return Err(Error::statement("the STATEMENT SET is empty").at(source.span_of(begin)));
            }
            return Ok((StatementKind::StatementSet(inserts), end));
        }
        if end > at {
            if !script.peek_words(&["INSERT"]) {
                return Err(script.expected("INSERT INTO or END"));
            }
            inserts.push(script.insert()?);
            script.end()?;
        }
        at = end + 1;
    }
    Err(Error::statement("the STATEMENT SET has no END").at(source.span_of(begin)))
}

/// The parser of one statement, with what it needs beside sqlparser's.
pub(super) struct Script<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) parser: Parser<'a>,
    pub(super) range: Range<usize>,
    /// The token at which `EMIT ..` begins.
    pub(super) emit: Option<usize>,
    /// The token at which `ON CONFLICT DO ..` of an INSERT begins.
    pub(super) conflict: Option<usize>,
    pub(super) hints: Hints,
    /// `STATE_TTL('table' = '1 day')`: how long state of a table is kept that nothing touches.
    pub(super) state_ttls: Vec<(String, Micros)>,
    /// What hints say that has no effect.
    pub(super) notes: Vec<String>,
}

impl<'a> Script<'a> {
    fn new(source: &'a Source<'a>, range: Range<usize>) -> Result<Self> {
        let mut script = Self::over(source, range);
        script.read_hints()?;
        Ok(script)
    }

    /// Over the tokens of `range`, hints aside.
    pub(super) fn over(source: &'a Source<'a>, range: Range<usize>) -> Self {
        let emit = find_emit(source, range.clone());
        let end = emit.unwrap_or(range.end);
        let conflict = find_conflict(source, range.start..end);
        let mut tokens = source.tokens[range.start..conflict.unwrap_or(end)].to_vec();
        name_queries(&mut tokens);
        plain_as_of(&mut tokens);
        named_using(&mut tokens);
        excludes::mark(&mut tokens);
        values::parenthesised(&mut tokens);
        table_query::write_out(&mut tokens);
        let parser = Parser::new(&Dialect).with_tokens_with_locations(tokens);
        Self { source, parser, range, emit, conflict, hints: Hints::new(), state_ttls: vec![], notes: vec![] }
    }

    /// `EXPLAIN [kind] [PLAN FOR]`, if the statement begins with it.
    fn explain(&mut self) -> Result<Option<ExplainKind>> {
        if !self.word("EXPLAIN") {
            return Ok(None);
        }
        let at = self.here();
        let kinds = [
            ("LOGICAL", ExplainKind::Logical),
            ("STREAM", ExplainKind::Stream),
            ("STATE", ExplainKind::State),
            ("WATERMARK", ExplainKind::Watermark),
        ];
        let kind = kinds.into_iter().find(|(word, _)| self.word(word)).map_or(ExplainKind::Default, |(_, kind)| kind);
        if self.word("PLAN") {
            self.expect_word("FOR")?;
        }
        // Details that Flink's plan may have: the plan here has what there is to say.
        while ["ESTIMATED_COST", "CHANGELOG_MODE", "JSON_EXECUTION_PLAN", "PLAN_ADVICE"].iter().any(|w| self.word(w)) {
            self.token(&Token::Comma);
        }
        if self.word("ANALYZE") {
            return Err(Error::unsupported("EXPLAIN has LOGICAL, STREAM, STATE and WATERMARK").at(at));
        }
        Ok(Some(kind))
    }

    /// `VERIFY [runs] [SEED seed]`, if the statement begins with it.
    fn verify(&mut self) -> Result<Option<(Option<u64>, Option<u64>)>> {
        if !self.word("VERIFY") {
            return Ok(None);
        }
        let runs = self.maybe_number()?;
        let seed = match self.word("SEED") {
            true => Some(self.maybe_number()?.ok_or_else(|| self.expected("a whole number"))?),
            false => None,
        };
        Ok(Some((runs, seed)))
    }

    fn maybe_number(&mut self) -> Result<Option<u64>> {
        let Token::Number(digits, _) = self.peek(0) else { return Ok(None) };
        let number = digits.parse().map_err(|_| self.expected("a whole number"))?;
        self.parser.advance_token();
        Ok(Some(number))
    }

    fn statement(&mut self) -> Result<StatementKind> {
        let at = self.here();
        match self.peek_word().unwrap_or_default().as_str() {
            "SELECT" | "WITH" | "VALUES" | "TABLE" | "" => self.select().map(|s| StatementKind::Select(Box::new(s))),
            "INSERT" => self.insert().map(|i| StatementKind::Insert(Box::new(i))),
            "CREATE" => self.create(),
            "DROP" => self.drop(),
            "SET" => self.set(),
            "RESET" => {
                self.word("RESET");
                Ok(StatementKind::Reset(if self.at_end() { None } else { Some(self.option_key()?) }))
            }
            "SHOW" => self.show().map(StatementKind::Show),
            "DESCRIBE" | "DESC" => {
                self.parser.advance_token();
                self.word("EXTENDED");
                self.table_name().map(StatementKind::Describe)
            }
            "USE" => {
                self.parser.advance_token();
                if self.peek_words(&["MODULES"]) {
                    return Err(Error::unsupported("USE MODULES is not supported")
                        .with_hint("All functions are there: SHOW FUNCTIONS lists them.")
                        .at(at));
                }
                self.word("CATALOG");
                self.table_name().map(StatementKind::Use)
            }
            "ALTER" => self.alter(),
            word => match refused::statement(word) {
                Some(error) => Err(error.at(at)),
                None => Err(self.expected("a statement, such as SELECT, INSERT INTO or CREATE TABLE")),
            },
        }
    }

    fn select(&mut self) -> Result<Select> {
        let mut query = self.query()?;
        name_columns(&mut query, self.source, self.range.start..self.emit.unwrap_or(self.range.end));
        let state_ttls = std::mem::take(&mut self.state_ttls);
        let notes = std::mem::take(&mut self.notes);
        Ok(Select { query, emit: self.emit_clause()?, state_ttls, notes })
    }

    pub(super) fn query(&mut self) -> Result<ast::Query> {
        let mut query = self.parsed(|p| p.parse_query())?;
        if self.at_end() {
            finish(query.as_mut(), &mut self.hints)?;
        }
        Ok(*query)
    }

    /// An expression and its text.
    pub(super) fn expression(&mut self) -> Result<(ast::Expr, String)> {
        let first = self.index();
        let mut expr = self.parsed(|p| p.parse_expr())?;
        finish(&mut expr, &mut self.hints)?;
        Ok((expr, self.source.text_of(first..self.index()).to_string()))
    }

    /// What follows the query.
    pub(super) fn emit_clause(&mut self) -> Result<EmitClause> {
        let Some(emit) = self.emit else { return Ok(EmitClause::Default) };
        self.end()?;
        let tokens = self.source.tokens[emit..self.range.end].to_vec();
        self.parser = Parser::new(&Dialect).with_tokens_with_locations(tokens);
        self.range.start = emit;
        self.emit = None;
        self.expect_word("EMIT")?;
        if self.words(&["ON", "WINDOW", "CLOSE"]) {
            return Ok(EmitClause::OnWindowClose);
        }
        self.expect_word("CHANGES")?;
        if !self.word("EVERY") {
            return Ok(EmitClause::Changes { every: None });
        }
        let at = self.here();
        let length = self.parsed(forms::interval_length)?;
        match length.micros() {
            Some(every) if every >= 0 => Ok(EmitClause::Changes { every: Some(every) }),
            _ => Err(Error::statement(
                "EMIT CHANGES EVERY needs an interval of a fixed length, such as INTERVAL '1' SECOND",
            )
            .at(at)),
        }
    }
}

/// Where `EMIT CHANGES` or `EMIT ON WINDOW CLOSE` begins. Cut off before the query is parsed, since to sqlparser `EMIT`
/// could be an alias.
fn find_emit(source: &Source, range: Range<usize>) -> Option<usize> {
    let word = |i: usize, word: &str| i < range.end && is_word(&source.tokens[i].token, word);
    let mut depth = 0;
    for i in range.clone() {
        match &source.tokens[i].token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            Token::Word(_)
                if depth == 0
                    && word(i, "EMIT")
                    && (word(i + 1, "CHANGES") || (word(i + 1, "ON") && word(i + 2, "WINDOW"))) =>
            {
                return Some(i);
            }
            _ => {}
        }
    }
    None
}

/// Where `ON CONFLICT DO ..` begins, with which an INSERT ends. To sqlparser `ON` could be an alias.
fn find_conflict(source: &Source, range: Range<usize>) -> Option<usize> {
    let tokens = &source.tokens[range.clone()];
    let start = tokens.len().checked_sub(4)?;
    let clause = ["ON", "CONFLICT", "DO"].iter().zip(&tokens[start..]);
    let found = clause.into_iter().all(|(word, at)| is_word(&at.token, word));
    let inserts = || tokens.iter().any(|at| is_word(&at.token, "INSERT"));
    (found && inserts()).then_some(range.start + start)
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}
