//! `ASOF JOIN` in a syntax tree: its condition moves to where a relation planner sees it, since DataFusion plans joins
//! without asking anybody.

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Join, JoinConstraint,
    JoinOperator, ObjectName, Spanned, TableAlias, TableFactor, TableVersion, TableWithJoins, Value,
};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};
use tidemill_core::{Error, Result};

use crate::parser::finish::{select_all, table_factor};
use crate::parser::forms::call;
use crate::parser::source::place;

/// The function that stands for a match condition behind a table: first the condition, then what is joined if that is
/// not a table by its name.
const MATCH: &str = "__asof_match";

/// Stand for the match condition of an `ASOF JOIN` that has none: it is in `ON`, or the last column of `USING`. Such a join
/// keeps a left row without a partner only where it says `LEFT`.
const IN_CONSTRAINT: &str = "__asof_inner";
const IN_CONSTRAINT_OF_LEFT: &str = "__asof_left";
/// Stands for the last column of `USING` when the join is bound.
const LAST_OF_USING: &str = "__asof_using";

/// `LEFT ASOF JOIN` and `ASOF LEFT JOIN` as `ASOF JOIN`, and each with a `MATCH_CONDITION`.
pub(crate) fn plain_as_of(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < tokens.len() {
        let left = |at: usize| match (is(tokens.get(at), Keyword::LEFT), is(tokens.get(at + 1), Keyword::OUTER)) {
            (false, _) => 0,
            (true, outer) => 1 + usize::from(outer),
        };
        let before = left(at);
        if is(tokens.get(at + before), Keyword::ASOF) {
            let behind = left(at + before + 1);
            if is(tokens.get(at + before + 1 + behind), Keyword::JOIN) {
                tokens.drain(at + before + 1..at + before + 1 + behind);
                tokens.drain(at..at + before);
                add_condition(tokens, at, before + behind > 0);
            }
        }
        at += 1;
    }
}

fn is(token: Option<&TokenWithSpan>, keyword: Keyword) -> bool {
    matches!(token.map(|t| &t.token), Some(Token::Word(w)) if w.keyword == keyword && w.quote_style.is_none())
}

/// Puts a condition that stands for the one in `ON` or `USING` behind the relation of the `ASOF JOIN` at `at`, if it has none.
fn add_condition(tokens: &mut Vec<TokenWithSpan>, at: usize, left: bool) {
    let mut depth = 0;
    for next in at + 2..tokens.len() {
        match tokens[next].token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return,
            Token::RParen => depth -= 1,
            _ => {}
        }
        let here = |keyword| depth == 0 && is(tokens.get(next), keyword);
        if here(Keyword::MATCH_CONDITION) || here(Keyword::JOIN) {
            return;
        }
        if here(Keyword::ON) || here(Keyword::USING) {
            let name = if left { IN_CONSTRAINT_OF_LEFT } else { IN_CONSTRAINT };
            let span = tokens[next].span;
            let added =
                [Token::make_word("MATCH_CONDITION", None), Token::LParen, Token::make_word(name, None), Token::RParen];
            tokens.splice(next..next, added.map(|token| TokenWithSpan::new(token, span)));
            return;
        }
    }
}

/// Writes the `ASOF JOIN`s among `joins` as left joins, or as inner joins.
///
/// # Errors
/// If one has no `MATCH_CONDITION`, and `ON` does not compare two times.
pub(crate) fn rewrite(joins: &mut [Join]) -> Result<()> {
    for join in joins {
        let JoinOperator::AsOf { match_condition, constraint } = &join.join_operator else { continue };
        let (condition, constraint, outer) = match match_condition {
            Expr::Identifier(name) if name.value == IN_CONSTRAINT || name.value == IN_CONSTRAINT_OF_LEFT => {
                let (condition, constraint) = out_of(constraint.clone(), name.span)?;
                (condition, constraint, name.value == IN_CONSTRAINT_OF_LEFT)
            }
            condition => (condition.clone(), constraint.clone(), true),
        };
        let constraint = match constraint {
            // Without keys all rows are of one key.
            JoinConstraint::None => JoinConstraint::On(Expr::Value(Value::Boolean(true).with_span(condition.span()))),
            other => other,
        };
        join.join_operator = if outer { JoinOperator::Left(constraint) } else { JoinOperator::Inner(constraint) };
        put_behind(&mut join.relation, condition);
    }
    Ok(())
}

