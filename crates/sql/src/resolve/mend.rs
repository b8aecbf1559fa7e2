//! Columns whose names differ only in case.

use std::ops::ControlFlow;

use datafusion::common::{Column, DataFusionError, SchemaError};
use sqlparser::ast::{AccessExpr, Expr, Ident, Value, VisitorMut};
use tidemill_core::{Error, Result, Span};

use super::Node;
use super::call_names::name_calls;
use super::duplicates::number_fields;
use super::grouped_once::group_once;
use super::named_casts::name_casts;
use super::row_stars;
use super::using::{MergedColumns, mark_stars, name_parts, write_out};
use crate::catalog::names::{Found, ambiguous, find};
use crate::error::{WHICH_TABLE, column_span, error_span, missing_column};
use crate::parser::source::place;
use crate::parser::walk::walk_mut;

/// If `error` is a column that was not found and exactly one differs only in case: writes that one. An error if there
/// are several; false if there is nothing to mend.
///
/// `opened` are the columns of all tables of the query, for errors that do not say which columns there are: those about
/// columns of an outer query.
///
/// `merged` are the columns of joins by name that were written out so far.
pub(crate) fn mend<N: Node>(
    node: &mut N,
    error: &DataFusionError,
    opened: &[Column],
    merged: &mut MergedColumns,
) -> Result<bool> {
    if write_out(node, error, merged)? || row_stars::write_out(node, error) {
        return Ok(true);
    }
    let Some((wrong, valid)) = missing_column(error) else {
        return Ok(mend_outer_field(node, error) || mend_long_path(node, error) || mend_duplicates(node, error));
    };
    let valid = if valid.is_empty() { opened } else { valid };
    let span = column_span(wrong);
    if wrong.relation.is_none() && merged.write_within(node, &wrong.name, error_span(error)) {
        return Ok(true);
    }
    let Some(renames) = renames(wrong, valid).map_err(|e| match span {
        Some(span) => e.at(span),
        None => e,
    })?
    else {
        let name = wrong.name.clone();
        // A second column of one name may be meant, which is numbered when it is asked for.
        return Ok(name_calls(node, &name) || (name.ends_with(|c: char| c.is_ascii_digit()) && number_fields(node)));
    };
    let mut mend = Mend { renames, at: span, wrong, done: false };
    let _ = walk_mut(node, &mut mend);
    if !mend.done && mend.at.is_some() {
        // The place may be that of a larger expression; the name alone is as good.
        mend.at = None;
        let _ = walk_mut(node, &mut mend);
    }
    Ok(mend.done)
}

/// The last parts of the name as they should be, from the table on.
fn renames(wrong: &Column, valid: &[Column]) -> Result<Option<Vec<String>>> {
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    let Some(relation) = &wrong.relation else {
        return Ok(match find(&wrong.name, valid.iter().map(|c| c.name.as_str())) {
            Found::One(name) if name != wrong.name => Some(vec![name.to_string()]),
            Found::Many(close) => return Err(ambiguous("column", &wrong.name, &close)),
            _ => None,
        });
    };
    let of_relation = |c: &&Column| c.relation.as_ref().is_some_and(|r| same(r.table(), relation.table()));
    let names = valid.iter().filter(of_relation).map(|c| c.name.as_str());
    match find(&wrong.name, names) {
        Found::One(name) => {
            let tables = valid.iter().filter(of_relation).filter(|c| c.name == name);
            let table = tables.filter_map(|c| c.relation.as_ref()).map(|r| r.table()).next();
            let fixed = vec![table.unwrap_or(relation.table()).to_string(), name.to_string()];
            return Ok((fixed[0] != relation.table() || fixed[1] != wrong.name).then_some(fixed));
        }
        Found::Many(close) => return Err(ambiguous("column", &wrong.name, &close)),
        Found::None => {}
    }
    // Not a table but a column with fields: the first part is the column.
    if valid.iter().filter(|c| c.name == relation.table()).count() > 1 {
        let message = format!("column '{}' is ambiguous: more than one input has it", relation.table());
        let of = valid.iter().filter(|c| c.name == relation.table());
        let which = of.filter_map(|c| c.relation.as_ref()).map(|r| format!("{}.{}", r.table(), relation.table()));
        let which = which.collect::<Vec<_>>().join(" or ");
        let hint = if which.is_empty() { WHICH_TABLE.into() } else { format!("Say which: {which}.") };
        return Err(Error::statement(message).with_hint(hint));
    }
    Ok(match find(relation.table(), valid.iter().map(|c| c.name.as_str())) {
        Found::One(column) if column != relation.table() => Some(vec![column.to_string(), wrong.name.clone()]),
        _ => None,
    })
}

/// Whether DataFusion says that two columns would have one name.
pub(crate) fn is_duplicate(error: &DataFusionError) -> bool {
    // Of two expressions the message is the only way that it tells.
    two_columns(error) || error.strip_backtrace().contains("require unique expression names")
}

