//! `(a, b) IN (SELECT x, y ..)`, or `ROW(a, b) IN ..`, which DataFusion's planner does not know, in words that it does.
//!
//! As a condition it is `EXISTS (SELECT 1 FROM (SELECT x, y ..) AS t (x, y) WHERE t.x = a AND t.y = b)`, and `NOT IN` is that no row may be equal:
//! `NOT EXISTS (.. WHERE (t.x = a AND t.y = b) IS NOT FALSE)`. As a value it is put together from both, since it may be NULL.

use sqlparser::ast::{
    BinaryOperator, Expr, Ident, Query, Select, SelectItem, SetExpr, Spanned, TableAliasColumnDef, TableFactor,
    UnaryOperator,
};
use sqlparser::parser::Parser;

use super::dialect::Dialect;
use super::row_null::row;

/// The name of the subquery's rows.
const ROWS: &str = "__in";

/// Rewrites the conditions of WHERE and HAVING.
pub(super) fn rewrite_conditions(select: &mut Select) {
    select.selection.iter_mut().chain(&mut select.having).for_each(condition);
}

fn condition(expr: &mut Expr) {
    match expr {
        Expr::Nested(inner) => condition(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            condition(left);
            condition(right);
        }
        Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => {
            if let Some((row, query, negated)) = row_in(inner) {
                *expr = of_condition(row, query, !negated);
            }
        }
        _ => {
            if let Some((row, query, negated)) = row_in(expr) {
                *expr = of_condition(row, query, negated);
            }
        }
    }
}

/// Rewrites it where it is a value.
pub(super) fn rewrite_value(expr: &mut Expr) {
    let Some((row, query, negated)) = row_in(expr) else { return };
    let (is, may_be) = (exists(&row, &query, false), exists(&row, &query, true));
    let mut case =
        parsed(&format!("CASE WHEN 1 THEN {} WHEN 1 THEN CAST(NULL AS BOOLEAN) ELSE {negated} END", !negated));
    if let Expr::Case { conditions, .. } = &mut case
        && let [first, second] = conditions.as_mut_slice()
    {
        (first.condition, second.condition) = (is, may_be);
    }
    *expr = case;
}

/// The parts of such an expression.
fn row_in(expr: &Expr) -> Option<(Vec<Expr>, Query, bool)> {
    match expr {
        Expr::Nested(inner) => row_in(inner),
        Expr::InSubquery { expr, subquery, negated } => {
            let row = row(expr).filter(|row| row.len() > 1 && !has_one_column(subquery))?;
            Some((row, subquery.as_ref().clone(), *negated))
        }
        _ => None,
    }
}

/// Whether a query has one column, which then is a row itself.
fn has_one_column(query: &Query) -> bool {
    match query.body.as_ref() {
        SetExpr::Select(select) => {
            matches!(&select.projection[..], [SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }])
        }
        _ => false,
    }
}

fn of_condition(row: Vec<Expr>, query: Query, negated: bool) -> Expr {
    let exists = exists(&row, &query, negated);
    match negated {
        true => Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(exists) },
        false => exists,
    }
}

/// Whether a row of `query` is equal to `row`; with `may_be`, whether one is or may be, where NULL stands in either.
fn exists(row: &[Expr], query: &Query, may_be: bool) -> Expr {
    let mut exists = parsed(&format!("EXISTS (SELECT 1 FROM (SELECT 1) AS {ROWS} WHERE 1)"));
    let Expr::Exists { subquery, .. } = &mut exists else { return exists };
    let SetExpr::Select(select) = subquery.body.as_mut() else { return exists };
    let name = |i: usize| Ident::new(format!("{ROWS}_{i}"));
    if let Some(TableFactor::Derived { subquery, alias: Some(alias), .. }) =
        select.from.first_mut().map(|from| &mut from.relation)
    {
        **subquery = query.clone();
        alias.columns = (0..row.len()).map(|i| TableAliasColumnDef::from_name(name(i).value)).collect();
    }
    let equal = row.iter().enumerate().map(|(i, value)| Expr::BinaryOp {
        left: Box::new(Expr::CompoundIdentifier(vec![Ident::with_span(value.span(), ROWS), name(i)])),
        op: BinaryOperator::Eq,
        right: Box::new(Expr::Nested(Box::new(value.clone()))),
    });
    let all = equal.reduce(|a, b| Expr::BinaryOp { left: Box::new(a), op: BinaryOperator::And, right: Box::new(b) });
    select.selection = all.map(|all| match may_be {
        true => Expr::IsNotFalse(Box::new(Expr::Nested(Box::new(all)))),
        false => all,
    });
    exists
}

fn parsed(text: &str) -> Expr {
    let parsed = Parser::new(&Dialect).try_with_sql(text).and_then(|mut p| p.parse_expr());
    parsed.expect("this text is an expression")
}
