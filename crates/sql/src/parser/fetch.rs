//! `OFFSET m ROWS FETCH FIRST n ROWS ONLY | WITH TIES`, which DataFusion's planner does not know.
//!
//! Without ties it is `LIMIT n OFFSET m`. With them it is a condition on ranks: `QUALIFY RANK() OVER (ORDER BY ..) <= m + n`, and
//! `ROW_NUMBER() .. > m` where rows are skipped.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Fetch, LimitClause, OrderByExpr, OrderByKind, Query, SelectItem, SetExpr, Value, ValueWithSpan, VisitorMut,
    WindowType,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use tidemill_core::{Error, Result};

use super::walk::walk_mut;

/// Puts `fetch`, which was taken from `query`, into words that the planner knows.
pub(super) fn rewrite_fetch(query: &mut Query, fetch: Fetch) -> Result<()> {
    if fetch.percent {
        return Err(Error::unsupported("FETCH .. PERCENT is not supported").with_hint("Say a number of rows."));
    }
    let offset = match query.limit_clause.take() {
        None => None,
        Some(LimitClause::LimitOffset { limit: None, offset, .. }) => offset,
        Some(_) => return Err(Error::statement("LIMIT beside FETCH").with_hint("Leave one of them out.")),
    };
    let one = || Expr::Value(ValueWithSpan::from(Value::Number("1".into(), false)));
    let quantity = fetch.quantity.unwrap_or_else(one);
    if !fetch.with_ties {
        query.limit_clause = Some(LimitClause::LimitOffset { limit: Some(quantity), offset, limit_by: vec![] });
        return Ok(());
    }
    let rows = number(&quantity)?;
    let skipped = offset.map_or(Ok(0), |o| number(&o.value))?;
    with_ties(query, skipped, skipped.saturating_add(rows))
}

/// Rows behind the first `skipped` up to the last that is equal to row number `last`.
fn with_ties(query: &mut Query, skipped: u64, last: u64) -> Result<()> {
    let order: &[OrderByExpr] = match query.order_by.as_ref().map(|o| &o.kind) {
        Some(OrderByKind::Expressions(order)) => order,
        _ => {
            return Err(Error::statement("WITH TIES needs an ORDER BY that says which rows are equal")
                .with_hint("Add ORDER BY, or write ONLY."));
        }
    };
    let SetExpr::Select(select) = query.body.as_mut() else { return Err(in_a_subquery("a set operation")) };
    if select.distinct.is_some() || select.qualify.is_some() {
        return Err(in_a_subquery(if select.distinct.is_some() { "DISTINCT" } else { "QUALIFY" }));
    }
    let order: Vec<OrderByExpr> = order.iter().map(|o| spelled_out(o, &select.projection)).collect();
    let skips = if skipped == 0 { String::new() } else { format!("ROW_NUMBER() OVER () > {skipped} AND ") };
    let condition = format!("{skips}RANK() OVER () <= {last}");
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(&condition).and_then(|mut p| p.parse_expr());
    let mut condition = parsed.map_err(|e| Error::internal(format!("'{condition}': {e}")))?;
    struct Order(Vec<OrderByExpr>);
    impl VisitorMut for Order {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Function(call) = expr
                && let Some(WindowType::WindowSpec(spec)) = &mut call.over
                && spec.order_by.is_empty()
            {
                spec.order_by.clone_from(&self.0);
            }
            ControlFlow::Continue(())
        }
    }
    let _ = walk_mut(&mut condition, &mut Order(order));
    select.qualify = Some(condition);
    Ok(())
}

/// `ORDER BY 2` by the second column's expression.
fn spelled_out(order: &OrderByExpr, columns: &[SelectItem]) -> OrderByExpr {
    let place = number(&order.expr).ok().and_then(|n| columns.get(usize::try_from(n).ok()?.checked_sub(1)?));
    match place {
        Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => {
            OrderByExpr { expr: expr.clone(), ..order.clone() }
        }
        _ => order.clone(),
    }
}

fn in_a_subquery(what: &str) -> Error {
    Error::unsupported(format!("FETCH .. WITH TIES of {what} is not supported"))
        .with_hint("Put it into a subquery: SELECT * FROM (..) ORDER BY .. FETCH FIRST 10 ROWS WITH TIES.")
}

fn number(expr: &Expr) -> Result<u64> {
    let text = match expr {
        Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) => text.to_string(),
        other => other.to_string(),
    };
    text.parse().map_err(|_| {
        Error::statement(format!("FETCH and OFFSET take a number of rows, and '{text}' is none"))
            .with_hint("Write it as a whole number.")
    })
}
