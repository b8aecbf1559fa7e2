//! Grouping sets in all the ways of writing them, as those that DataFusion plans: `ROLLUP`, `CUBE` and `GROUPING SETS` of
//! plain expressions.
//!
//! - `GROUP BY a, b WITH ROLLUP` and `WITH CUBE` are `ROLLUP (a, b)` and `CUBE (a, b)`; `GROUP BY a, b GROUPING SETS ((a), (b))` are these
//!   sets (DataFusion drops all three in silence);
//! - `GROUPING SETS (ROLLUP (a, b), GROUPING SETS ((c)))` and `ROLLUP (a, (b, c))` are written out, set by set;
//! - a number in a set is a place in the SELECT list, as it is outside of sets; in either, one past the end of the list, or that
//!   of an aggregate, can only be meant as a constant (DataFusion groups by the aggregate, or refuses);
//! - what a set names twice (`GROUPING SETS ((a, a))`, `CUBE (a, a)`) groups once: DataFusion would have two columns of one name;
//! - `GROUP_ID()`, which numbers the sets that are the same, is 0 where each stands once, and refused where one does not.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{CastKind, DataType, Expr, GroupByExpr, GroupByWithModifier, Select, SelectItem, Spanned, Value};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use tidemill_core::{Error, Span};

use super::distinct_on::ordinal;
use super::forms::word_at;
use super::having::has_known_aggregate;
use super::source::place;
use super::walk::any_expression;

type Sets = Vec<Vec<Expr>>;

/// `CUBE` of more columns than these would be more sets than anybody means.
const MOST_OF_A_CUBE: usize = 12;

/// `ROLLUP (..)`, `CUBE (..)` or `GROUPING SETS (..)` as one of the sets of another.
pub(super) fn prefix(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let of: fn(Sets) -> Expr = match &parser.peek_token_ref().token {
        Token::Word(word) if word.quote_style.is_none() => match word.keyword {
            Keyword::ROLLUP => Expr::Rollup,
            Keyword::CUBE => Expr::Cube,
            Keyword::GROUPING if word_at(parser, 1, "SETS") => Expr::GroupingSets,
            _ => return None,
        },
        _ => return None,
    };
    let words = if word_at(parser, 0, "GROUPING") { 2 } else { 1 };
    if parser.peek_nth_token_ref(words).token != Token::LParen {
        return None;
    }
    (0..=words).for_each(|_| parser.advance_token());
    let sets = parser.parse_comma_separated(set);
    Some(sets.and_then(|sets| parser.expect_token(&Token::RParen).map(|_| of(sets))))
}

/// `a`, `(a, b)` or `()`.
fn set(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(vec![parser.parse_expr()?]);
    }
    if parser.consume_token(&Token::RParen) {
        return Ok(vec![]);
    }
    let set = parser.parse_comma_separated(Parser::parse_expr)?;
    parser.expect_token(&Token::RParen)?;
    Ok(set)
}

/// Rewrites the groups of a SELECT.
pub(super) fn rewrite(select: &mut Select) -> ControlFlow<Error> {
    let group_id = place_of_group_id(select);
    let Select { group_by: GroupByExpr::Expressions(groups, modifiers), projection, .. } = select else {
        return ControlFlow::Continue(());
    };
    for modifier in modifiers.drain(..) {
        let each = |groups: &mut Vec<Expr>| groups.drain(..).map(|g| vec![g]).collect();
        *groups = match modifier {
            GroupByWithModifier::Rollup => vec![Expr::Rollup(each(groups))],
            GroupByWithModifier::Cube => vec![Expr::Cube(each(groups))],
            GroupByWithModifier::GroupingSets(sets) => vec![sets],
            GroupByWithModifier::Totals => {
                let error = Error::unsupported("WITH TOTALS is not supported")
                    .with_hint("GROUP BY a, b WITH ROLLUP has the totals of all rows too.");
                return ControlFlow::Break(match groups.first() {
                    Some(group) => error.at(place(group.span())),
                    None => error,
                });
            }
        };
    }
    constants(groups, projection);
    for group in groups.iter_mut() {
        let (Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets)) = group else { continue };
        sets.iter_mut().flatten().try_for_each(|e| by_place(e, projection))?;
        if !is_plain(group) {
            let sets = written_out(group)?;
            *group = Expr::GroupingSets(sets);
        }
    }
    match group_id {
        Some(at) if repeats(groups)? => ControlFlow::Break(
            Error::unsupported("GROUP_ID() of a GROUP BY in which a set stands twice is not supported")
                .with_hint("Name each set once. GROUPING_ID(a, b) says which set a row is of.")
                .at(at),
        ),
        _ => ControlFlow::Continue(()),
    }
}

