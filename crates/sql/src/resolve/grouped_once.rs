//! A column that `GROUP BY` names twice: `GROUP BY t.a, a`, `SELECT a, a AS b .. GROUP BY 1, 2`. Once is the same.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, GroupByExpr, Select, SelectItem, Value, VisitorMut};

use super::Node;
use crate::parser::walk::walk_mut;

/// Leaves out of each `GROUP BY` the columns that it has already. Whether there was one.
///
/// To be asked where DataFusion found a column twice: then a name without a table is the column of that name with one.
pub(super) fn group_once<N: Node>(node: &mut N) -> bool {
    struct Groups(bool);
    impl VisitorMut for Groups {
        type Break = ();
        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            self.0 |= once(select);
            ControlFlow::Continue(())
        }
    }
    let mut groups = Groups(false);
    let _ = walk_mut(node, &mut groups);
    groups.0
}

fn once(select: &mut Select) -> bool {
    let GroupByExpr::Expressions(exprs, _) = &mut select.group_by else { return false };
    let before = exprs.len();
    let mut seen: Vec<(Option<String>, String)> = vec![];
    exprs.retain(|expr| {
        let Some((table, name)) = column(expr, &select.projection) else { return true };
        let same = |(t, n): &(Option<String>, String)| *n == name && (t.is_none() || table.is_none() || *t == table);
        let again = seen.iter().any(same);
        seen.push((table, name));
        !again
    });
    exprs.len() < before
}

/// The column that is meant, without regard to case, by its name or by the place or the name of a column of the result.
fn column(expr: &Expr, projection: &[SelectItem]) -> Option<(Option<String>, String)> {
    match expr {
        Expr::Identifier(name) => {
            let called = projection.iter().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if alias.value.eq_ignore_ascii_case(&name.value) => {
                    named(expr)
                }
                _ => None,
            });
            called.or_else(|| named(expr))
        }
        Expr::Value(value) => {
            let Value::Number(place, _) = &value.value else { return None };
            match projection.get(place.parse::<usize>().ok()?.checked_sub(1)?)? {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => named(expr),
                _ => None,
            }
        }
        other => named(other),
    }
}

fn named(expr: &Expr) -> Option<(Option<String>, String)> {
    match expr {
        Expr::Nested(inner) => named(inner),
        Expr::Identifier(name) => Some((None, name.value.to_lowercase())),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, name] => Some((Some(table.value.to_lowercase()), name.value.to_lowercase())),
            _ => None,
        },
        _ => None,
    }
}
