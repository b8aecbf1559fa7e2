//! What an `INSERT` writes: the query's columns, by place, as the columns that the sink wants.

use datafusion::arrow::compute::can_cast_types;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode;
use datafusion::functions::core::{get_field, named_struct};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit, when};
use sqlparser::ast;
use tidemill_core::table::OPERATION_COLUMN;
use tidemill_core::{Error, Result};

use crate::catalog::names::find_one;
use crate::catalog::{Column, ColumnKind, Table};
use crate::error::planning;
use crate::parser::Insert;
use crate::parser::types::type_name;

/// `plan` as rows of `table`: physical columns first, then the metadata columns that are written.
pub(crate) fn into_table(plan: LogicalPlan, table: &Table, insert: &Insert) -> Result<LogicalPlan> {
    // What a record does to the table is said by the changes of the result, not by the query.
    let operation = table.spec.options.text(&OPERATION_COLUMN);
    let is_written = |c: &&Column| {
        matches!(c.kind, ColumnKind::Physical | ColumnKind::Metadata { is_virtual: false, .. })
            && operation.is_none_or(|o| !o.eq_ignore_ascii_case(c.field.name()))
    };
    let writable: Vec<&Field> = table.columns.iter().filter(is_written).map(|c| c.field.as_ref()).collect();
    let fixed = fixed(table, insert, &writable)?;
    let is_fixed = |field: &Field| fixed.iter().any(|(name, _)| name == field.name());
    let targets: Vec<&Field> = match insert.columns.as_slice() {
        [] => writable.iter().copied().filter(|field| !is_fixed(field)).collect(),
        named => {
            let mut targets = vec![];
            for name in named {
                let found = find_one("column", &name.value, writable.iter().map(|f| f.name().as_str()))
                    .map_err(|e| not_written(table, &name.value).unwrap_or(e).at(name.span))?;
                let field = writable.iter().find(|f| f.name() == found).copied();
                let field = field.ok_or_else(|| Error::internal("a column that was just found"))?;
                if is_fixed(field) {
                    return Err(Error::statement(format!("column '{found}' has its value from PARTITION already"))
                        .at(name.span));
                }
                if targets.contains(&field) {
                    return Err(Error::statement(format!("column '{found}' is named twice")).at(name.span));
                }
                targets.push(field);
            }
            targets
        }
    };
    let columns = plan.schema().columns();
    // The sides of a UNION are only made one type when the query is optimised: what they seem to be now says little.
    let united = plan.exists(|node| Ok(matches!(node, LogicalPlan::Union(_)))).map_err(planning)?;
    if columns.len() != targets.len() {
        let names: Vec<_> = targets.iter().map(|f| f.name().as_str()).collect();
        return Err(Error::statement(format!(
            "the query has {} columns, and '{}' takes {}: {}",
            columns.len(),
            table.name,
            targets.len(),
            names.join(", ")
        ))
        .with_hint("Columns go by place. Name those that the query has: INSERT INTO t (a, b) SELECT ..")
        .at(insert.target.span));
    }
    let value = |field: &Field| -> Result<Expr> {
        if let Some((_, value)) = fixed.iter().find(|(name, _)| name == field.name()) {
            return Ok(cast(value.clone(), field.data_type().clone()).alias(field.name()));
        }
        let Some(i) = targets.iter().position(|t| *t == field) else {
            let null = ScalarValue::try_from(field.data_type()).map_err(planning)?;
            return Ok(lit(null).alias(field.name()));
        };
        let column = Expr::Column(columns[i].clone());
        let (from, to) = (plan.schema().field(i).data_type(), field.data_type());
        if from == to && !united {
            return Ok(if columns[i].name == *field.name() { column } else { column.alias(field.name()) });
        }
        if let Some(row) = row_by_place(&column, from, to) {
            return Ok(row.alias(field.name()));
        }
        if !can_cast_types(from, to) {
            return Err(Error::statement(format!(
                "column {} of the query, '{}', is {}, and column '{}' of '{}' is {}",
                i + 1,
                columns[i].name,
                type_name(from),
                field.name(),
                table.name,
                type_name(to)
            ))
            .at(insert.target.span));
        }
        Ok(cast(column, to.clone()).alias(field.name()))
    };
    let of = |metadata: bool| {
        let columns = table.columns.iter().filter(move |c| matches!(c.kind, ColumnKind::Metadata { .. }) == metadata);
        columns.filter(is_written).map(|c| value(&c.field))
    };
    let values = of(false).chain(of(true)).collect::<Result<Vec<_>>>()?;
    LogicalPlanBuilder::from(plan.clone()).project(values).and_then(LogicalPlanBuilder::build).map_err(planning)
}

