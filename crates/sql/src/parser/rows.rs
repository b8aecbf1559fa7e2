//! `ORDER BY (a, b)`, `PARTITION BY (a, b)`, `GROUP BY (a, b)`: rows are ordered and told apart by their columns, one after the other.
//!
//! To DataFusion they would be values of a type of its own, which it does not order everywhere.

use sqlparser::ast::{
    Expr, Function, FunctionArgumentClause, FunctionArguments, GroupByExpr, NamedWindowDefinition, NamedWindowExpr,
    OrderByExpr, OrderByKind, Query, Select, WindowSpec, WindowType,
};

/// Takes rows apart that a query is ordered by.
pub(super) fn of_query(query: &mut Query) {
    if let Some(OrderByKind::Expressions(order)) = query.order_by.as_mut().map(|by| &mut by.kind) {
        ordered(order);
    }
}

/// Takes rows apart that `select` groups by, and those of its windows.
pub(super) fn of_select(select: &mut Select) {
    if let GroupByExpr::Expressions(groups, _) = &mut select.group_by {
        told_apart(groups);
        groups.iter_mut().for_each(sets_of_rows);
    }
    for NamedWindowDefinition(_, window) in &mut select.named_window {
        if let NamedWindowExpr::WindowSpec(spec) = window {
            of_window(spec);
        }
    }
}

/// Takes rows apart that the rows of a call are ordered by.
pub(super) fn of_call(expr: &mut Expr) {
    let Expr::Function(Function { args, within_group, over, .. }) = expr else { return };
    ordered(within_group);
    if let FunctionArguments::List(list) = args {
        for clause in &mut list.clauses {
            if let FunctionArgumentClause::OrderBy(order) = clause {
                ordered(order);
            }
        }
    }
    if let Some(WindowType::WindowSpec(spec)) = over {
        of_window(spec);
    }
}

fn of_window(spec: &mut WindowSpec) {
    ordered(&mut spec.order_by);
    told_apart(&mut spec.partition_by);
}

fn ordered(order: &mut Vec<OrderByExpr>) {
    if order.iter().any(|by| row(&by.expr).is_some()) {
        let each = |by: OrderByExpr| match row(&by.expr) {
            Some(columns) => columns.iter().map(|expr| OrderByExpr { expr: expr.clone(), ..by.clone() }).collect(),
            None => vec![by],
        };
        *order = std::mem::take(order).into_iter().flat_map(each).collect();
    }
}

fn told_apart(exprs: &mut Vec<Expr>) {
    if exprs.iter().any(|e| row(e).is_some()) {
        let each = |expr: Expr| row(&expr).map(<[Expr]>::to_vec).unwrap_or_else(|| vec![expr]);
        *exprs = std::mem::take(exprs).into_iter().flat_map(each).collect();
    }
}

/// The columns of `(a, b)`. A row without any is no row: `GROUP BY ()`.
fn row(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Nested(inner) => row(inner),
        Expr::Tuple(columns) if columns.len() > 1 => Some(columns),
        _ => None,
    }
}

/// Writes `ROLLUP((a, b), c)` and `CUBE((a, b), c)`, whose parts are rows, as the `GROUPING SETS` that they are.
pub fn sets_of_rows(group: &mut Expr) {
    let (Expr::Rollup(parts) | Expr::Cube(parts)) = &*group else { return };
    // More sets than that are refused by whoever plans them.
    const MOST: usize = 12;
    if parts.iter().all(|part| part.len() == 1) || parts.len() > MOST {
        return;
    }
    let all = |chosen: &dyn Fn(usize) -> bool| {
        let chosen = parts.iter().enumerate().filter(|(i, _)| chosen(*i));
        chosen.flat_map(|(_, part)| part.clone()).collect::<Vec<_>>()
    };
    let sets = match &*group {
        Expr::Rollup(_) => (0..=parts.len()).rev().map(|n| all(&|i| i < n)).collect(),
        _ => (0..1_usize << parts.len()).rev().map(|set| all(&|i| set & (1 << i) != 0)).collect(),
    };
    *group = Expr::GroupingSets(sets);
}
