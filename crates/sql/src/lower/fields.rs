//! Which fields of `ROW` columns the queries of a file read: the others are not decoded.
//!
//! Looked for only where it is plain to see: right above a scan, where a projection or an aggregation takes fields out of a
//! row and nobody else sees the row. DataFusion's optimiser pushes such projections down to the scan, so that this is
//! where they are. A row that is read as a whole, by anybody, is decoded as a whole.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result as PlanResult, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan, TableScanBuilder};
use tidemill_core::Result;

use super::changelog::table_changelog;
use crate::catalog::{ColumnKind, StreamScan};
use crate::error::planning;

/// The fields that are read of a column, each by the names that lead to it. The path without names is the whole column.
type Paths = BTreeSet<Vec<String>>;

/// The columns of a table, by the name that plans call it.
type Read = HashMap<String, HashMap<String, Paths>>;

/// Leaves the fields that no plan reads out of what the scans of `plans` decode.
pub(super) fn leave_out_unread(plans: &mut [LogicalPlan]) -> Result<()> {
    let mut read = Read::new();
    for plan in plans.iter() {
        visit(plan, &mut read).map_err(planning)?;
    }
    for plan in plans {
        let whole = std::mem::take(plan);
        *plan = narrowed(whole, &read).map_err(planning)?;
    }
    Ok(())
}

fn visit(plan: &LogicalPlan, read: &mut Read) -> PlanResult<()> {
    plan.apply_subqueries(|subquery| visit(subquery, read).map(|()| TreeNodeRecursion::Continue))?;
    match plan {
        LogicalPlan::TableScan(scan) => {
            visit_scan(scan, read);
            let columns = columns_of(scan, read);
            for field in scan.projected_schema.fields() {
                columns.entry(field.name().clone()).or_default().insert(vec![]);
            }
            return Ok(());
        }
        LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) => {
            let mut exprs = plan.expressions();
            if let Some(scan) = below_filters(plan.inputs()[0], &mut exprs) {
                visit_scan(scan, read);
                let columns = columns_of(scan, read);
                exprs.iter().for_each(|expr| note(expr, columns));
                return Ok(());
            }
        }
        _ => {}
    }
    plan.inputs().into_iter().try_for_each(|input| visit(input, read))
}

/// The scan under filters, whose conditions are added to `exprs`. Nothing with a query of its own within.
fn below_filters<'p>(plan: &'p LogicalPlan, exprs: &mut Vec<Expr>) -> Option<&'p TableScan> {
    match plan {
        LogicalPlan::TableScan(scan) => Some(scan),
        LogicalPlan::Filter(filter) => {
            exprs.push(filter.predicate.clone());
            below_filters(&filter.input, exprs)
        }
        LogicalPlan::SubqueryAlias(alias) => below_filters(&alias.input, exprs),
        _ => None,
    }
}

fn columns_of<'r>(scan: &TableScan, read: &'r mut Read) -> &'r mut HashMap<String, Paths> {
    read.entry(scan.table_name.to_string()).or_default()
}

/// What the scan itself reads: its filters, and the table's event time and watermark.
fn visit_scan(scan: &TableScan, read: &mut Read) {
    let columns = columns_of(scan, read);
    scan.filters.iter().for_each(|filter| note(filter, columns));
    let Some(stream) = scan.source.downcast_ref::<StreamScan>() else { return };
    if let Some(time) = &stream.table.event_time {
        note(&time.watermark, columns);
        if let ColumnKind::Computed { expr, .. } = &stream.table.columns[time.column].kind {
            note(expr, columns);
        }
    }
}

/// The columns and fields that `expr` reads.
fn note(expr: &Expr, columns: &mut HashMap<String, Paths>) {
    let walked = expr.apply(|e| {
        let Some((column, path)) = path(e) else { return Ok(TreeNodeRecursion::Continue) };
        columns.entry(column.to_owned()).or_default().insert(path);
        Ok(TreeNodeRecursion::Jump)
    });
    debug_assert!(walked.is_ok(), "the visitor has no error of its own");
}

/// A column, or a field of one, with the names that lead to it.
fn path(expr: &Expr) -> Option<(&str, Vec<String>)> {
    match expr {
        Expr::Column(column) => Some((&column.name, vec![])),
        Expr::ScalarFunction(call) if call.func.name() == "get_field" => {
            let (of, names) = call.args.split_first()?;
            let (column, mut path) = path(of)?;
            for name in names {
                let Expr::Literal(ScalarValue::Utf8(Some(name)), _) = name else { return None };
                path.push(name.clone());
            }
            Some((column, path))
        }
        _ => None,
    }
}

fn narrowed(plan: LogicalPlan, read: &Read) -> PlanResult<LogicalPlan> {
    let narrowed = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::TableScan(scan) => narrowed_scan(scan, read),
        // The nodes between a scan and what takes the fields out: their columns are the scan's.
        LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => Ok(Transformed::yes(node.recompute_schema()?)),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(narrowed.data)
}

fn narrowed_scan(scan: TableScan, read: &Read) -> PlanResult<Transformed<LogicalPlan>> {
    let unchanged = |scan| Ok(Transformed::no(LogicalPlan::TableScan(scan)));
    let (Some(stream), Some(columns)) =
        (scan.source.downcast_ref::<StreamScan>(), read.get(&scan.table_name.to_string()))
    else {
        return unchanged(scan);
    };
    // Without a key, what takes a row back is compared with all of it.
    if table_changelog(stream).is_ok_and(|c| c.is_some_and(|c| c.key.is_empty())) {
        return unchanged(scan);
    }
    let all = stream.source.schema();
    let fields = all.fields().iter().map(|field| match columns.get(field.name()) {
        Some(paths) => with_fields(field, &paths.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        None => Arc::clone(field),
    });
    let fields: Fields = fields.collect();
    if fields == *all.fields() {
        return unchanged(scan);
    }
    let Some(source) = stream.source.narrowed(Arc::new(Schema::new(fields))) else { return unchanged(scan) };
    let narrow = stream.over(source);
    let scan = TableScanBuilder::new(scan.table_name.clone(), Arc::new(narrow))
        .with_projection(scan.projection.clone())
        .with_filters(scan.filters.clone())
        .with_fetch(scan.fetch)
        .build()?;
    Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
}

/// `field` with the fields that `paths` lead to. One that is `NOT NULL` stays, since that is checked.
fn with_fields(field: &FieldRef, paths: &[&[String]]) -> FieldRef {
    let DataType::Struct(fields) = field.data_type() else { return Arc::clone(field) };
    if paths.is_empty() || paths.iter().any(|path| path.is_empty()) {
        return Arc::clone(field);
    }
    let kept = fields.iter().filter_map(|f| {
        let below: Vec<&[String]> = paths
            .iter()
            .filter_map(|path| path.split_first().filter(|(name, _)| *name == f.name()).map(|(_, rest)| rest))
            .collect();
        (!below.is_empty() || !f.is_nullable()).then(|| with_fields(f, &below))
    });
    Arc::new(Field::clone(field).with_data_type(DataType::Struct(kept.collect())))
}