/// The values of the partition columns, where `PARTITION (..)` says all of them.
pub(crate) fn partition(table: &Table, insert: &Insert) -> Result<Vec<(String, ScalarValue)>> {
    let fields: Vec<&Field> = table.columns.iter().map(|c| c.field.as_ref()).collect();
    let fixed = fixed(table, insert, &fields)?;
    if fixed.is_empty() || fixed.len() < table.spec.partition_by.len() {
        return Ok(vec![]);
    }
    let value = |(name, value): (String, Expr)| {
        let field = fields.iter().find(|f| *f.name() == name);
        let (Some(field), Expr::Literal(value, _)) = (field, value) else {
            return Err(Error::internal("a value of PARTITION that is none"));
        };
        Ok((name, value.cast_to(field.data_type()).map_err(planning).map_err(|e| e.at(insert.target.span))?))
    };
    fixed.into_iter().map(value).collect()
}

/// The partition columns whose value `PARTITION (..)` says.
fn fixed(table: &Table, insert: &Insert, writable: &[&Field]) -> Result<Vec<(String, Expr)>> {
    let mut fixed: Vec<(String, Expr)> = vec![];
    for (name, value) in &insert.partition {
        let by = table.spec.partition_by.iter().map(String::as_str);
        if by.len() == 0 {
            let e = Error::statement(format!("table '{}' is not PARTITIONED BY anything", table.name));
            return Err(e.at(name.span));
        }
        let column = find_one("partition column", &name.value, by).map_err(|e| e.at(name.span))?;
        if fixed.iter().any(|(known, _)| known == column) {
            return Err(Error::statement(format!("column '{column}' is named twice")).at(name.span));
        }
        let Some(value) = value else { continue };
        let literal = literal(value).ok_or_else(|| {
            Error::statement(format!("PARTITION needs a constant for '{column}'"))
                .with_hint("Write a text or a number; or select the column with the others.")
                .at(name.span)
        })?;
        if !writable.iter().any(|field| field.name() == column) {
            return Err(Error::internal("a partition column that is not written").at(name.span));
        }
        fixed.push((column.to_string(), literal));
    }
    Ok(fixed)
}

fn literal(value: &ast::Expr) -> Option<Expr> {
    match value {
        ast::Expr::Value(v) => match &v.value {
            ast::Value::Number(n, _) => Some(lit(n.clone())),
            ast::Value::SingleQuotedString(text) => Some(lit(text.clone())),
            ast::Value::Boolean(truth) => Some(lit(*truth)),
            ast::Value::Null => Some(lit(ScalarValue::Null)),
            _ => None,
        },
        // DATE '2024-01-31'
        ast::Expr::TypedString(typed) => typed.value.value.clone().into_string().map(lit),
        ast::Expr::UnaryOp { op: ast::UnaryOperator::Minus, expr } => match expr.as_ref() {
            ast::Expr::Value(v) => match &v.value {
                ast::Value::Number(n, _) => Some(lit(format!("-{n}"))),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// A row as one of as many fields under other names: as columns do, fields go by place.
fn row_by_place(row: &Expr, from: &DataType, to: &DataType) -> Option<Expr> {
    let (DataType::Struct(own), DataType::Struct(wanted)) = (from, to) else { return None };
    if own.len() != wanted.len() || own.iter().zip(wanted).all(|(o, w)| o.name() == w.name()) {
        return None;
    }
    let mut args = vec![];
    for (own, wanted) in own.iter().zip(wanted) {
        let value = get_field().call(vec![row.clone(), lit(own.name().as_str())]);
        let (from, to) = (own.data_type(), wanted.data_type());
        let value = match row_by_place(&value, from, to) {
            Some(inner) => inner,
            None if from == to => value,
            None if can_cast_types(from, to) => cast(value, to.clone()),
            None => return None,
        };
        args.extend([lit(wanted.name().as_str()), value]);
    }
    let known = named_struct().call(args);
    when(row.clone().is_not_null(), known).end().ok()
}

/// The column is there, but nothing is written to it.
fn not_written(table: &Table, name: &str) -> Option<Error> {
    let column = table.columns.iter().find(|c| c.field.name() == name)?;
    let what = match &column.kind {
        ColumnKind::Computed { .. } => "computed",
        ColumnKind::Metadata { is_virtual: true, .. } => "VIRTUAL",
        _ if table.spec.options.text(&OPERATION_COLUMN) == Some(name) => "the kind of change, which is filled in",
        _ => return None,
    };
    Some(Error::statement(format!("column '{name}' is {what}: it cannot be written")))
}
