//! `ASOF JOIN` in a syntax tree: its condition moves to where a relation planner sees it, since DataFusion plans joins
//! without asking anybody.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Join, JoinConstraint, JoinOperator,
    ObjectName, Spanned, TableAlias, TableFactor, TableVersion, TableWithJoins, Value,
};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::parser::finish::{select_all, table_factor};
use crate::parser::forms::call;

/// The function that stands for a match condition behind a table: first the condition, then what is joined if that is
/// not a table by its name.
const MATCH: &str = "__asof_match";

/// `LEFT ASOF JOIN` and `ASOF LEFT JOIN` as `ASOF JOIN`, which is that.
pub(crate) fn plain_as_of(tokens: &mut Vec<TokenWithSpan>) {
    let is = |token: Option<&TokenWithSpan>, keyword: Keyword| matches!(token.map(|t| &t.token), Some(Token::Word(w)) if w.keyword == keyword && w.quote_style.is_none());
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
            }
        }
        at += 1;
    }
}

/// Writes the `ASOF JOIN`s among `joins` as left joins.
pub(crate) fn rewrite(joins: &mut [Join]) {
    for join in joins {
        let JoinOperator::AsOf { match_condition, constraint } = &join.join_operator else { continue };
        let condition = match_condition.clone();
        let constraint = match constraint {
            // Without keys all rows are of one key.
            JoinConstraint::None => JoinConstraint::On(Expr::Value(Value::Boolean(true).with_span(condition.span()))),
            other => other.clone(),
        };
        join.join_operator = JoinOperator::Left(constraint);
        match &mut join.relation {
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
