//! Tables that have versions: what a temporal join may read as of a time.
//!
//! A table with a PRIMARY KEY and a watermark has a version of a row for each row of its key, from that row's event time on
//! up to the next one's. Where its records are changes, they are read as a history: a deletion ends the version of its key. So has a view that keeps the last row of each key (`ROW_NUMBER() OVER (PARTITION BY key ORDER BY time
//! DESC) = 1`): its versions are the rows that it has seen, and those are joined. A view that keeps the first row of each key has
//! one version of it, from that row's time on.

use std::sync::Arc;

use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::expr::WindowFunctionParams;
use datafusion::logical_expr::logical_plan::{Projection, TableScanBuilder, Window};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Filter, LogicalPlan, Operator, SubqueryAlias, TableScan, lit};

use tidemill_plan::history::{GONE, ORDER};

use crate::catalog::StreamScan;
use crate::error::carried;
use crate::lower::changelog::table_changelog;

/// A relation with versions.
pub(super) struct Versions {
    /// Its versions as rows: first [`hidden`](Self::hidden) columns, then those of the relation.
    pub(super) plan: LogicalPlan,
    /// The columns that are none of the relation's, if its versions may end: [`ORDER`] and [`GONE`].
    pub(super) hidden: Vec<Column>,
    /// The column of the relation in which their time stands.
    pub(super) time: usize,
    /// The columns of the key.
    pub(super) key: Vec<usize>,
    /// The column that ranks the rows of a key, the last one first, and whether the others are filtered out.
    rank: Option<(usize, bool)>,
}

/// The versions of `plan`, or why it has none: the end of a sentence.
pub(super) fn versions(plan: &LogicalPlan) -> Result<Result<Versions, String>> {
    Ok(match find(plan)? {
        Ok(Versions { rank: Some((_, false)), .. }) => Err("all of its rows are kept, not the last of each key".into()),
        other => other,
    })
}

fn find(plan: &LogicalPlan) -> Result<Result<Versions, String>> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => {
            let mut inner = match find(&alias.input)? {
                Ok(inner) => inner,
                none => return Ok(none),
            };
            let plan = LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(Arc::new(inner.plan), alias.alias.clone())?);
            inner.hidden.iter_mut().for_each(|c| c.relation = Some(alias.alias.clone()));
            Ok(Ok(Versions { plan, ..inner }))
        }
        LogicalPlan::Projection(projection) => of_projection(projection),
        LogicalPlan::Filter(filter) => of_filter(filter),
        LogicalPlan::Window(window) => of_ranked_rows(window),
        LogicalPlan::TableScan(scan) => of_table(plan, scan),
        _ => Ok(Err("it is neither a table nor a view that keeps the last row of each key".into())),
    }
}

fn of_table(plan: &LogicalPlan, scan: &TableScan) -> Result<Result<Versions, String>> {
    let Some(stream) = scan.source.downcast_ref::<StreamScan>() else {
        return Ok(Err("it is a system table".into()));
    };
    let table = &stream.table;
    let Some(time) = &table.event_time else { return Ok(Err("it has no WATERMARK".into())) };
    if table.primary_key.is_empty() {
        return Ok(Err("it has no PRIMARY KEY".into()));
    }
    let place = |column: usize| {
        let name = table.columns[column].field.name();
        scan.projected_schema.fields().iter().position(|f| f.name() == name)
    };
    let key: Option<Vec<usize>> = table.primary_key.iter().map(|c| place(*c)).collect();
    match (place(time.column), key) {
        (Some(time), Some(key)) => {
            let (plan, hidden) = match table_changelog(stream).map_err(carried)? {
                Some(_) => of_changes(scan, stream)?,
                None => (plan.clone(), vec![]),
            };
            Ok(Ok(Versions { plan, hidden, time, key, rank: None }))
        }
        _ => Ok(Err("its PRIMARY KEY is not of columns that are read".into())),
    }
}

/// The history of a table of changes, and the columns that say what its rows are.
fn of_changes(scan: &TableScan, stream: &StreamScan) -> Result<(LogicalPlan, Vec<Column>)> {
    let own = stream.own_columns();
    let mut read = scan.projection.clone().unwrap_or_else(|| (0..own).collect());
    read.extend([own, own + 1]);
    let history = TableScanBuilder::new(scan.table_name.clone(), Arc::new(stream.clone().of_history()))
        .with_projection(Some(read))
        .with_filters(scan.filters.clone())
        .build()?;
    let hidden = [ORDER, GONE].map(|name| Column::new(Some(scan.table_name.clone()), name)).to_vec();
    let columns = hidden.iter().cloned().chain(scan.projected_schema.columns());
    let columns = columns.map(Expr::Column).collect();
    let plan = LogicalPlan::Projection(Projection::try_new(columns, Arc::new(LogicalPlan::TableScan(history)))?);
    Ok((plan, hidden))
}

