//! `TABLE t` as a query: `TABLE t EXCEPT TABLE u`, `INSERT INTO t TABLE u`, `WITH x AS (TABLE t) ..`.
//!
//! It is `SELECT * FROM t`, and is written so before the statement is parsed: sqlparser takes two words more for the name of the table.

use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Words behind which a query begins.
const BEFORE: &[&str] = &["EXPLAIN", "VERIFY", "AS", "UNION", "EXCEPT", "INTERSECT", "MINUS"];
/// Words behind which parentheses hold a query.
const BEFORE_PARENTHESES: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "DISTINCT",
    "EXCEPT",
    "EXISTS",
    "FROM",
    "IN",
    "INTERSECT",
    "JOIN",
    "LATERAL",
    "MINUS",
    "NOT",
    "ON",
    "OR",
    "SELECT",
    "SOME",
    "UNION",
    "WHERE",
];

/// Writes each as `SELECT * FROM t`.
pub(super) fn write_out(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < tokens.len() {
        if is_word(tokens.get(at), &["TABLE"])
            && matches!(tokens.get(at + 1).map(|t| &t.token), Some(Token::Word(_)))
            && begins_a_query(tokens, at)
        {
            let span = tokens[at].span;
            let written = [Token::make_keyword("SELECT"), Token::Mul, Token::make_keyword("FROM")];
            tokens.splice(at..=at, written.map(|token| TokenWithSpan::new(token, span)));
        }
        at += 1;
    }
}

/// Whether a query may begin at `at`. `TUMBLE(TABLE t, ..)` is none, nor is `INSERT INTO TABLE t`.
fn begins_a_query(tokens: &[TokenWithSpan], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    let is = |i: usize, words: &[&str]| is_word(tokens.get(i), words);
    match &tokens[before].token {
        Token::LParen => match before.checked_sub(1).map(|i| (i, &tokens[i].token)) {
            None => true,
            Some((i, Token::Word(_))) => is(i, BEFORE_PARENTHESES),
            Some((_, Token::RParen)) => false,
            _ => true,
        },
        // Behind what stands in WITH, or the columns of an INSERT.
        Token::RParen => is(0, &["WITH", "INSERT", "EXPLAIN"]),
        Token::Word(_) if is(before, &["ALL", "DISTINCT"]) => {
            before.checked_sub(1).is_some_and(|i| is(i, &["UNION", "EXCEPT", "INTERSECT", "MINUS"]))
        }
        Token::Word(_) if is(before, BEFORE) => true,
        // Behind the table that is written.
        Token::Word(_) => {
            let within = (0..at).any(|i| is(i, &["SELECT"]));
            is(0, &["INSERT"]) && !within && !is(before, &["INTO", "OVERWRITE"])
        }
        _ => false,
    }
}

fn is_word(token: Option<&TokenWithSpan>, words: &[&str]) -> bool {
    match token.map(|t| &t.token) {
        Some(Token::Word(w)) => w.quote_style.is_none() && words.iter().any(|word| w.value.eq_ignore_ascii_case(word)),
        _ => false,
    }
}
