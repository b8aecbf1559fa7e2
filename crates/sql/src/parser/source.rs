//! The text of a file: its tokens, and the way from a token back to the text.

use std::ops::Range;

use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, Span as TokenSpan, Token, TokenWithSpan, Tokenizer, Whitespace};
use tidemill_core::{Error, Result, Span};

use super::dialect::Dialect;

/// A text with its tokens.
#[derive(Debug)]
pub struct Source<'a> {
    text: &'a str,
    /// Byte offset of the beginning of each line.
    lines: Vec<usize>,
    /// Everything but white space and comments.
    pub tokens: Vec<TokenWithSpan>,
    /// The comments that are hints, `/*+ .. */`, each with the index of the token it stands before.
    pub hints: Vec<(usize, String, Span)>,
}

impl<'a> Source<'a> {
    /// Reads the tokens of `text`.
    pub fn new(text: &'a str) -> Result<Self> {
        let all = Tokenizer::new(&Dialect, text)
            .tokenize_with_location()
            .map_err(|e| Error::statement(sentence(&e.message)).at(Span::new(e.location.line, e.location.column, 1)))?;
        let (mut tokens, mut hints) = (vec![], vec![]);
        for token in all {
            match token.token {
                Token::Whitespace(Whitespace::MultiLineComment(comment)) => {
                    if let Some(hint) = comment.strip_prefix('+') {
                        hints.push((
                            tokens.len(),
                            hint.to_string(),
                            Span::new(token.span.start.line, token.span.start.column, 3),
                        ));
                    }
                }
                Token::Whitespace(_) => {}
                _ => {
                    if token.token == Token::LParen {
                        drop_materialized(&mut tokens);
                    }
                    tokens.push(token);
                }
            }
        }
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Ok(Self { text, lines, tokens, hints })
    }

    /// The text of the tokens in `range`.
    pub fn text_of(&self, range: Range<usize>) -> &'a str {
        match (self.tokens.get(range.start), self.tokens.get(range.end.saturating_sub(1))) {
            (Some(first), Some(last)) if range.start < range.end => self.slice(first.span.start, last.span.end),
            _ => "",
        }
    }

    /// The text from one place to another.
    pub fn slice(&self, from: Location, to: Location) -> &'a str {
        self.text.get(self.offset(from)..self.offset(to)).unwrap_or("")
    }

    /// The place of the token at `index`, or the end of the text.
    pub fn span_of(&self, index: usize) -> Span {
        match self.tokens.get(index) {
            Some(token) => self.span(token.span),
            None => self.tokens.last().map_or(Span::new(1, 1, 1), |t| {
                let end = t.span.end;
                Span::new(end.line, end.column.max(2) - 1, 1)
            }),
        }
    }

    /// A place of the text as errors name it. What goes over several lines is shown up to the end of the first.
    pub fn span(&self, span: TokenSpan) -> Span {
        let len = self.slice(span.start, span.end).lines().next().map_or(1, |line| line.chars().count());
        Span::new(span.start.line, span.start.column, len as u64)
    }

    /// What sqlparser found wrong. `end` is shown where it ran out of tokens.
    pub fn syntax_error(&self, error: ParserError, end: usize) -> Error {
        let message = match error {
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
            ParserError::RecursionLimitExceeded => "the statement is nested too deeply".into(),
        };
        // The only way that sqlparser tells a place: at the end of its message.
        if message.contains("found: EXCLUDE") {
            let span = self
                .tokens
                .iter()
                .find(|t| matches!(&t.token, Token::Word(w) if w.value.eq_ignore_ascii_case("EXCLUDE")));
            let error =
                Error::statement("EXCLUDE at the end of a frame leaves out CURRENT ROW, GROUP, TIES or NO OTHERS");
            return error.at(span.map_or(self.span_of(end), |t| self.span(t.span)));
        }
        let (message, location) = match message.rsplit_once(" at Line: ") {
            Some((message, location)) => (message, parse_location(location)),
            None => (message.as_str(), None),
        };
        let at = location.and_then(|at| self.tokens.iter().position(|t| t.span.start == at));
        if message.starts_with("No infix parser for token")
            && let Some(token) = at.and_then(|at| self.tokens.get(at))
        {
            return Error::statement(format!("there is no operator '{}'", token.token)).at(self.span(token.span));
        }
        Error::statement(sentence(message)).at(self.span_of(at.unwrap_or(end)))
    }

    fn offset(&self, at: Location) -> usize {
        let Some(start) = self.lines.get((at.line as usize).saturating_sub(1)) else { return self.text.len() };
        let rest = &self.text[*start..];
        let column = (at.column as usize).saturating_sub(1);
        start + rest.char_indices().nth(column).map_or(rest.len(), |(i, _)| i)
    }
}

/// Takes `[NOT] MATERIALIZED` behind `AS` away: how a common table expression is computed is not for the query to say.
fn drop_materialized(before_parenthesis: &mut Vec<TokenWithSpan>) {
    let word = |back: usize, word: &str| {
        let at = before_parenthesis.len().checked_sub(back).and_then(|i| before_parenthesis.get(i));
        matches!(at.map(|t| &t.token), Some(Token::Word(w)) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    };
    if word(1, "MATERIALIZED") {
        let words = if word(2, "NOT") { 2 } else { 1 };
        if word(words + 1, "AS") {
            before_parenthesis.truncate(before_parenthesis.len() - words);
        }
    }
}

/// `3, Column: 8`.
fn parse_location(text: &str) -> Option<Location> {
    let (line, column) = text.split_once(", Column: ")?;
    Some(Location { line: line.parse().ok()?, column: column.parse().ok()? })
}

/// sqlparser's messages in our style: `expected X, found Y`.
fn sentence(message: &str) -> String {
    let message = message.replace("Expected: ", "expected ").replace("found: EOF", "found the end of the statement");
    let message = message.replace("found: ", "found ");
    let mut chars = message.trim().chars();
    match chars.next() {
        Some(first) if chars.as_str().starts_with(|c: char| c.is_lowercase()) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => message,
    }
}

/// A place of sqlparser's as errors name it, where the text is not at hand.
pub fn place(span: TokenSpan) -> Span {
    let len = if span.start.line == span.end.line { span.end.column.saturating_sub(span.start.column) } else { 1 };
    Span::new(span.start.line.max(1), span.start.column.max(1), len)
}
