//! `JOIN (SELECT ..) FOR SYSTEM_TIME AS OF o.ts AS t`: sqlparser reads a version only behind the name of a table, so that the query gets a name in
//! `WITH`.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Names each such query, as the last of those in `WITH`.
pub(crate) fn name_queries(tokens: &mut Vec<TokenWithSpan>) {
    let mut count = 0;
    let mut at = 0;
    while at + 2 < tokens.len() {
        at += 1;
        let versioned = tokens[at].token == Token::RParen
            && is(tokens.get(at + 1), Keyword::FOR)
            && is(tokens.get(at + 2), Keyword::SYSTEM_TIME);
        if !versioned {
            continue;
        }
        let (Some(open), Some(select)) = (opening(tokens, at), main_select(tokens)) else { continue };
        if !is_query(tokens.get(open + 1)) || open < select {
            continue;
        }
        count += 1;
        let span = tokens[open].span;
        // What an error says about it reads like a name.
        let name = if count == 1 { "the subquery".to_string() } else { format!("the subquery {count}") };
        let here = |token| TokenWithSpan::new(token, span);
        let name = here(Token::make_word(&name, Some('"')));
        let query: Vec<TokenWithSpan> = tokens.splice(open..=at, [name.clone()]).collect();
        let first = match tokens[..select].iter().any(|t| is(Some(t), Keyword::WITH)) {
            true => here(Token::Comma),
            false => here(Token::make_keyword("WITH")),
        };
        let named = [first, name, here(Token::make_keyword("AS"))].into_iter().chain(query);
        tokens.splice(select..select, named);
    }
}

/// The `SELECT` of the whole statement.
fn main_select(tokens: &[TokenWithSpan]) -> Option<usize> {
    let mut depth = 0;
    tokens.iter().position(|t| {
        match t.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        depth == 0 && is(Some(t), Keyword::SELECT)
    })
}

/// The parenthesis that the one at `close` closes.
fn opening(tokens: &[TokenWithSpan], close: usize) -> Option<usize> {
    let mut depth = 0;
    tokens[..=close].iter().rposition(|t| {
        match t.token {
            Token::RParen => depth += 1,
            Token::LParen => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

fn is_query(token: Option<&TokenWithSpan>) -> bool {
    is(token, Keyword::SELECT) || is(token, Keyword::WITH) || is(token, Keyword::TABLE)
}

fn is(token: Option<&TokenWithSpan>, keyword: Keyword) -> bool {
    matches!(token.map(|t| &t.token), Some(Token::Word(w)) if w.keyword == keyword && w.quote_style.is_none())
}