/// The condition that is in a constraint, and what is left of that.
fn out_of(constraint: JoinConstraint, span: Span) -> Result<(Expr, JoinConstraint)> {
    let JoinConstraint::On(on) = constraint else {
        return Ok((Expr::Identifier(Ident::with_span(span, LAST_OF_USING)), constraint));
    };
    let mut parts = vec![];
    split(on, &mut parts);
    let compares = |e: &Expr| {
        use BinaryOperator::{Gt, GtEq, Lt, LtEq};
        let literal = |e: &Expr| matches!(e, Expr::Value(_));
        matches!(e, Expr::BinaryOp { left, op: Gt | GtEq | Lt | LtEq, right } if !literal(left) && !literal(right))
    };
    let (mut times, rest): (Vec<Expr>, Vec<Expr>) = parts.into_iter().partition(compares);
    match (times.pop(), times.is_empty()) {
        (Some(condition), true) => {
            let and = |l: Expr, r: Expr| Expr::BinaryOp { left: l.into(), op: BinaryOperator::And, right: r.into() };
            Ok((condition, rest.into_iter().reduce(and).map_or(JoinConstraint::None, JoinConstraint::On)))
        }
        (more, _) => {
            let which = if more.is_none() { "no" } else { "more than one" };
            let message =
                format!("ON of an ASOF JOIN compares a time of each side, and this one has {which} comparison");
            let hint =
                "Write ON l.k = r.k AND l.ts >= r.ts, with one of >=, >, <= and <; or MATCH_CONDITION (l.ts >= r.ts).";
            Err(Error::statement(message).with_hint(hint).at(place(span)))
        }
    }
}

fn split(expr: Expr, parts: &mut Vec<Expr>) {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            split(*left, parts);
            split(*right, parts);
        }
        Expr::Nested(inner) => split(*inner, parts),
        other => parts.push(other),
    }
}

/// Whether a condition is that of an `ASOF JOIN .. USING (k, ts)`: the right row with the last time at or before that of the left.
pub(super) fn is_last_of_using(condition: &Expr) -> bool {
    matches!(condition, Expr::Identifier(name) if name.value == LAST_OF_USING)
}

fn put_behind(relation: &mut TableFactor, condition: Expr) {
    match relation {
        TableFactor::Table { version: version @ None, args: None, .. } => {
            *version = Some(TableVersion::Function(call(MATCH, condition.span(), [condition])));
        }
        relation => {
            let alias = take_alias(relation);
            let span = condition.span();
            let whole = TableWithJoins { relation: relation.clone(), joins: vec![] };
            let query = Expr::Subquery(Box::new(select_all(vec![whole])));
            let name = ObjectName::from(vec![Ident::with_span(span, MATCH)]);
            *relation = table_factor(name, vec![]);
            if let TableFactor::Table { version, alias: own, .. } = relation {
                *version = Some(TableVersion::Function(call(MATCH, span, [condition, query])));
                *own = alias;
            }
        }
    }
}

/// The condition that [`rewrite`] put behind a table, and what is joined if that is not the table named.
pub(crate) fn condition(version: &TableVersion) -> Option<(&Expr, Option<&Expr>)> {
    let TableVersion::Function(Expr::Function(Function { name, args: FunctionArguments::List(list), .. })) = version
    else {
        return None;
    };
    let arg = |i: usize| match list.args.get(i) {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))) => Some(expr),
        _ => None,
    };
    if name.to_string() != MATCH { None } else { Some((arg(0)?, arg(1))) }
}

fn take_alias(relation: &mut TableFactor) -> Option<TableAlias> {
    match relation {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::NestedJoin { alias, .. }
        | TableFactor::UNNEST { alias, .. } => alias.take(),
        _ => None,
    }
}
