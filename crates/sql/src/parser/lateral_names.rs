//! Names of what a `LATERAL` subquery gives: `LATERAL (SELECT t.a)`, `LATERAL (SELECT t.a, t.b) x(c, d)`.
//!
//! DataFusion calls a column of an outer query by another name than its own, and has no names of a subquery's columns behind a lateral
//! one. So each column is named where it is made, and the subquery has a name, since its columns may be called like those that
//! it refers to.

use sqlparser::ast::{Expr, Ident, Query, SelectItem, SetExpr, TableAlias};
use sqlparser::tokenizer::Span;

/// Writes the names out.
pub(super) fn write_out(subquery: &mut Query, alias: &mut Option<TableAlias>, span: Span) {
    let alias = alias.get_or_insert_with(|| {
        let name = Ident::new(format!("__lateral_{}_{}", span.start.line, span.start.column));
        TableAlias { explicit: true, name, columns: vec![], at: None }
    });
    // The first of several queries names the columns of all.
    let mut first = subquery.body.as_mut();
    let select = loop {
        match first {
            SetExpr::SetOperation { left, .. } => first = left,
            SetExpr::Select(select) => break select,
            _ => return,
        }
    };
    let wildcard = |i: &SelectItem| !matches!(i, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
    let named = alias.columns.len() == select.projection.len() && !select.projection.iter().any(wildcard);
    for (i, item) in select.projection.iter_mut().enumerate() {
        let given = if named { Some(alias.columns[i].name.clone()) } else { None };
        let (expr, own) = match item {
            SelectItem::UnnamedExpr(expr) => {
                let own = match &*expr {
                    Expr::Identifier(name) => Some(name.clone()),
                    Expr::CompoundIdentifier(parts) => parts.last().cloned(),
                    _ => None,
                };
                (expr.clone(), own)
            }
            SelectItem::ExprWithAlias { expr, alias } => (expr.clone(), Some(alias.clone())),
            _ => continue,
        };
        if let Some(alias) = given.or(own) {
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
    }
    if named {
        alias.columns.clear();
    }
}
