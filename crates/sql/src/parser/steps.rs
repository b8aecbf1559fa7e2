//! The small steps of the parser of a statement: the next token, a word, a name, an error.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use tidemill_core::{Error, Result, Span};

use super::script::Script;
use super::statement::Name;
use crate::catalog::store::plain_name;

impl Script<'_> {
    /// Runs a parser of sqlparser's.
    pub(super) fn parsed<T>(&mut self, parse: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>) -> Result<T> {
        let result = parse(&mut self.parser);
        result.map_err(|e| self.source.syntax_error(e, self.emit.unwrap_or(self.range.end)))
    }

    /// The index in the source of the next token.
    pub(super) fn index(&self) -> usize {
        // sqlparser tells the index of the token before, which is 0 both before and after the first one.
        let here = self.parser.peek_token_ref().span.start;
        let end = self.emit.unwrap_or(self.range.end);
        (self.range.start..end).find(|i| self.source.tokens[*i].span.start == here).unwrap_or(end)
    }

    /// The place of the next token.
    pub(super) fn here(&self) -> Span {
        self.source.span_of(self.index())
    }

    pub(super) fn peek(&self, n: usize) -> &Token {
        &self.parser.peek_nth_token_ref(n).token
    }

    pub(super) fn peek_is(&self, n: usize, token: &Token) -> bool {
        self.peek(n) == token
    }

    /// The next word in upper case, unless it is quoted.
    pub(super) fn peek_word(&self) -> Option<String> {
        match self.peek(0) {
            Token::Word(w) if w.quote_style.is_none() => Some(w.value.to_ascii_uppercase()),
            _ => None,
        }
    }

    pub(super) fn is_word(&self, n: usize, word: &str) -> bool {
        matches!(self.peek(n), Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    }

    pub(super) fn peek_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(n, word)| self.is_word(n, word))
    }

    /// Takes these words, all or none.
    pub(super) fn words(&mut self, words: &[&str]) -> bool {
        let found = self.peek_words(words);
        if found {
            words.iter().for_each(|_| self.parser.advance_token());
        }
        found
    }

    pub(super) fn word(&mut self, word: &str) -> bool {
        self.words(&[word])
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.word(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    pub(super) fn token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    pub(super) fn expect(&mut self, token: &Token) -> Result<()> {
        if self.token(token) { Ok(()) } else { Err(self.expected(&token.to_string())) }
    }

    pub(super) fn expected(&self, what: &str) -> Error {
        let found = match self.peek(0) {
            Token::EOF => "the end of the statement".to_string(),
            token => token.to_string(),
        };
        Error::statement(format!("expected {what}, found {found}")).at(self.here())
    }

    pub(super) fn at_end(&self) -> bool {
        self.peek_is(0, &Token::EOF)
    }

    /// The statement ends here, and no hint is left over.
    pub(super) fn end(&mut self) -> Result<()> {
        if !self.at_end() {
            return Err(self.expected("the end of the statement, or ';'"));
        }
        match self.hints.values().next() {
            Some((_, span)) => Err(Error::statement("a hint stands behind the name of a table").at(*span)),
            None => Ok(()),
        }
    }

    pub(super) fn name(&mut self) -> Result<Name> {
        let at = self.here();
        match self.peek(0) {
            Token::Word(w) => {
                let value = w.value.clone();
                self.parser.advance_token();
                Ok(Name { value, span: at })
            }
            _ => Err(self.expected("a name")),
        }
    }

    /// `t`, `database.t`. That of a table in the default catalog and database is its name alone.
    pub(super) fn table_name(&mut self) -> Result<Name> {
        let mut name = self.name()?;
        while self.token(&Token::Period) {
            let part = self.name()?;
            name.value = format!("{name}.{part}");
        }
        name.value = plain_name(&name.value).to_string();
        Ok(name)
    }

    pub(super) fn maybe_string(&mut self) -> Option<String> {
        let Token::SingleQuotedString(value) = self.peek(0) else { return None };
        let value = value.clone();
        self.parser.advance_token();
        Some(value)
    }

    pub(super) fn string(&mut self) -> Result<String> {
        self.maybe_string().ok_or_else(|| self.expected("a text in single quotes"))
    }
}
