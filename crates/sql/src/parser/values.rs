//! Rows that are written out, where sqlparser or DataFusion knows less of them.
//!
//! - `VALUES (1, (SELECT MAX(a) FROM t)), ..`: rows that ask queries, which DataFusion does not know in `VALUES`, are a `UNION ALL` of a
//!   `SELECT` for each row ([`rewrite`]);
//! - `VALUES 1, 2`: a row of one column may do without its parentheses ([`parenthesised`]).

use sqlparser::ast::{Expr, Ident, SelectItem, SetExpr, SetOperator, SetQuantifier};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::finish::select_all;
use super::own::asks;

/// Puts the parentheses around rows of one column that have none.
pub(super) fn parenthesised(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < tokens.len() {
        if keyword(tokens.get(at)) == Some(Keyword::VALUES) && begins_rows(tokens, at) {
            at = bare_rows(tokens, at + 1);
        }
        at += 1;
    }
}

fn keyword(token: Option<&TokenWithSpan>) -> Option<Keyword> {
    match token.map(|t| &t.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

/// Whether the VALUES at `at` stands where a query begins, with a row behind it that has no parentheses: not a column of that name.
fn begins_rows(tokens: &[TokenWithSpan], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|i| tokens.get(i));
    let query = match before.map(|t| &t.token) {
        None | Some(Token::LParen) => true,
        Some(_) => matches!(keyword(before), Some(Keyword::AS | Keyword::ALL | Keyword::UNION | Keyword::EXCEPT)),
    };
    let next = tokens.get(at + 1);
    let called = matches!(tokens.get(at + 2).map(|t| &t.token), Some(Token::LParen | Token::LBracket));
    query
        && match next.map(|t| &t.token) {
            Some(Token::Number(..) | Token::SingleQuotedString(_)) => true,
            Some(Token::Minus) => matches!(tokens.get(at + 2).map(|t| &t.token), Some(Token::Number(..))),
            Some(Token::Word(word)) => match keyword(next) {
                Some(Keyword::ROW | Keyword::IN | Keyword::OVER | Keyword::AND | Keyword::OR | Keyword::NOT) => false,
                Some(Keyword::NULL | Keyword::TRUE | Keyword::FALSE | Keyword::CASE) => true,
                Some(Keyword::DATE | Keyword::TIME | Keyword::TIMESTAMP | Keyword::INTERVAL) => true,
                _ => called && word.quote_style.is_none(),
            },
            _ => false,
        }
}

/// Puts parentheses around each of the rows from `at` on that has none; gives where the last one ends.
fn bare_rows(tokens: &mut Vec<TokenWithSpan>, mut at: usize) -> usize {
    loop {
        let end = row_end(tokens, at);
        let Some([first, .., last] | [first @ last]) = tokens.get(at..end) else { return at };
        let own = matches!(first.token, Token::LParen) || keyword(Some(first)) == Some(Keyword::ROW);
        let (open, close) =
            (TokenWithSpan::new(Token::LParen, first.span), TokenWithSpan::new(Token::RParen, last.span));
        let mut next = end;
        if !own {
            tokens.insert(end, close);
            tokens.insert(at, open);
            next += 2;
        }
        if !matches!(tokens.get(next).map(|t| &t.token), Some(Token::Comma)) {
            return next - 1;
        }
        at = next + 1;
    }
}

/// Where the row that begins at `at` ends: at a comma, or at the end of the query.
fn row_end(tokens: &[TokenWithSpan], at: usize) -> usize {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(at) {
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket if depth > 0 => depth -= 1,
            Token::RParen | Token::RBracket | Token::SemiColon | Token::EOF => return i,
            Token::Comma if depth == 0 => return i,
            Token::Word(_) if depth == 0 => match keyword(Some(token)) {
                Some(Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS) => return i,
                Some(Keyword::ORDER | Keyword::LIMIT | Keyword::OFFSET | Keyword::FETCH) => return i,
                _ => {}
            },
            _ => {}
        }
    }
    tokens.len()
}

/// Rewrites the `VALUES` of a query.
pub(super) fn rewrite(body: &mut SetExpr) {
    if let SetExpr::SetOperation { left, right, .. } = body {
        rewrite(left);
        rewrite(right);
    }
    let SetExpr::Values(values) = body else { return };
    if !values.rows.iter().any(|row| row.content.iter().any(asks)) {
        return;
    }
    let rows = std::mem::take(&mut values.rows).into_iter().map(|row| select(row.content));
    let both = |left, right| SetExpr::SetOperation {
        op: SetOperator::Union,
        set_quantifier: SetQuantifier::All,
        left: Box::new(left),
        right: Box::new(right),
    };
    if let Some(all) = rows.reduce(both) {
        *body = all;
    }
}

fn select(row: Vec<Expr>) -> SetExpr {
    let mut body = *select_all(vec![]).body;
    if let SetExpr::Select(select) = &mut body {
        // Called as the columns of VALUES are.
        let column = |(i, expr)| SelectItem::ExprWithAlias { expr, alias: Ident::new(format!("column{}", i + 1)) };
        select.projection = row.into_iter().enumerate().map(column).collect();
    }
    body
}