/// Whether two of the sets are the same.
fn repeats(groups: &[Expr]) -> ControlFlow<Error, bool> {
    let mut all: Vec<BTreeSet<String>> = vec![BTreeSet::new()];
    for group in groups {
        let sets = written_out(group)?;
        let with = |set: &BTreeSet<String>, more: &[Expr]| {
            set.iter().cloned().chain(more.iter().map(ToString::to_string)).collect()
        };
        all = all.iter().flat_map(|set| sets.iter().map(move |more| with(set, more))).collect();
    }
    let count = all.len();
    ControlFlow::Continue(all.into_iter().collect::<BTreeSet<_>>().len() < count)
}

fn is_group_id(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(f) if f.name.to_string().eq_ignore_ascii_case("GROUP_ID"))
}

fn place_of_group_id(select: &Select) -> Option<Span> {
    let mut at = None;
    any_expression(select, |expr| {
        at = is_group_id(expr).then(|| place(expr.span()));
        at.is_some()
    });
    at
}

/// `GROUP_ID()`, where no set stands twice.
pub(super) fn group_id(expr: &mut Expr) {
    if is_group_id(expr) {
        let zero = Value::Number("0".into(), false).with_span(expr.span());
        *expr = bigint(Expr::Value(zero));
    }
}

fn bigint(expr: Expr) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type: DataType::BigInt(None),
        array: false,
        format: None,
    }
}

/// Makes constants, which nobody takes for places, of the numbers that are none.
fn constants(groups: &mut [Expr], projection: &[SelectItem]) {
    for group in groups {
        match group {
            Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) => {
                sets.iter_mut().for_each(|set| constants(set, projection));
            }
            number if ordinal(number).is_some_and(|n| !is_place(n, projection)) => {
                *number = bigint(number.clone());
            }
            _ => {}
        }
    }
}

/// Whether column `number` of the SELECT list may be grouped by, as far as the list says.
fn is_place(number: usize, projection: &[SelectItem]) -> bool {
    let is_expression =
        |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
    let item = number.checked_sub(1).and_then(|n| projection.get(n));
    !projection.iter().all(is_expression) || item.is_some_and(|item| !has_known_aggregate(item))
}

/// The expression of the SELECT list that a number stands for.
fn by_place(expr: &mut Expr, projection: &[SelectItem]) -> ControlFlow<Error> {
    if let Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) = expr {
        return sets.iter_mut().flatten().try_for_each(|e| by_place(e, projection));
    }
    let Some(number) = ordinal(expr) else { return ControlFlow::Continue(()) };
    match number.checked_sub(1).and_then(|n| projection.get(n)) {
        Some(SelectItem::UnnamedExpr(of) | SelectItem::ExprWithAlias { expr: of, .. }) => {
            *expr = of.clone();
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Break(
            Error::statement(format!(
                "GROUP BY asks for column {number} of the SELECT list, which is not an expression there"
            ))
            .with_hint("Name what is grouped by: GROUPING SETS ((a), (b)).")
            .at(place(expr.span())),
        ),
    }
}

/// Whether DataFusion plans it as it is.
fn is_plain(group: &Expr) -> bool {
    let nested = |e: &Expr| matches!(e, Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_));
    match group {
        Expr::Rollup(sets) | Expr::Cube(sets) => {
            sets.iter().all(|set| set.len() == 1 && !nested(&set[0])) && once(sets.clone()).len() == sets.len()
        }
        Expr::GroupingSets(sets) => {
            !sets.iter().flatten().any(nested) && sets.iter().all(|set| once(set.clone()).len() == set.len())
        }
        _ => true,
    }
}

/// All sets of a group, each without what it names twice.
fn written_out(group: &Expr) -> ControlFlow<Error, Sets> {
    let sets = match group {
        Expr::Rollup(parts) => (0..=parts.len()).rev().map(|n| parts[..n].concat()).collect(),
        Expr::Cube(parts) if parts.len() > MOST_OF_A_CUBE => {
            let error = Error::unsupported(format!("CUBE of more than {MOST_OF_A_CUBE} columns is not supported"));
            return ControlFlow::Break(error.at(place(group.span())));
        }
        Expr::Cube(parts) => {
            let chosen = |which: usize| {
                let parts = parts.iter().enumerate().filter(move |(i, _)| which & (1 << i) != 0);
                parts.flat_map(|(_, part)| part.clone()).collect::<Vec<_>>()
            };
            (0..1 << parts.len()).rev().map(chosen).collect()
        }
        Expr::GroupingSets(parts) => {
            let mut sets = vec![];
            for part in parts {
                match part.as_slice() {
                    [nested @ (Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_))] => {
                        sets.extend(written_out(nested)?);
                    }
                    set => sets.push(set.to_vec()),
                }
            }
            sets
        }
        other => vec![vec![other.clone()]],
    };
    ControlFlow::Continue(sets.into_iter().map(once).collect())
}

/// `list` without what it names a second time.
fn once<T: PartialEq>(list: Vec<T>) -> Vec<T> {
    let mut once = Vec::with_capacity(list.len());
    for item in list {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}
