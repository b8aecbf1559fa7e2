//! `ORDER BY (SELECT .. WHERE x.a = t.b)`: a query in ORDER BY that refers to columns which are not selected.
//!
//! DataFusion finds such columns for plain expressions only. Here what is ordered by becomes a column of a query in FROM, around which
//! all others are selected: `SELECT * EXCEPT (o) FROM (SELECT .., (SELECT ..) AS o FROM t) ORDER BY o`.

use sqlparser::ast::{
    ExceptSelectItem, Expr, Ident, OrderByKind, Query, Select, SelectItem, SetExpr, TableFactor, TableWithJoins, Value,
    WildcardAdditionalOptions,
};

use super::finish::select_all;
use super::own::asks;

/// How the names of the columns to order by begin.
const COLUMN: &str = "__order_";

/// Whether a column is only there to order by.
pub(super) fn is_made(item: &SelectItem) -> bool {
    matches!(item, SelectItem::ExprWithAlias { alias, .. } if alias.quote_style.is_none() && alias.value.starts_with(COLUMN))
}

/// The `SELECT` as it was written: within the one that leaves out what is only there to order by.
pub(super) fn as_written(query: &mut Query) -> Option<&mut Select> {
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let rewritten = matches!(select.projection.as_slice(), [SelectItem::Wildcard(options)]
        if options.opt_except.as_ref().is_some_and(|e| e.first_element.value.starts_with(COLUMN)));
    if !rewritten {
        return Some(select);
    }
    match select.from.first_mut().map(|from| &mut from.relation) {
        Some(TableFactor::Derived { subquery, .. }) => as_written(subquery),
        _ => None,
    }
}

/// Rewrites a query that is ordered so.
pub(super) fn rewrite(query: &mut Query) {
    let Some(order_by) = &mut query.order_by else { return };
    let OrderByKind::Expressions(order) = &mut order_by.kind else { return };
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    // Of rows that were made one, only what is selected can be asked for.
    if select.distinct.is_some() || !order.iter().any(|by| asks(&by.expr)) {
        return;
    }
    let named = |name: &Ident| {
        select.projection.iter().any(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => alias.value == name.value,
            SelectItem::UnnamedExpr(Expr::Identifier(own)) => own.value == name.value,
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(path)) => {
                path.last().is_some_and(|p| p.value == name.value)
            }
            _ => false,
        })
    };
    let mut made = vec![];
    for by in order.iter_mut() {
        let of_the_result = match &by.expr {
            Expr::Identifier(name) => named(name),
            Expr::Value(v) => matches!(v.value, Value::Number(..)),
            _ => false,
        };
        if !of_the_result {
            let column = Ident::new(format!("{COLUMN}{}", made.len()));
            let expr = std::mem::replace(&mut by.expr, Expr::Identifier(column.clone()));
            made.push((column, expr));
        }
    }
    let columns: Vec<Ident> = made.iter().map(|(column, _)| column.clone()).collect();
    let Some((first, rest)) = columns.split_first() else { return };
    select.projection.extend(made.into_iter().map(|(alias, expr)| SelectItem::ExprWithAlias { expr, alias }));
    let mut inner = select_all(vec![]);
    inner.body = query.body.clone();
    let relation = TableFactor::Derived { lateral: false, subquery: Box::new(inner), alias: None, sample: None };
    *query.body = *select_all(vec![TableWithJoins { relation, joins: vec![] }]).body;
    if let SetExpr::Select(outer) = query.body.as_mut() {
        let opt_except = Some(ExceptSelectItem { first_element: first.clone(), additional_elements: rest.to_vec() });
        outer.projection = vec![SelectItem::Wildcard(WildcardAdditionalOptions { opt_except, ..Default::default() })];
    }
}
