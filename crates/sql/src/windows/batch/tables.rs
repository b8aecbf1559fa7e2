//! Tables that are given in place of streams.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result as PlanResult, TableReference, plan_err};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableScan};
use tidemill_core::Result;

use super::expand;
use super::session_arrival;
use crate::aggregates::own_order;
use crate::catalog::{ColumnKind, StreamScan};
use crate::error::planning;

/// `plan` over the tables given by name instead of over streams, with plain DataFusion for its window functions: ready
/// for `SessionState::create_physical_plan`.
///
/// A table is found by its [`given_name`] and holds the columns that its source would decode; a history all columns of its scan. Rows without event time are left out, as a stream
/// rejects them.
pub fn batch_plan(plan: &LogicalPlan, tables: &HashMap<String, Arc<dyn TableProvider>>) -> Result<LogicalPlan> {
    let given = plan.clone().transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::TableScan(scan) => match scan.source.downcast_ref::<StreamScan>() {
            Some(stream) => Ok(Transformed::yes(table(&scan, stream, tables)?)),
            None => Ok(Transformed::no(LogicalPlan::TableScan(scan))),
        },
        other => Ok(Transformed::no(other)),
    });
    expand(given.and_then(|plan| own_order::each_in_its_own(session_arrival::kept(plan.data)?)).map_err(planning)?)
}

/// What the rows of a scan are called among the given tables.
pub fn given_name(stream: &StreamScan) -> String {
    if stream.history { format!("history of {}", stream.table.name) } else { stream.table.name.clone() }
}

fn table(
    scan: &TableScan,
    stream: &StreamScan,
    tables: &HashMap<String, Arc<dyn TableProvider>>,
) -> PlanResult<LogicalPlan> {
    let name = given_name(stream);
    let Some(provider) = tables.get(&name) else { return plan_err!("the rows of table '{name}' are not given") };
    let decoded = scan.source.schema();
    // The reference that the plan has for the table may be of any length; this one is looked up nowhere.
    let given = TableReference::bare(name.clone());
    let mut rows = LogicalPlanBuilder::scan(given.clone(), provider_as_source(Arc::clone(provider)), None)?;
    let mut columns: Vec<Expr> = vec![];
    for field in provider.schema().fields() {
        columns.push(Expr::Column(Column::new(Some(given.clone()), field.name())));
    }
    let time = stream.table.event_time.as_ref().map(|t| &stream.table.columns[t.column]);
    if let (Some(ColumnKind::Computed { expr, .. }), false) = (time.map(|t| &t.kind), stream.history) {
        columns.push(expr.as_ref().clone());
    }
    let named = columns.into_iter().zip(decoded.fields());
    let named: Vec<Expr> = named.map(|(e, f)| e.alias_qualified(Some(scan.table_name.clone()), f.name())).collect();
    rows = rows.project(named)?;
    let column = |name: &str| Expr::Column(Column::new(Some(scan.table_name.clone()), name));
    if let Some(time) = time {
        rows = rows.filter(column(time.field.name()).is_not_null())?;
    }
    if let Some(filter) = conjunction(scan.filters.clone()) {
        rows = rows.filter(filter)?;
    }
    let wanted: Vec<Expr> = scan.projected_schema.columns().into_iter().map(Expr::Column).collect();
    rows.project(wanted)?.limit(0, scan.fetch)?.build()
}
