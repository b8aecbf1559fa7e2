//! Names of tables in subqueries that differ from those of a query further out only in case: `.. FROM orders O WHERE EXISTS (.. o.id ..)`.
//!
//! DataFusion does not say which names there are further out, so that they are looked for before it plans.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, ObjectNamePart, Query, SetExpr, TableFactor, TableWithJoins, VisitorMut};

use crate::catalog::names::{Found, find};
use crate::parser::walk::walk_mut;

/// Writes such names as they were declared.
pub(crate) fn settle_outer_aliases(query: &mut Query) {
    // It never breaks.
    let _ = walk_mut(query, &mut Settle { scopes: vec![] });
}

/// The names of each of the queries around, from the outermost in.
struct Settle {
    scopes: Vec<Vec<String>>,
}

impl Settle {
    fn settle(&self, name: &mut Ident) {
        let Some((own, outer)) = self.scopes.split_last() else { return };
        let known = |scope: &[String]| find(&name.value, scope.iter().map(String::as_str)) != Found::None;
        // What is of the query itself is found when it is planned, and may be a column with fields.
        if name.quote_style.is_some() || known(own) || outer.iter().flatten().any(|n| *n == name.value) {
            return;
        }
        let declared = outer.iter().rev().find_map(|scope| match find(&name.value, scope.iter().map(String::as_str)) {
            Found::One(declared) => Some(declared.to_string()),
            _ => None,
        });
        if let Some(declared) = declared {
            name.value = declared;
        }
    }
}

impl VisitorMut for Settle {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let mut names = vec![];
        of_body(&query.body, &mut names);
        self.scopes.push(names);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [table, _, ..] = parts.as_mut_slice()
        {
            self.settle(table);
        }
        ControlFlow::Continue(())
    }
}

fn of_body(body: &SetExpr, names: &mut Vec<String>) {
    match body {
        SetExpr::Select(select) => select.from.iter().for_each(|from| of_tables(from, names)),
        SetExpr::SetOperation { left, right, .. } => {
            of_body(left, names);
            of_body(right, names);
        }
        _ => {}
    }
}

fn of_tables(tables: &TableWithJoins, names: &mut Vec<String>) {
    for factor in std::iter::once(&tables.relation).chain(tables.joins.iter().map(|j| &j.relation)) {
        match factor {
            TableFactor::Table { alias: Some(alias), .. }
            | TableFactor::Derived { alias: Some(alias), .. }
            | TableFactor::TableFunction { alias: Some(alias), .. }
            | TableFactor::UNNEST { alias: Some(alias), .. } => names.push(alias.name.value.clone()),
            TableFactor::Table { name, alias: None, .. } => {
                if let Some(ObjectNamePart::Identifier(last)) = name.0.last() {
                    names.push(last.value.clone());
                }
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => of_tables(table_with_joins, names),
            TableFactor::NestedJoin { alias: Some(alias), .. } => names.push(alias.name.value.clone()),
            _ => {}
        }
    }
}
