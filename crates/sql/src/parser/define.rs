//! `CREATE VIEW`, `DROP`, and which of the two a `CREATE` is.

use sqlparser::tokenizer::Token;
use tidemill_core::{Error, Result};

use super::refused;
use super::script::Script;
use super::statement::{CreateTable, CreateView, StatementKind};

impl Script<'_> {
    pub(super) fn create(&mut self) -> Result<StatementKind> {
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
        Err(refused::create(&word).at(what))
    }

    pub(super) fn drop(&mut self) -> Result<StatementKind> {
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
}
