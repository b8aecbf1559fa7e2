//! `SELECT r.*` and `t.r.*`, where `r` is a row: its fields, one column each.
//!
//! DataFusion knows `*` of tables only. What is none is asked for as a field with a name of its own; [`FieldNames`]
//! answers with the fields that there are, as an error, and they are written out.
//!
//! [`FieldNames`]: super::FieldNames

use std::fmt;
use std::ops::ControlFlow;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result as PlanResult, plan_err};
use sqlparser::ast::{
    AccessExpr, Expr, Ident, ObjectName, ObjectNamePart, Select, SelectItem, SelectItemQualifiedWildcardKind, Value,
    VisitorMut, WildcardAdditionalOptions,
};

use super::Node;
use crate::error::missing_column;
use crate::parser::walk::walk_mut;

/// The field that stands for all.
const ALL: &str = "*";

/// The fields of a row of which all are asked for.
#[derive(Debug)]
struct Fields(Vec<String>);

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the fields are {}", self.0.join(", "))
    }
}

impl std::error::Error for Fields {}

/// Where `field` stands for all of a row: an error that says which there are. Of what is no row: that there are none.
pub(super) fn answer(of: &DataType, field: &str) -> PlanResult<()> {
    match of {
        _ if field != ALL => Ok(()),
        DataType::Struct(fields) => {
            let names = fields.iter().map(|f| f.name().clone()).collect();
            Err(DataFusionError::External(Box::new(Fields(names))))
        }
        _ => plan_err!("only tables and rows have '*'"),
    }
}

fn fields_of(error: &DataFusionError) -> Option<&Fields> {
    match error {
        DataFusionError::External(e) => e.downcast_ref(),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => fields_of(inner),
        DataFusionError::Shared(inner) => fields_of(inner),
        DataFusionError::Collection(all) => all.iter().find_map(fields_of),
        _ => None,
    }
}

/// What has no `*` because it is no table.
pub(crate) fn star_of(error: &DataFusionError) -> Option<String> {
    // The message is the only way that it tells the name.
    let text = error.strip_backtrace();
    text.split_once("Invalid qualifier ").map(|(_, name)| name.trim().to_lowercase())
}

/// Whether `error` says that there is no column `name` either.
pub(crate) fn is_no_column(error: &DataFusionError, name: &str) -> bool {
    missing_column(error).is_some_and(|(column, _)| column.flat_name().eq_ignore_ascii_case(name))
}

/// If `error` says that the `*` is of no table: asks for the fields of the column of that name. If it brings them: writes
/// them out. Whether it was one of these.
pub(super) fn write_out<N: Node>(node: &mut N, error: &DataFusionError) -> bool {
    let step = match (fields_of(error), star_of(error)) {
        (Some(fields), _) => Step::Write(&fields.0),
        (None, Some(name)) => Step::Ask(name),
        (None, None) => return false,
    };
    let mut stars = Stars { step, done: false };
    let _ = walk_mut(node, &mut stars);
    stars.done
}

enum Step<'a> {
    Ask(String),
    Write(&'a [String]),
}

struct Stars<'a> {
    step: Step<'a>,
    done: bool,
}

impl VisitorMut for Stars<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let found = select.projection.iter().enumerate().find_map(|(i, item)| Some((i, self.instead(item)?)));
        let Some((i, instead)) = found else { return ControlFlow::Continue(()) };
        select.projection.splice(i..=i, instead);
        self.done = true;
        // The next of them has an error of its own.
        ControlFlow::Break(())
    }
}

impl Stars<'_> {
    fn instead(&self, item: &SelectItem) -> Option<Vec<SelectItem>> {
        match (&self.step, item) {
            (
                Step::Ask(name),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(path), options),
            ) if *options == WildcardAdditionalOptions::default() => {
                let path = path_of(path)?;
                if path.iter().map(|i| i.value.to_lowercase()).collect::<Vec<_>>().join(".") != *name {
                    return None;
                }
                let root = match <[Ident; 1]>::try_from(path) {
                    Ok([column]) => Expr::Identifier(column),
                    Err(path) => Expr::CompoundIdentifier(path),
                };
                let all = Expr::Value(Value::SingleQuotedString(ALL.into()).with_empty_span());
                let all = Expr::CompoundFieldAccess { root: Box::new(root), access_chain: vec![AccessExpr::Dot(all)] };
                Some(vec![SelectItem::UnnamedExpr(all)])
            }
            (Step::Write(fields), SelectItem::UnnamedExpr(Expr::CompoundFieldAccess { root, access_chain })) => {
                let [AccessExpr::Dot(Expr::Value(all))] = access_chain.as_slice() else { return None };
                if all.value != Value::SingleQuotedString(ALL.into()) {
                    return None;
                }
                let path = match root.as_ref() {
                    Expr::Identifier(column) => vec![column.clone()],
                    Expr::CompoundIdentifier(path) => path.clone(),
                    _ => return None,
                };
                let field = |name: &String| {
                    let mut path = path.clone();
                    path.push(Ident::with_quote('`', name));
                    SelectItem::UnnamedExpr(Expr::CompoundIdentifier(path))
                };
                Some(fields.iter().map(field).collect())
            }
            _ => None,
        }
    }
}

fn path_of(name: &ObjectName) -> Option<Vec<Ident>> {
    let ident = |part: &ObjectNamePart| part.as_ident().cloned();
    name.0.iter().map(ident).collect()
}