fn of_projection(projection: &Projection) -> Result<Result<Versions, String>> {
    let inner = match find(&projection.input)? {
        Ok(inner) => inner,
        none => return Ok(none),
    };
    let schema = projection.input.schema();
    let place = |column: usize| {
        let is = |e: &Expr| matches!(e.clone().unalias_nested().data, Expr::Column(c) if schema.maybe_index_of_column(&c) == Some(column));
        projection.expr.iter().position(is)
    };
    let key: Option<Vec<usize>> = inner.key.iter().map(|c| place(*c)).collect();
    let (Some(time), Some(key)) = (place(inner.time), key) else {
        return Ok(Err("its time or its key is not among its columns".into()));
    };
    let rank = match inner.rank {
        Some((rank, filtered)) => match place(rank) {
            Some(rank) => Some((rank, filtered)),
            None if filtered => None,
            None => return Ok(Err("all of its rows are kept, not the last of each key".into())),
        },
        None => None,
    };
    let hidden = inner.hidden;
    let columns = hidden.iter().cloned().map(Expr::Column).chain(projection.expr.iter().cloned()).collect();
    let plan = LogicalPlan::Projection(Projection::try_new(columns, Arc::new(inner.plan))?);
    Ok(Ok(Versions { plan, hidden, time, key, rank }))
}

/// Conditions on the key leave out keys; any other would leave out versions, and with them the ends of those before.
fn of_filter(filter: &Filter) -> Result<Result<Versions, String>> {
    let inner = match find(&filter.input)? {
        Ok(inner) => inner,
        none => return Ok(none),
    };
    let schema = filter.input.schema();
    let mut rank = inner.rank;
    for condition in split_conjunction(&filter.predicate) {
        let columns: Option<Vec<usize>> =
            condition.column_refs().into_iter().map(|c| schema.maybe_index_of_column(c)).collect();
        let columns = columns.unwrap_or_default();
        match rank {
            Some((at, _)) if columns == [at] && is_first(condition) => rank = Some((at, true)),
            _ if !columns.is_empty() && columns.iter().all(|c| inner.key.contains(c)) => {}
            _ => return Ok(Err(format!("'{condition}' leaves out some of its versions"))),
        }
    }
    let plan = LogicalPlan::Filter(Filter::try_new(filter.predicate.clone(), Arc::new(inner.plan))?);
    Ok(Ok(Versions { plan, rank, ..inner }))
}

/// `rank = 1` and what means the same.
fn is_first(condition: &Expr) -> bool {
    let number = |e: &Expr| match e {
        Expr::Literal(value, _) => value.cast_to(&datafusion::arrow::datatypes::DataType::Int64).ok(),
        _ => None,
    };
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return false };
    let (op, bound) = match (number(left), number(right)) {
        (None, Some(n)) => (Some(*op), n),
        (Some(n), None) => (op.swap(), n),
        _ => return false,
    };
    matches!(
        (op, bound),
        (Some(Operator::Eq | Operator::LtEq), ScalarValue::Int64(Some(1)))
            | (Some(Operator::Lt), ScalarValue::Int64(Some(2)))
    )
}

/// `ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC)`: every row has once been the last of its key, and its rank was 1
/// then. In ascending order only one row of a key is ranked so.
fn of_ranked_rows(window: &Window) -> Result<Result<Versions, String>> {
    let none = |why: &str| Ok(Err(why.to_string()));
    let [function] = window.window_expr.as_slice() else {
        return none("it has more than one function with OVER");
    };
    let Expr::WindowFunction(call) = function.clone().unalias_nested().data else {
        return none("it has a function with OVER that is not ROW_NUMBER()");
    };
    let WindowFunctionParams { partition_by, order_by, filter: None, .. } = &call.params else {
        return none("its ROW_NUMBER() has a FILTER");
    };
    if !call.fun.name().eq_ignore_ascii_case("row_number") {
        return none("it has a function with OVER that is not ROW_NUMBER()");
    }
    let schema = window.input.schema();
    let place = |e: &Expr| match e {
        Expr::Column(c) => schema.maybe_index_of_column(c),
        _ => None,
    };
    let key: Option<Vec<usize>> = partition_by.iter().map(place).collect();
    let (Some(key), [order]) = (key.filter(|k| !k.is_empty()), order_by.as_slice()) else {
        return none("its ROW_NUMBER() is not OVER (PARTITION BY key columns ORDER BY time DESC)");
    };
    let Some(time) = place(&order.expr) else {
        return none("its ROW_NUMBER() is not OVER (PARTITION BY key columns ORDER BY time DESC)");
    };
    if order.asc {
        // The first row of a key is its only version, which it has from that row's time on.
        let (plan, rank) = (LogicalPlan::Window(window.clone()), Some((schema.fields().len(), false)));
        return Ok(Ok(Versions { plan, hidden: vec![], time, key, rank }));
    }
    // Of a table of changes with that key and time, whose versions may also end.
    let (input, hidden) = match find(&window.input)? {
        Ok(inner) if inner.time == time && same(&inner.key, &key) => (inner.plan, inner.hidden),
        _ => (window.input.as_ref().clone(), vec![]),
    };
    let columns = hidden.iter().cloned().chain(schema.columns()).map(Expr::Column);
    let (_, ranked) = window.schema.qualified_field(schema.fields().len());
    let columns = columns.chain([lit(1_u64).alias(ranked.name())]).collect();
    let rank = Some((schema.fields().len(), false));
    let plan = LogicalPlan::Projection(Projection::try_new(columns, Arc::new(input))?);
    Ok(Ok(Versions { plan, hidden, time, key, rank }))
}

/// Whether both are the same columns, in any order.
fn same(a: &[usize], b: &[usize]) -> bool {
    a.iter().all(|c| b.contains(c)) && b.iter().all(|c| a.contains(c))
}