fn two_columns(error: &DataFusionError) -> bool {
    match error {
        DataFusionError::SchemaError(e, _) => matches!(
            e.as_ref(),
            SchemaError::DuplicateQualifiedField { .. }
                | SchemaError::DuplicateUnqualifiedField { .. }
                | SchemaError::AmbiguousReference { .. }
        ),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => two_columns(inner),
        DataFusionError::Shared(inner) => two_columns(inner),
        DataFusionError::Collection(all) => all.iter().any(two_columns),
        _ => false,
    }
}

/// Columns of one name that are seen only when they are planned: of parts of a FROM without a name, of expressions that
/// differ by a cast, fields of different rows (`SELECT a.x, b.x`), those of `*`, and what GROUP BY names twice.
fn mend_duplicates<N: Node>(node: &mut N, error: &DataFusionError) -> bool {
    let mends: [fn(&mut N) -> bool; 5] = [name_parts, name_casts, number_fields, mark_stars, group_once];
    is_duplicate(error) && mends.into_iter().any(|mend| mend(node))
}

/// DataFusion does not look into fields of a column of an outer query (`CROSS JOIN UNNEST(t.row_column.list)`) where they
/// are written with dots; written as an access to a field it does.
fn mend_outer_field<N: Node>(node: &mut N, error: &DataFusionError) -> bool {
    // The message is the only way that it tells the column.
    const MESSAGE: &str = "Nested identifiers are not yet supported for OuterReferenceColumn ";
    let text = error.strip_backtrace();
    let Some((_, column)) = text.split_once(MESSAGE) else { return false };
    let column = Column::from_qualified_name(column.trim());
    let table = column.relation.as_ref().map(|r| r.table());
    mend_paths(node, |path| {
        let own = match path {
            [t, c, _, ..] if Some(t.value.as_str()) == table && c.value == column.name => 2,
            [c, _, ..] if c.value == column.name => 1,
            _ => return None,
        };
        Some(fields_of(path, own))
    })
}

/// A column of an outer query is looked for by the first four names of a path only (`t.row_column.a.b.c`): the names after
/// them become accesses to fields, and [`mend_outer_field`] does the rest.
fn mend_long_path<N: Node>(node: &mut N, error: &DataFusionError) -> bool {
    // The message is the only way that it tells the path.
    const MESSAGE: &str = "compound identifier: ";
    let text = error.strip_backtrace();
    let Some((_, wrong)) = text.split_once(MESSAGE) else { return false };
    mend_paths(node, |path| {
        let names: Vec<&str> = path.iter().map(|i| i.value.as_str()).collect();
        let meant = names.len() > LONGEST_COLUMN && format!("{names:?}") == wrong.trim();
        meant.then(|| fields_of(path, LONGEST_COLUMN))
    })
}

/// `catalog.database.table.column`.
const LONGEST_COLUMN: usize = 4;

/// Puts what `instead` gives in the place of paths of names; whether there was one.
fn mend_paths<N: Node>(node: &mut N, instead: impl FnMut(&[Ident]) -> Option<Expr>) -> bool {
    struct Paths<F> {
        instead: F,
        done: bool,
    }
    impl<F: FnMut(&[Ident]) -> Option<Expr>> VisitorMut for Paths<F> {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::CompoundIdentifier(path) = expr
                && let Some(instead) = (self.instead)(path)
            {
                *expr = instead;
                self.done = true;
            }
            ControlFlow::Continue(())
        }
    }
    let mut paths = Paths { instead, done: false };
    let _ = walk_mut(node, &mut paths);
    paths.done
}

/// The path with all names after the first `own` as accesses to fields.
fn fields_of(path: &[Ident], own: usize) -> Expr {
    let (root, fields) = path.split_at(own);
    let root = match root {
        [one] => Expr::Identifier(one.clone()),
        _ => Expr::CompoundIdentifier(root.to_vec()),
    };
    let access = |field: &Ident| {
        AccessExpr::Dot(Expr::Value(Value::SingleQuotedString(field.value.clone()).with_span(field.span)))
    };
    Expr::CompoundFieldAccess { root: Box::new(root), access_chain: fields.iter().map(access).collect() }
}

struct Mend<'a> {
    renames: Vec<String>,
    at: Option<Span>,
    wrong: &'a Column,
    done: bool,
}

impl Mend<'_> {
    fn mend(&mut self, idents: &mut [Ident]) {
        let (Some(first), count) = (idents.first(), self.renames.len()) else { return };
        let here = place(first.span);
        if self.at.is_some_and(|at| (at.line, at.column) != (here.line, here.column)) {
            return;
        }
        // A column may be the beginning of a path of fields: only its own parts are looked at.
        if idents.len() < count || (idents.len() > count && count == 1) {
            return;
        }
        let table = self.wrong.relation.as_ref().map(|r| r.table());
        let wrong = table.into_iter().chain([self.wrong.name.as_str()]);
        if !idents.iter().zip(wrong).all(|(ident, wrong)| ident.value == wrong) {
            return;
        }
        for (ident, name) in idents.iter_mut().zip(&self.renames) {
            ident.value.clone_from(name);
        }
        self.done = true;
    }
}

impl VisitorMut for Mend<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.mend(std::slice::from_mut(ident)),
            Expr::CompoundIdentifier(idents) => self.mend(idents),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
