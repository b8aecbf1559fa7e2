//! Writes a query with the columns that its joins have in common.

use std::ops::ControlFlow;

use datafusion::common::{Column, DataFusionError};
use sqlparser::ast::{
    Distinct, ExcludeSelectItem, Expr, GroupByExpr, Ident, OrderBy, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, VisitMut, VisitorMut, WildcardAdditionalOptions,
};
use tidemill_core::{Error, Result};

use super::mark::{is_of_stars, number};
use super::merged::MergedColumns;
use super::planner::{Columns, columns_of};
use super::scope::{Visible, all_of_table, merged, of_table, resolve, visible};
use crate::parser::own::each_expression;
use crate::parser::walk::walk_mut;
use crate::resolve::Node;
use crate::resolve::duplicates::{by_last_name, name_of as name_of_expr, of_select};

/// If `error` brings the columns of a marked `FROM`: writes its query out. Whether it was so. What its merged columns stand
/// for is remembered in `merged`.
pub(in crate::resolve) fn write_out<N: Node>(
    node: &mut N,
    error: &DataFusionError,
    merged: &mut MergedColumns,
) -> Result<bool> {
    let Some(columns) = columns_of(error) else { return Ok(false) };
    let mut write = WriteOut { columns, merged, done: false };
    match walk_mut(node, &mut write) {
        ControlFlow::Break(e) => Err(e),
        ControlFlow::Continue(()) => Ok(write.done),
    }
}

struct WriteOut<'a> {
    columns: &'a Columns,
    merged: &'a mut MergedColumns,
    done: bool,
}

impl VisitorMut for WriteOut<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        match query.body.as_mut() {
            SetExpr::Select(select) => self.select(select, query.order_by.as_mut()),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        self.select(select, None)
    }
}

impl WriteOut<'_> {
    fn select(&mut self, select: &mut Select, order_by: Option<&mut OrderBy>) -> ControlFlow<Error> {
        let [from] = select.from.as_mut_slice() else { return ControlFlow::Continue(()) };
        let Some((found, joined)) = number(&from.relation) else { return ControlFlow::Continue(()) };
        if found != self.columns.number {
            return ControlFlow::Continue(());
        }
        let mut joined = joined.clone();
        let mut parts = self.columns.parts.iter().cloned();
        match resolve(&mut joined, &mut parts) {
            Ok(seen) => {
                *from = joined;
                let stars = is_of_stars(self.columns.number);
                in_select(select, order_by, &seen, &self.columns.parts.concat(), stars);
                self.merged.add(select, seen);
                self.done = true;
                ControlFlow::Continue(())
            }
            Err(e) => ControlFlow::Break(e),
        }
    }
}

