//! `VALUES (1, (SELECT MAX(a) FROM t)), ..`: rows that ask queries, which DataFusion does not know in `VALUES`. They are a
//! `UNION ALL` of a `SELECT` for each row.

use sqlparser::ast::{Expr, Ident, SelectItem, SetExpr, SetOperator, SetQuantifier};

use super::finish::select_all;
use super::own::asks;

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
