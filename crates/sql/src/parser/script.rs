//! A file of statements.

use std::ops::Range;

use sqlparser::ast;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;
use tidemill_core::{Error, Micros, Result, Span};

use super::dialect::Dialect;
use super::finish::{Hints, finish};
use super::forms;
use super::headings::name_columns;
use super::source::Source;
use super::statement::{
    CreateTable, CreateView, EmitClause, ExplainKind, Insert, Name, Select, Show, Statement, StatementKind,
};
use crate::as_of::syntax::plain_as_of;

/// The one catalog.
pub(crate) const CATALOG: &str = "default_catalog";
/// The one database in it.
pub(crate) const DATABASE: &str = "default_database";

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
    pub(super) hints: Hints,
    /// `STATE_TTL('table' = '1 day')`: how long state of a table is kept that nothing touches.
    pub(super) state_ttls: Vec<(String, Micros)>,
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
        let mut tokens = source.tokens[range.start..emit.unwrap_or(range.end)].to_vec();
        plain_as_of(&mut tokens);
        let parser = Parser::new(&Dialect).with_tokens_with_locations(tokens);
        Self { source, parser, range, emit, hints: Hints::new(), state_ttls: vec![] }
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
        let unsupported = |what: &str| Err(Error::unsupported(format!("{what} is not supported")).at(at));
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
                self.word("CATALOG");
                self.table_name().map(StatementKind::Use)
            }
            word @ ("ALTER" | "DELETE" | "UPDATE" | "MERGE" | "TRUNCATE" | "CALL" | "LOAD" | "UNLOAD" | "ADD"
            | "REMOVE" | "ANALYZE" | "COMPILE" | "EXECUTE" | "COPY" | "STOP" | "BEGIN") => unsupported(word),
            _ => Err(self.expected("a statement, such as SELECT, INSERT INTO or CREATE TABLE")),
        }
    }

    fn select(&mut self) -> Result<Select> {
        let mut query = self.query()?;
        name_columns(&mut query, self.source, self.range.start..self.emit.unwrap_or(self.range.end));
        let state_ttls = std::mem::take(&mut self.state_ttls);
        Ok(Select { query, emit: self.emit_clause()?, state_ttls })
    }

    pub(super) fn insert(&mut self) -> Result<Insert> {
        let first = self.index();
        let span = self.here();
        self.expect_word("INSERT")?;
        if self.peek_words(&["OVERWRITE"]) {
            return Err(Error::unsupported("INSERT OVERWRITE is not supported")
                .with_hint("INSERT INTO adds to what is there.")
                .at(self.here()));
        }
        self.expect_word("INTO")?;
        self.word("TABLE");
        let target = self.table_name()?;
        self.insert_into(target, first, span)
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
        if self.peek_words(&["PARTITION"]) {
            return Err(Error::unsupported("INSERT INTO .. PARTITION (..) is not supported")
                .with_hint("Select the partition columns with the others.")
                .at(self.here()));
        }
        let query_in_parens =
            ["SELECT", "WITH", "VALUES"].iter().any(|w| self.is_word(1, w)) || self.peek_is(1, &Token::LParen);
        let columns =
            if self.peek_is(0, &Token::LParen) && !query_in_parens { self.names_in_parens()? } else { vec![] };
        let query = self.query()?;
        let emit = self.emit_clause()?;
        let text = self.source.text_of(first..self.range.end).to_string();
        let state_ttls = std::mem::take(&mut self.state_ttls);
        Ok(Insert { target, options, columns, query, emit, state_ttls, text, span })
    }

    fn create(&mut self) -> Result<StatementKind> {
        self.expect_word("CREATE")?;
        let or_replace = self.words(&["OR", "REPLACE"]);
        let temporary = self.word("TEMPORARY");
        if temporary {
            self.word("SYSTEM");
        }
        let what = self.here();
        if self.word("TABLE") {
            let table = self.create_table()?;
            return Ok(StatementKind::CreateTable(Box::new(CreateTable { or_replace, ..table })));
        }
        if self.word("VIEW") {
            let if_not_exists = self.words(&["IF", "NOT", "EXISTS"]);
            let name = self.table_name()?;
            let columns = if self.peek_is(0, &Token::LParen) { self.names_in_parens()? } else { vec![] };
            if self.word("COMMENT") {
                self.string()?;
            }
            self.expect_word("AS")?;
            let query = self.query()?;
            if let Some(emit) = self.emit {
                return Err(Error::statement("EMIT belongs to the query that is run, not to a view")
                    .at(self.source.span_of(emit)));
            }
            return Ok(StatementKind::CreateView(Box::new(CreateView {
                name,
                columns,
                query,
                if_not_exists,
                or_replace,
            })));
        }
        if self.peek_words(&["DATABASE", "IF", "NOT", "EXISTS"]) {
            self.words(&["DATABASE", "IF", "NOT", "EXISTS"]);
            return self.table_name().map(StatementKind::Use);
        }
        let word = match self.peek_word() {
            Some(word) if word == "MATERIALIZED" => {
                return Err(Error::unsupported("CREATE MATERIALIZED VIEW is not supported yet")
                    .with_hint("CREATE VIEW names a query; INSERT INTO keeps its result.")
                    .at(what));
            }
            Some(word) => word,
            None => return Err(self.expected("TABLE or VIEW")),
        };
        Err(Error::unsupported(format!("CREATE {word} is not supported")).at(what))
    }

    fn drop(&mut self) -> Result<StatementKind> {
        self.expect_word("DROP")?;
        self.word("TEMPORARY");
        let at = self.here();
        let view = match self.peek_word().as_deref() {
            Some("TABLE") => false,
            Some("VIEW") => true,
            Some(word) => return Err(Error::unsupported(format!("DROP {word} is not supported")).at(at)),
            None => return Err(self.expected("TABLE or VIEW")),
        };
        self.parser.advance_token();
        let if_exists = self.words(&["IF", "EXISTS"]);
        Ok(StatementKind::Drop { view, name: self.table_name()?, if_exists })
    }

    fn set(&mut self) -> Result<StatementKind> {
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

    fn show(&mut self) -> Result<Show> {
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

    fn query(&mut self) -> Result<ast::Query> {
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
    fn emit_clause(&mut self) -> Result<EmitClause> {
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

/// Where `EMIT CHANGES` or `EMIT ON WINDOW CLOSE` begins. Cut off before the query is parsed, since to sqlparser `EMIT`
/// could be an alias.
fn find_emit(source: &Source, range: Range<usize>) -> Option<usize> {
    let word = |i: usize, word: &str| {
        i < range.end
            && matches!(&source.tokens[i].token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    };
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
