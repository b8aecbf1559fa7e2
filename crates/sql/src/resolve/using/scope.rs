//! The columns that are in sight behind a join, and what each of them stands for.

use datafusion::common::{Column, TableReference};
use sqlparser::ast::{
    BinaryOperator, Expr, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Spanned, TableFactor,
    TableWithJoins, Value,
};
use sqlparser::tokenizer::Span;
use tidemill_core::{Error, Result};

use super::mark::{constraint, constraint_mut};
use super::rewrite::with_merged;
use crate::catalog::names::{Found, find, find_one};
use crate::parser::forms::call;
use crate::parser::source::place;
use crate::parser::using_alias;

/// A column in sight.
#[derive(Debug, Clone)]
pub(super) struct Visible {
    pub(super) name: String,
    /// What it stands for.
    pub(super) expr: Expr,
    /// Whether it is one column of several tables.
    pub(super) merged: bool,
    /// The names that `USING (..) AS name` gives to such columns, and what it stands for behind each of these joins.
    pub(super) tables: Vec<(Ident, Expr)>,
}

/// Writes the joins of `joined` with `ON`, and tells the columns that are in sight then. `parts` are those of each part.
pub(super) fn resolve(
    joined: &mut TableWithJoins,
    parts: &mut impl Iterator<Item = Vec<Column>>,
) -> Result<Vec<Visible>> {
    let mut left = of_part(&mut joined.relation, parts)?;
    for join in &mut joined.joins {
        let right = of_part(&mut join.relation, parts)?;
        let mut table = None;
        let keys = match constraint(&join.join_operator) {
            Some(JoinConstraint::Using(names)) => {
                table = names.iter().find_map(using_alias::name_of).cloned();
                let names = names.iter().filter(|name| using_alias::name_of(name).is_none());
                let keys = names.map(|name| key(name, &left, &right));
                keys.collect::<Result<Vec<_>>>()?
            }
            Some(JoinConstraint::Natural) => {
                let both = |l: &&Visible| right.iter().any(|r| r.name == l.name);
                let names: Vec<_> = left.iter().filter(both).map(|l| l.name.clone()).collect();
                let keys = names.iter().map(|name| Ok((one(name, &left)?, one(name, &right)?)));
                keys.collect::<Result<Vec<_>>>()?
            }
            _ => {
                if let Some(JoinConstraint::On(on)) = constraint_mut(&mut join.join_operator) {
                    let seen: Vec<_> = left.iter().chain(&right).cloned().collect();
                    with_merged(on, &seen);
                }
                left = in_sight(&join.join_operator, left, right, vec![], None);
                continue;
            }
        };
        let equal = keys.iter().map(|(l, r)| Expr::BinaryOp {
            left: Box::new(l.expr.clone()),
            op: BinaryOperator::Eq,
            right: Box::new(r.expr.clone()),
        });
        let and = |a, b| Expr::BinaryOp { left: Box::new(a), op: BinaryOperator::And, right: Box::new(b) };
        let always = || Expr::Value(Value::Boolean(true).with_empty_span());
        let on = equal.reduce(and).unwrap_or_else(always);
        if let Some(constraint) = constraint_mut(&mut join.join_operator) {
            *constraint = JoinConstraint::On(on);
        }
        left = in_sight(&join.join_operator, left, right, keys, table);
    }
    Ok(left)
}

fn of_part(part: &mut TableFactor, parts: &mut impl Iterator<Item = Vec<Column>>) -> Result<Vec<Visible>> {
    if let TableFactor::NestedJoin { table_with_joins, alias: None } = part {
        // A trait object: the function would otherwise be made anew for each depth.
        let parts: &mut dyn Iterator<Item = Vec<Column>> = parts;
        return resolve(table_with_joins, &mut { parts });
    }
    let columns = parts.next().ok_or_else(|| Error::internal("a join has more parts than were planned"))?;
    Ok(columns.into_iter().map(visible).collect())
}

