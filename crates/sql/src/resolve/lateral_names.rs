//! The names of columns that a lateral subquery takes from outside: `LATERAL (SELECT t.a)`.
//!
//! DataFusion calls such a column `outer_ref(t.a)`; here it is called as it is written. And where it looks for a name outside, it looks
//! at all that is in sight at once, and finds nothing where two have it: what stands beside the query in `FROM` comes first here.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, Query, Select, SelectItem, SetExpr, TableFactor, VisitorMut};

use crate::parser::own::each_expression;
use crate::parser::walk::walk_mut;

/// Names the columns of lateral subqueries, and of the queries within them.
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
