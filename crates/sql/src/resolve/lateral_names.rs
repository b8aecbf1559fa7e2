//! The names of columns that a query in FROM takes from outside: `LATERAL (SELECT t.a)`, `IN (SELECT b FROM (SELECT t.a) ..)`, `IN (WITH c AS (SELECT t.a) ..)`.
//!
//! DataFusion calls such a column `outer_ref(t.a)`; here it is called as it is written. And where it looks for a name outside, it looks
//! at all that is in sight at once, and finds nothing where two have it: what stands beside the query in `FROM` comes first here.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, Query, Select, SelectItem, SetExpr, TableFactor, VisitorMut};

use crate::parser::own::each_expression;
use crate::parser::walk::walk_mut;

/// Names the columns of lateral subqueries, and of the queries within them, and those that others take from outside.
pub(crate) fn name_lateral(query: &mut Query) {
    struct Lateral;
    impl VisitorMut for Lateral {
        type Break = ();
        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
            if let TableFactor::Derived { lateral: true, subquery, .. } = factor {
                let _ = walk_mut(subquery, &mut Within);
            }
            ControlFlow::Continue(())
        }
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Subquery(subquery) | Expr::Exists { subquery, .. } | Expr::InSubquery { subquery, .. } = expr {
                let _ = walk_mut(subquery, &mut Named);
            }
            ControlFlow::Continue(())
        }
        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            let mut beside = vec![];
            for from in &mut select.from {
                for part in std::iter::once(&mut from.relation).chain(from.joins.iter_mut().map(|j| &mut j.relation)) {
                    say_whose(part, &beside);
                    beside.push(&*part);
                }
            }
            ControlFlow::Continue(())
        }
    }
    let _ = walk_mut(query, &mut Lateral);
}

/// Writes the table before the names that a lateral query without a `FROM` of its own takes from one of the queries `beside` it.
fn say_whose(part: &mut TableFactor, beside: &[&TableFactor]) {
    let TableFactor::Derived { lateral: true, subquery, .. } = part else { return };
    let SetExpr::Select(select) = subquery.body.as_mut() else { return };
    if !select.from.is_empty() {
        return;
    }
    each_expression(&mut select.projection, |expr, depth| {
        let Expr::Identifier(name) = &*expr else { return };
        let mut having = beside.iter().filter_map(|part| columns_of(part)).filter(|(_, names)| names.contains(&name));
        if let (0, Some((table, _)), None) = (depth, having.next(), having.next()) {
            *expr = Expr::CompoundIdentifier(vec![table.clone(), name.clone()]);
        }
    });
}

/// What a query in `FROM` is called, and the columns of it that have a name.
fn columns_of(part: &TableFactor) -> Option<(&Ident, Vec<&Ident>)> {
    let TableFactor::Derived { subquery, alias: Some(alias), .. } = part else { return None };
    if !alias.columns.is_empty() {
        return Some((&alias.name, alias.columns.iter().map(|c| &c.name).collect()));
    }
    let SetExpr::Select(select) = subquery.body.as_ref() else { return None };
    Some((&alias.name, select.projection.iter().filter_map(name_of).collect()))
}

fn name_of(item: &SelectItem) -> Option<&Ident> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(path)) => path.last(),
        _ => None,
    }
}

/// Names what queries in `FROM` and in `WITH`, within a subquery, take from outside.
struct Named;

impl VisitorMut for Named {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for cte in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            name_outer(&mut cte.query.body);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { subquery, .. } = factor {
            name_outer(&mut subquery.body);
        }
        ControlFlow::Continue(())
    }
}

fn name_outer(body: &mut SetExpr) {
    let select = match body {
        SetExpr::Select(select) => select,
        SetExpr::SetOperation { left, .. } => return name_outer(left),
        SetExpr::Query(query) => return name_outer(&mut query.body),
        _ => return,
    };
    let parts =
        || select.from.iter().flat_map(|f| std::iter::once(&f.relation).chain(f.joins.iter().map(|j| &j.relation)));
    // What a join in parentheses holds is not looked into: such columns keep the names that they get.
    if parts().any(|part| matches!(part, TableFactor::NestedJoin { .. })) {
        return;
    }
    let own: HashSet<String> = parts().filter_map(called).collect();
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expr) = &*item else { continue };
        let last = match expr {
            Expr::Identifier(name) if select.from.is_empty() => name,
            Expr::CompoundIdentifier(path) => match path.as_slice() {
                [table, name] if !own.contains(&table.value.to_lowercase()) => name,
                _ => continue,
            },
            _ => continue,
        };
        *item = SelectItem::ExprWithAlias { alias: last.clone(), expr: expr.clone() };
    }
}

/// What a part of `FROM` is called, without regard to case.
fn called(part: &TableFactor) -> Option<String> {
    let alias = match part {
        TableFactor::Table { alias: None, name, .. } => name.0.last()?.as_ident()?,
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. }
        | TableFactor::TableFunction { alias: Some(alias), .. }
        | TableFactor::Function { alias: Some(alias), .. }
        | TableFactor::UNNEST { alias: Some(alias), .. } => &alias.name,
        _ => return None,
    };
    Some(alias.value.to_lowercase())
}

struct Within;

impl VisitorMut for Within {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        // Columns behind DISTINCT are ordered by as they are written.
        if select.distinct.is_some() {
            return ControlFlow::Continue(());
        }
        let mut names = HashSet::new();
        for item in &mut select.projection {
            let SelectItem::UnnamedExpr(expr) = item else { continue };
            let last = match &*expr {
                Expr::Identifier(name) => name,
                Expr::CompoundIdentifier(path) => match path.last() {
                    Some(last) => last,
                    None => continue,
                },
                _ => continue,
            };
            if names.insert(last.value.clone()) {
                *item = SelectItem::ExprWithAlias { alias: last.clone(), expr: expr.clone() };
            }
        }
        ControlFlow::Continue(())
    }
}