fn in_select(select: &mut Select, order_by: Option<&mut OrderBy>, seen: &[Visible], all: &[Column], stars: bool) {
    let mut projection = vec![];
    for item in std::mem::take(&mut select.projection) {
        match item {
            SelectItem::Wildcard(options) if is_plain(&options) => {
                let left_out = left_out(&options);
                let shown = seen.iter().filter(|v| !left_out.iter().any(|o| o.eq_ignore_ascii_case(&v.name)));
                projection.extend(shown.map(item_of));
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), options)
                if is_plain(&options) =>
            {
                let left_out = left_out(&options);
                let table_name = table.0.last().and_then(|p| p.as_ident()).map_or("", |i| i.value.as_str());
                let of_this = |c: &&Column| {
                    c.relation.as_ref().is_some_and(|r| r.table().eq_ignore_ascii_case(table_name))
                        && !left_out.iter().any(|o| o.eq_ignore_ascii_case(&c.name))
                };
                let named = all_of_table(table_name, seen).map(|(v, expr)| Visible { expr: expr.clone(), ..v.clone() });
                let shown: Vec<_> = all.iter().filter(of_this).cloned().map(visible).chain(named).collect();
                match shown.is_empty() {
                    true => projection.push(SelectItem::QualifiedWildcard(
                        SelectItemQualifiedWildcardKind::ObjectName(table),
                        options,
                    )),
                    false => projection.extend(shown.iter().map(item_of)),
                }
            }
            SelectItem::UnnamedExpr(expr @ (Expr::Identifier(_) | Expr::CompoundIdentifier(_))) => {
                let (column, last) = match &expr {
                    Expr::Identifier(name) => (merged(&name.value, seen).map(|v| &v.expr), Some(name.clone())),
                    Expr::CompoundIdentifier(path) => match path.as_slice() {
                        [table, name] => (of_table(&table.value, &name.value, seen), Some(name.clone())),
                        _ => (None, None),
                    },
                    _ => (None, None),
                };
                projection.push(match column.zip(last) {
                    Some((column, alias)) => SelectItem::ExprWithAlias { expr: column.clone(), alias },
                    None => SelectItem::UnnamedExpr(expr),
                });
            }
            mut other => {
                with_merged(&mut other, seen);
                projection.push(other);
            }
        }
    }
    if let Some(OrderByKind::Expressions(order)) = order_by.map(|o| &mut o.kind) {
        // A name of the result comes first.
        let own = |name: &Ident| projection.iter().any(|item| name_of(item).is_some_and(|n| n == name.value));
        for by in order {
            if !matches!(&by.expr, Expr::Identifier(name) if own(name)) {
                with_merged(&mut by.expr, seen);
            }
        }
    }
    select.projection = projection;
    match stars {
        true => of_select(select, by_last_name),
        // Columns that differ by their tables stay as they are.
        false => of_select(select, name_of_expr),
    };
    if let Some(Distinct::On(on)) = &mut select.distinct {
        on.iter_mut().for_each(|e| with_merged(e, seen));
    }
    if let GroupByExpr::Expressions(groups, _) = &mut select.group_by {
        groups.iter_mut().for_each(|e| with_merged(e, seen));
    }
    let conditions = [&mut select.selection, &mut select.having, &mut select.qualify];
    conditions.into_iter().flatten().for_each(|e| with_merged(e, seen));
    select.named_window.iter_mut().for_each(|w| with_merged(w, seen));
}

/// A column of `*`.
fn item_of(column: &Visible) -> SelectItem {
    match column.merged {
        true => {
            let alias = Ident::with_quote('`', &column.name);
            SelectItem::ExprWithAlias { expr: column.expr.clone(), alias }
        }
        false => SelectItem::UnnamedExpr(column.expr.clone()),
    }
}

fn name_of(item: &SelectItem) -> Option<&str> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(&alias.value),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(&name.value),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(path)) => path.last().map(|p| p.value.as_str()),
        _ => None,
    }
}

/// Whether `*` has nothing with it but columns that it leaves out.
fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    options.opt_ilike.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_alias.is_none()
}

fn left_out(options: &WildcardAdditionalOptions) -> Vec<String> {
    let except =
        options.opt_except.iter().flat_map(|e| std::iter::once(&e.first_element).chain(&e.additional_elements));
    let exclude = match &options.opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => vec![name.clone()],
        Some(ExcludeSelectItem::Multiple(names)) => names.clone(),
        None => vec![],
    };
    let last = |name: &sqlparser::ast::ObjectName| {
        name.0.last().and_then(|p| p.as_ident()).map(|i| i.value.clone()).unwrap_or_default()
    };
    except.map(|i| i.value.clone()).chain(exclude.iter().map(last)).collect()
}

/// Writes the columns that tables have in common as what they stand for. Queries within have names of their own, but for
/// those of `USING (..) AS name`.
pub(super) fn with_merged(node: &mut impl VisitMut, seen: &[Visible]) {
    each_expression(node, |expr, depth| {
        let column = match &*expr {
            Expr::Identifier(name) if depth == 0 => merged(&name.value, seen).map(|v| &v.expr),
            Expr::CompoundIdentifier(path) => match path.as_slice() {
                [table, name] => of_table(&table.value, &name.value, seen),
                _ => None,
            },
            _ => None,
        };
        if let Some(column) = column {
            *expr = column.clone();
        }
    });
}