/// A column as it is.
pub(super) fn visible(column: Column) -> Visible {
    let name = Ident::with_quote('`', &column.name);
    let expr = match &column.relation {
        None => Expr::Identifier(name),
        Some(relation) => {
            let mut path = match relation {
                TableReference::Bare { table } => vec![table],
                TableReference::Partial { schema, table } => vec![schema, table],
                TableReference::Full { catalog, schema, table } => vec![catalog, schema, table],
            }
            .into_iter()
            .map(|p| Ident::with_quote('`', p.as_ref()))
            .collect::<Vec<_>>();
            path.push(name);
            Expr::CompoundIdentifier(path)
        }
    };
    Visible { name: column.name, expr, merged: false, tables: vec![] }
}

/// What is in sight behind a join: first the columns that both sides have in common.
fn in_sight(
    operator: &JoinOperator,
    left: Vec<Visible>,
    right: Vec<Visible>,
    keys: Vec<(Visible, Visible)>,
    table: Option<Ident>,
) -> Vec<Visible> {
    use JoinOperator::*;
    match operator {
        Semi(_) | LeftSemi(_) | Anti(_) | LeftAnti(_) => return left,
        RightSemi(_) | RightAnti(_) => return right,
        _ => {}
    }
    let rest = |side: Vec<Visible>, is_key: &dyn Fn(&Visible) -> bool| {
        side.into_iter().filter(|v| !is_key(v)).collect::<Vec<_>>()
    };
    let left = rest(left, &|v| keys.iter().any(|(l, _)| l.name == v.name));
    let right = rest(right, &|v| keys.iter().any(|(_, r)| r.name == v.name));
    let common = keys.into_iter().map(|(l, r)| {
        let expr = match operator {
            Right(_) | RightOuter(_) => r.expr,
            FullOuter(_) => call("coalesce", Span::empty(), [l.expr, r.expr]),
            _ => l.expr,
        };
        let named = table.iter().map(|table| (table.clone(), expr.clone()));
        let tables = l.tables.into_iter().chain(r.tables).chain(named).collect();
        Visible { name: l.name, expr, merged: true, tables }
    });
    common.chain(left).chain(right).collect()
}

/// The columns of both sides that a name in `USING` means.
fn key(name: &ObjectName, left: &[Visible], right: &[Visible]) -> Result<(Visible, Visible)> {
    let at = |e: Error| e.at(place(name.span()));
    let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
        return Err(at(Error::statement(format!("USING takes the names of columns, and '{name}' is none"))));
    };
    let of = |side: &[Visible]| {
        let found = find_one("column", &ident.value, side.iter().map(|v| v.name.as_str()))?.to_string();
        one(&found, side)
    };
    Ok((of(left).map_err(at)?, of(right).map_err(at)?))
}

/// The column of exactly this name.
fn one(name: &str, side: &[Visible]) -> Result<Visible> {
    let mut found = side.iter().filter(|v| v.name == name);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.clone()),
        _ => Err(Error::statement(format!("column '{name}' is ambiguous: more than one input has it"))
            .with_hint("Write ON, and say which.")),
    }
}

/// What `name` stands for among the columns that `USING (..) AS table` has.
pub(super) fn of_table<'a>(table: &str, name: &str, seen: &'a [Visible]) -> Option<&'a Expr> {
    let columns = || all_of_table(table, seen);
    let Found::One(found) = find(name, columns().map(|(v, _)| v.name.as_str())) else { return None };
    columns().find(|(v, _)| v.name == found).map(|(_, expr)| expr)
}

/// The columns that `USING (..) AS table` has, and what each stands for there.
pub(super) fn all_of_table<'a>(table: &str, seen: &'a [Visible]) -> impl Iterator<Item = (&'a Visible, &'a Expr)> {
    let names = seen.iter().flat_map(|v| v.tables.iter().map(|(t, _)| t.value.as_str()));
    let called = match find(table, names) {
        Found::One(found) => Some(found),
        _ => None,
    };
    let of = move |v: &'a Visible| {
        let (_, expr) = v.tables.iter().find(|(t, _)| Some(t.value.as_str()) == called)?;
        Some((v, expr))
    };
    seen.iter().filter_map(of)
}

/// The column of several tables that a name means, if it does and no other column is called so.
pub(super) fn merged<'a>(name: &str, seen: &'a [Visible]) -> Option<&'a Visible> {
    let Found::One(found) = find(name, seen.iter().map(|v| v.name.as_str())) else { return None };
    let mut found = seen.iter().filter(|v| v.name == found);
    match (found.next(), found.next()) {
        (Some(one), None) if one.merged => Some(one),
        _ => None,
    }
}
