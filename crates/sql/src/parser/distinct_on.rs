//! `DISTINCT ON (..)` as DataFusion takes it: expressions and not their places in the SELECT list, in the order in which
//! ORDER BY begins, which has them all.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Distinct, Expr, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, Query, SelectItem, SetExpr, Spanned, Value,
};
use tidemill_core::Error;

use super::source::place;

/// Rewrites `DISTINCT ON` and the ORDER BY behind it.
pub(super) fn rewrite(query: &mut Query) -> ControlFlow<Error> {
    let SetExpr::Select(select) = query.body.as_mut() else { return ControlFlow::Continue(()) };
    let Some(Distinct::On(on)) = &mut select.distinct else { return ControlFlow::Continue(()) };
    for expr in on.iter_mut() {
        let Some(ordinal) = ordinal(expr) else { continue };
        match column(&select.projection, ordinal) {
            Some(column) => *expr = column,
            None => {
                let error = Error::statement(format!("DISTINCT ON ({expr}) does not say which column it means"))
                    .with_hint("A number is the place of a column in the SELECT list, before any *. Name the column.");
                return ControlFlow::Break(error.at(place(expr.span())));
            }
        }
    }
    let Some(OrderBy { kind: OrderByKind::Expressions(order), .. }) = &mut query.order_by else {
        return ControlFlow::Continue(());
    };
    let mut left = std::mem::take(on);
    for by in order.iter() {
        let meant = ordinal(&by.expr).and_then(|n| column(&select.projection, n));
        let meant = aliased(&select.projection, meant.as_ref().unwrap_or(&by.expr)).to_string();
        let same = |e: &Expr| aliased(&select.projection, e).to_string() == meant;
        let Some(at) = left.iter().position(same) else { break };
        on.push(left.remove(at));
    }
    if on.len() == order.len() {
        // ORDER BY says nothing about the others.
        let options = || OrderByOptions { asc: None, nulls_first: None };
        order.extend(left.iter().map(|e| OrderByExpr { expr: e.clone(), options: options(), with_fill: None }));
    }
    on.append(&mut left);
    ControlFlow::Continue(())
}

/// The number that is a place in the SELECT list.
pub(super) fn ordinal(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(v) => match &v.value {
            Value::Number(n, _) => n.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

fn column(projection: &[SelectItem], ordinal: usize) -> Option<Expr> {
    let items = projection.get(..ordinal)?;
    let expr = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr.clone()),
        _ => None,
    };
    items.iter().map(expr).collect::<Option<Vec<_>>>()?.pop()
}

/// What a name of the SELECT list stands for.
fn aliased<'a>(projection: &'a [SelectItem], expr: &'a Expr) -> &'a Expr {
    let Expr::Identifier(name) = expr else { return expr };
    let named = projection.iter().find_map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } if alias.value == name.value => Some(expr),
        _ => None,
    });
    named.unwrap_or(expr)
}
