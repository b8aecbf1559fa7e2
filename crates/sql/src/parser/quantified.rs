//! Comparisons with many values, in words that DataFusion's planner knows or gets right:
//!
//! - `x IN (VALUES (1), (2))` is `x IN (1, 2)`, `x < ANY (VALUES (1), (2))` is `x < 1 OR x < 2`;
//! - `x < ANY (1, 2)` is the same;
//! - `x < ANY(array)` is `NOT (x >= ALL(array))`, since only ALL knows of NULL within the array;
//! - `x LIKE ANY (a, b)` and `LIKE ANY (ARRAY[a, b])` are `x LIKE a OR x LIKE b`, with ALL `AND` stands between them.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Query, SelectItem, SetExpr,
    Spanned, UnaryOperator, Value,
};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};
use tidemill_core::Error;

use super::forms::word_at;
use super::source::place;

/// `= ANY (VALUES ..)` and `= ANY (1, 2)` behind `left`, which sqlparser takes for a call.
pub(super) fn of_values(parser: &mut Parser, left: &Expr) -> Option<Result<Expr, ParserError>> {
    let op = match parser.peek_token_ref().token {
        Token::Eq | Token::DoubleEq => BinaryOperator::Eq,
        Token::Neq => BinaryOperator::NotEq,
        Token::Lt => BinaryOperator::Lt,
        Token::LtEq => BinaryOperator::LtEq,
        Token::Gt => BinaryOperator::Gt,
        Token::GtEq => BinaryOperator::GtEq,
        _ => return None,
    };
    let all = word_at(parser, 1, "ALL");
    let is_some = word_at(parser, 1, "SOME");
    let quantified = all || is_some || word_at(parser, 1, "ANY");
    if !quantified || parser.peek_nth_token_ref(2).token != Token::LParen || word_at(parser, 3, "SELECT") {
        return None;
    }
    if !word_at(parser, 3, "VALUES") {
        let list = parser.maybe_parse(|p| {
            (0..3).for_each(|_| p.advance_token());
            let values = p.parse_comma_separated(Parser::parse_expr)?;
            p.expect_token(&Token::RParen)?;
            // A single value is an array.
            if values.len() < 2 { Err(ParserError::ParserError("not a list".into())) } else { Ok(values) }
        });
        let joined_by = if all { BinaryOperator::And } else { BinaryOperator::Or };
        let each = |values: Vec<Expr>| values.into_iter().map(|v| binary(left.clone(), op.clone(), v));
        return match list {
            Ok(list) => list.and_then(|values| joined(each(values), joined_by)).map(Ok),
            Err(e) => Some(Err(e)),
        };
    }
    (0..3).for_each(|_| parser.advance_token());
    let query = match parser.parse_query().and_then(|q| parser.expect_token(&Token::RParen).map(|_| q)) {
        Ok(query) => query,
        Err(e) => return Some(Err(e)),
    };
    let (left, right) = (Box::new(left.clone()), Box::new(Expr::Subquery(query)));
    Some(Ok(match all {
        true => Expr::AllOp { left, compare_op: op, right },
        false => Expr::AnyOp { left, compare_op: op, right, is_some },
    }))
}

/// Rewrites the forms above.
pub(super) fn rewrite(expr: &mut Expr) -> ControlFlow<Error> {
    let span = expr.span();
    match expr {
        Expr::InSubquery { expr: of, subquery, negated } => {
            let Some(rows) = plain_values(subquery) else { return ControlFlow::Continue(()) };
            if let Some(made) = in_rows(of, rows, *negated) {
                *expr = made;
            }
        }
        Expr::Exists { subquery, .. } => {
            if let SetExpr::Select(select) = subquery.body.as_mut()
                && select.projection.is_empty()
            {
                select.projection.push(SelectItem::UnnamedExpr(one(span)));
            }
        }
        Expr::AnyOp { left, compare_op, right, .. } => match right.as_ref() {
            Expr::Subquery(query) => {
                if let Some(made) = each(left, compare_op, query, BinaryOperator::Or) {
                    *expr = made;
                }
            }
            _ => {
                let Some(compare_op) = inverse(compare_op) else { return ControlFlow::Continue(()) };
                let all = Expr::AllOp { left: left.clone(), compare_op, right: right.clone() };
                *expr = not(Expr::Nested(Box::new(all)));
            }
        },
        Expr::AllOp { left, compare_op, right } => {
            if let Expr::Subquery(query) = right.as_ref()
                && let Some(made) = each(left, compare_op, query, BinaryOperator::And)
            {
                *expr = made;
            }
        }
        Expr::Like { any, pattern, .. } | Expr::ILike { any, pattern, .. } => {
            let (patterns, joined_by) = match pattern.as_mut() {
                pattern if *any => (written_patterns(pattern), BinaryOperator::Or),
                // sqlparser knows of ANY, and takes ALL and SOME for functions.
                Expr::Function(f) if f.name.to_string().eq_ignore_ascii_case("ALL") => (args(f), BinaryOperator::And),
                Expr::Function(f) if f.name.to_string().eq_ignore_ascii_case("SOME") => (args(f), BinaryOperator::Or),
                _ => return ControlFlow::Continue(()),
            };
            *any = false;
            let likes = patterns.into_iter().map(|one| {
                let mut like = expr.clone();
                if let Expr::Like { pattern, .. } | Expr::ILike { pattern, .. } = &mut like {
                    **pattern = one;
                }
                like
            });
            let Some(made) = joined(likes, joined_by) else {
                let error =
                    Error::unsupported("LIKE ANY takes patterns that are written out: LIKE ANY (ARRAY['a%', 'b%'])");
                return ControlFlow::Break(error.at(place(span)));
            };
            *expr = made;
        }
        _ => {}
    }
    ControlFlow::Continue(())
}

