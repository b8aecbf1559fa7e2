//! `ALTER TABLE` and `ALTER VIEW`.

use sqlparser::tokenizer::Token;
use tidemill_core::{Error, Result};

use super::script::Script;
use super::statement::{Alter, Change, CreateTable, Name, Position, StatementKind};

impl Script<'_> {
    pub(super) fn alter(&mut self) -> Result<StatementKind> {
        self.expect_word("ALTER")?;
        let at = self.here();
        let view = match self.peek_word().as_deref() {
            Some("TABLE") => false,
            Some("VIEW") => true,
            Some(word) => {
                return Err(Error::unsupported(format!("ALTER {word} is not supported"))
                    .with_hint("There are ALTER TABLE and ALTER VIEW.")
                    .at(at));
            }
            None => return Err(self.expected("TABLE or VIEW")),
        };
        self.parser.advance_token();
        let if_exists = self.words(&["IF", "EXISTS"]);
        let name = self.table_name()?;
        let change = if self.words(&["RENAME", "TO"]) {
            Change::Rename(self.table_name()?)
        } else if view {
            if !self.word("AS") {
                return Err(self.expected("RENAME TO or AS"));
            }
            let first = self.index();
            let query = Box::new(self.query()?);
            Change::Query(query, self.source.text_of(first..self.range.end).to_string())
        } else {
            self.change_of_table()?
        };
        Ok(StatementKind::Alter(Box::new(Alter { view, name, if_exists, change })))
    }

    fn change_of_table(&mut self) -> Result<Change> {
        let at = self.here();
        if self.word("SET") {
            return self.options().map(Change::Set);
        }
        if self.word("RESET") {
            self.expect(&Token::LParen)?;
            let mut keys = vec![self.option_key()?];
            while self.token(&Token::Comma) {
                keys.push(self.option_key()?);
            }
            self.expect(&Token::RParen)?;
            return Ok(Change::Reset(keys));
        }
        let adds = self.word("ADD");
        if adds || self.word("MODIFY") {
            if self.peek_words(&["PARTITION"]) || self.peek_words(&["IF", "NOT", "EXISTS"]) {
                return Err(Error::unsupported("ALTER TABLE .. ADD PARTITION is not supported")
                    .with_hint("A partition is there when a row is written into it.")
                    .at(self.here()));
            }
            let (parts, positions) = self.parts_of_table()?;
            return Ok(match adds {
                true => Change::Add(Box::new(parts), positions),
                false => Change::Modify(Box::new(parts), positions),
            });
        }
        if self.word("DROP") {
            return self.dropped();
        }
        if self.word("RENAME") {
            self.word("COLUMN");
            let old = self.name()?;
            self.expect_word("TO")?;
            return Ok(Change::RenameColumn { old, new: self.name()? });
        }
        Err(Error::statement("ALTER TABLE has RENAME TO, SET, RESET, ADD, MODIFY, DROP and RENAME").at(at))
    }

    fn dropped(&mut self) -> Result<Change> {
        if self.words(&["PRIMARY", "KEY"]) {
            return Ok(Change::DropKey);
        }
        if self.word("CONSTRAINT") {
            self.name()?;
            return Ok(Change::DropKey);
        }
        if self.word("WATERMARK") {
            return Ok(Change::DropWatermark);
        }
        if self.peek_words(&["PARTITION"]) {
            return Err(Error::unsupported("ALTER TABLE .. DROP PARTITION is not supported")
                .with_hint("Delete its files.")
                .at(self.here()));
        }
        self.word("COLUMN");
        match self.peek_is(0, &Token::LParen) {
            true => self.names_in_parens().map(Change::DropColumns),
            false => Ok(Change::DropColumns(vec![self.name()?])),
        }
    }

    /// Columns, `WATERMARK FOR`, keys: one, or several in parentheses. Each column with its place.
    fn parts_of_table(&mut self) -> Result<(CreateTable, Vec<Position>)> {
        let mut parts = CreateTable::empty(Name { value: String::new(), span: self.here() });
        let mut positions = vec![];
        let several = self.token(&Token::LParen);
        loop {
            if !several {
                self.word("COLUMN");
            }
            let before = parts.columns.as_ref().map_or(0, Vec::len);
            self.table_element(&mut parts)?;
            if parts.columns.as_ref().map_or(0, Vec::len) > before {
                positions.push(if self.word("FIRST") {
                    Position::First
                } else if self.word("AFTER") {
                    Position::After(self.name()?)
                } else {
                    Position::Unsaid
                });
            }
            if !several {
                return Ok((parts, positions));
            }
            if !self.token(&Token::Comma) {
                self.expect(&Token::RParen)?;
                return Ok((parts, positions));
            }
        }
    }
}
