//! `ARRAY(SELECT x ..)`: the values of a query as an array, which is `ARRAY_AGG` of them; an empty one where there are none.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, GroupByExpr, Ident, OrderByExpr,
    OrderByKind, Query, SelectItem, SetExpr, Spanned, TableFactor, Value,
};
use sqlparser::parser::Parser;
use tidemill_core::Error;

use super::dialect::Dialect;
use super::source::place;

/// The name of the only column of the query.
const VALUE: &str = "__array";

/// Rewrites it as a subquery that is a value.
pub(super) fn rewrite(expr: &mut Expr) -> ControlFlow<Error> {
    let span = expr.span();
    let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
    let FunctionArguments::Subquery(query) = &mut function.args else { return ControlFlow::Continue(()) };
    if !function.name.to_string().eq_ignore_ascii_case("array") {
        return ControlFlow::Continue(());
    }
    match array_of(query) {
        Some(array) => {
            *expr = array;
            ControlFlow::Continue(())
        }
        None => {
            let error =
                Error::unsupported("ARRAY (SELECT ..) takes a query of one column, in the order of that column")
                    .with_hint("Order the values themselves: (SELECT ARRAY_AGG(x ORDER BY y) FROM ..).");
            ControlFlow::Break(error.at(place(span)))
        }
    }
}

fn array_of(query: &Query) -> Option<Expr> {
    let mut inner = query.clone();
    let order = match query.order_by.as_ref().map(|o| &o.kind) {
        Some(OrderByKind::Expressions(order)) => order.clone(),
        Some(OrderByKind::All(_)) => return None,
        None => vec![],
    };
    let limited = query.limit_clause.is_some() || query.fetch.is_some();
    if !limited {
        inner.order_by = None;
    }
    let (value, name) = match first_select(query) {
        Some([SelectItem::UnnamedExpr(e)]) => (Some(e.clone()), None),
        Some([SelectItem::ExprWithAlias { expr, alias }]) => (Some(expr.clone()), Some(alias.value.clone())),
        Some(_) => return None,
        None => (None, None),
    };
    let is_value = |e: &Expr| match e {
        Expr::Value(v) => matches!(&v.value, Value::Number(n, _) if n == "1"),
        Expr::Identifier(i) if name.as_ref() == Some(&i.value) => true,
        other => value.as_ref().is_some_and(|v| v.to_string() == other.to_string()),
    };
    if let (Some(value), true) = (&value, plain(query) && !limited) {
        let order =
            order.into_iter().map(|o| if is_value(&o.expr) { OrderByExpr { expr: value.clone(), ..o } } else { o });
        let aggregate = aggregate(value.clone(), order.collect())?;
        if let SetExpr::Select(select) = inner.body.as_mut() {
            select.projection = vec![SelectItem::UnnamedExpr(aggregate)];
        }
        return or_empty(inner);
    }
    if !order.iter().all(|o| is_value(&o.expr)) {
        return None;
    }
    let column = || Expr::Identifier(Ident::new(VALUE));
    let order = order.into_iter().map(|o| OrderByExpr { expr: column(), ..o }).collect();
    let mut outer = parsed(&format!("(SELECT 1 FROM (SELECT 1) AS t ({VALUE}))"));
    let Expr::Subquery(outer_query) = &mut outer else { return None };
    let SetExpr::Select(select) = outer_query.body.as_mut() else { return None };
    select.projection = vec![SelectItem::UnnamedExpr(aggregate(column(), order)?)];
    if let TableFactor::Derived { subquery, .. } = &mut select.from.first_mut()?.relation {
        **subquery = inner;
    }
    or_empty(outer_query.as_ref().clone())
}

/// The columns of a query, where it is one SELECT.
fn first_select(query: &Query) -> Option<&[SelectItem]> {
    match query.body.as_ref() {
        SetExpr::Select(select) => Some(&select.projection),
        _ => None,
    }
}

/// Whether a query does nothing to the rows but choose them, so that their values can be gathered in its place.
fn plain(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(exprs, modifiers) => !exprs.is_empty() || !modifiers.is_empty(),
        GroupByExpr::All(_) => true,
    };
    // A call may be an aggregate or one with OVER.
    let calls = select.projection.iter().any(|item| item.to_string().contains('('));
    !grouped && !calls && select.distinct.is_none() && select.having.is_none() && select.qualify.is_none()
}

fn aggregate(value: Expr, order: Vec<OrderByExpr>) -> Option<Expr> {
    let mut aggregate = parsed("array_agg(1)");
    let Expr::Function(function) = &mut aggregate else { return None };
    let FunctionArguments::List(list) = &mut function.args else { return None };
    *list.args.first_mut()? = FunctionArg::Unnamed(FunctionArgExpr::Expr(value));
    if !order.is_empty() {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
    Some(aggregate)
}

fn or_empty(query: Query) -> Option<Expr> {
    let mut made = parsed("COALESCE(1, make_array())");
    let Expr::Function(function) = &mut made else { return None };
    let FunctionArguments::List(list) = &mut function.args else { return None };
    *list.args.first_mut()? = FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(Box::new(query))));
    Some(made)
}

fn parsed(text: &str) -> Expr {
    let parsed = Parser::new(&Dialect).try_with_sql(text).and_then(|mut p| p.parse_expr());
    parsed.expect("this text is an expression")
}