/// The patterns behind ANY.
fn written_patterns(behind: &mut Expr) -> Vec<Expr> {
    match behind {
        Expr::Nested(inner) => match inner.as_mut() {
            Expr::Array(array) => std::mem::take(&mut array.elem),
            other @ Expr::Value(_) => vec![other.clone()],
            _ => vec![],
        },
        Expr::Tuple(patterns) => std::mem::take(patterns),
        _ => vec![],
    }
}

/// The patterns of what was taken for a call.
fn args(call: &Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &call.args else { return vec![] };
    let args = list.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e.clone()),
        _ => None,
    });
    let args = args.collect::<Option<Vec<_>>>().unwrap_or_default();
    match args.as_slice() {
        [Expr::Array(array)] => array.elem.clone(),
        _ => args,
    }
}

/// The rows of a query that is nothing but VALUES.
fn plain_values(query: &Query) -> Option<Vec<Vec<Expr>>> {
    let SetExpr::Values(values) = query.body.as_ref() else { return None };
    let plain =
        query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    plain.then(|| values.rows.iter().map(|row| row.content.clone()).collect())
}

fn in_rows(of: &Expr, rows: Vec<Vec<Expr>>, negated: bool) -> Option<Expr> {
    let Expr::Tuple(row) = of else {
        let list = rows.into_iter().map(only).collect::<Option<_>>()?;
        return Some(Expr::InList { expr: Box::new(of.clone()), list, negated });
    };
    if rows.iter().any(|values| values.len() != row.len()) {
        return None;
    }
    let equal = |values: Vec<Expr>| {
        let pairs = row.iter().zip(values).map(|(a, b)| binary(a.clone(), BinaryOperator::Eq, b));
        pairs.reduce(|a, b| binary_bare(a, BinaryOperator::And, b))
    };
    let any = joined(rows.into_iter().filter_map(equal), BinaryOperator::Or)?;
    Some(if negated { not(any) } else { any })
}

/// The comparison with each of the values.
fn each(left: &Expr, op: &BinaryOperator, query: &Query, joined_by: BinaryOperator) -> Option<Expr> {
    let values = plain_values(query)?.into_iter().map(only).collect::<Option<Vec<_>>>()?;
    joined(values.into_iter().map(|value| binary(left.clone(), op.clone(), value)), joined_by)
}

fn only(mut row: Vec<Expr>) -> Option<Expr> {
    if row.len() == 1 { row.pop() } else { None }
}

fn inverse(op: &BinaryOperator) -> Option<BinaryOperator> {
    Some(match op {
        BinaryOperator::Eq => BinaryOperator::NotEq,
        BinaryOperator::NotEq => BinaryOperator::Eq,
        BinaryOperator::Lt => BinaryOperator::GtEq,
        BinaryOperator::LtEq => BinaryOperator::Gt,
        BinaryOperator::Gt => BinaryOperator::LtEq,
        BinaryOperator::GtEq => BinaryOperator::Lt,
        _ => return None,
    })
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    let nested = |e| Expr::Nested(Box::new(e));
    binary_bare(nested(left), op, nested(right))
}

fn binary_bare(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

fn joined(exprs: impl Iterator<Item = Expr>, op: BinaryOperator) -> Option<Expr> {
    exprs.reduce(|a, b| binary_bare(a, op.clone(), b)).map(|all| Expr::Nested(Box::new(all)))
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) }
}

fn one(span: Span) -> Expr {
    Expr::Value(Value::Number("1".into(), false).with_span(span))
}
