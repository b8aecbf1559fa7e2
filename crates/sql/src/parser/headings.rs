//! The names of a result's columns that have none: as they were written.
//!
//! DataFusion would name `CAST(a AS STRING)` like `a`, and `1` like `Int64(1)`. Only for what a person reads: the columns
//! of a query that is a statement, not those of views and subqueries.

use std::ops::Range;

use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, SelectItem, Spanned};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Word};

use super::ordered::{as_written, is_made};
use super::source::Source;
use crate::functions::excluding::is_excluding;

/// Names the columns of `query`, whose tokens are within `range`.
pub(super) fn name_columns(query: &mut Query, source: &Source, range: Range<usize>) {
    let Some(select) = as_written(query) else { return };
    let begin = select.select_token.0.span.start;
    let Some(begin) = range.clone().find(|i| source.tokens[*i].span.start == begin) else { return };
    let items = items(source, begin + 1..range.end);
    if items.len() != select.projection.iter().filter(|item| !is_made(item)).count() {
        return;
    }
    let mut named = vec![];
    for (item, tokens) in select.projection.iter_mut().zip(items) {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        if !needs_name(expr) {
            continue;
        }
        let text = source.text_of(tokens).split_whitespace().collect::<Vec<_>>().join(" ");
        // The second of one name is numbered later, like others.
        if named.contains(&text) {
            continue;
        }
        named.push(text.clone());
        let alias = Ident::with_quote_and_span('`', expr.span(), text);
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

/// Whether DataFusion's name would not be what was written: not so for columns, and calls with columns.
fn needs_name(expr: &Expr) -> bool {
    let column = |e: &Expr| matches!(e, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
    match expr {
        Expr::Function(function) if is_excluding(&function.name.to_string()) => true,
        Expr::Function(function) => match &function.args {
            FunctionArguments::List(list) => !list.args.iter().all(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => column(e),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => true,
                _ => false,
            }),
            _ => false,
        },
        other => !column(other),
    }
}

/// The tokens of each item of a `SELECT`, the first of which begins at `range`.
fn items(source: &Source, mut range: Range<usize>) -> Vec<Range<usize>> {
    let keyword = |i: usize| match &source.tokens[i].token {
        Token::Word(Word { keyword, quote_style: None, .. }) => *keyword,
        _ => Keyword::NoKeyword,
    };
    if range.start < range.end && matches!(keyword(range.start), Keyword::DISTINCT | Keyword::ALL) {
        range.start += 1;
    }
    let mut items = vec![];
    let (mut begin, mut depth) = (range.start, 0);
    for i in range.clone() {
        match &source.tokens[i].token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth -= 1,
            Token::Comma if depth == 0 => {
                items.push(begin..i);
                begin = i + 1;
            }
            _ => {}
        }
        // `a IS DISTINCT FROM b`
        let compares = i > begin && keyword(i) == Keyword::FROM && keyword(i - 1) == Keyword::DISTINCT;
        let ends = matches!(
            keyword(i),
            Keyword::FROM
                | Keyword::WHERE
                | Keyword::GROUP
                | Keyword::HAVING
                | Keyword::ORDER
                | Keyword::LIMIT
                | Keyword::OFFSET
                | Keyword::FETCH
                | Keyword::UNION
                | Keyword::WINDOW
        );
        if depth < 0 || (depth == 0 && ends && !compares) {
            items.push(begin..i);
            return items;
        }
    }
    items.push(begin..range.end);
    items
}
