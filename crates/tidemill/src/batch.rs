//! The batch answer: what DataFusion says to the same statement over all rows at once. The right side of the law.

mod final_table;
mod history;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::config::ConfigNonZeroUsize;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::physical_plan::{collect, execute_stream};
use futures::TryStreamExt;
use tidemill_core::source::{ReadRequest, Source};
use tidemill_core::{Delta, EpochClock, Error, Result};
use tidemill_sql::catalog::StreamScan;
use tidemill_sql::lower::changelog::table_changelog;
use tidemill_sql::session::{Planner, Query};
use tidemill_sql::windows::batch::{batch_plan, given_name, settled};

use crate::session::Session;

/// Reads all rows of the tables that the one query of `text` names, and answers it in one batch. Late rows are not late
/// here: a batch sees all rows at once.
///
/// # Errors
/// If the text is not one query over bounded tables.
pub async fn answer(session: &Session, text: &str) -> Result<RecordBatch> {
    let planner = Planner::new(&session.catalog, EpochClock::default())?;
    answer_query(&planner, &one_query(&planner, text)?).await
}

/// The query of `text` as plain DataFusion over tables in memory, to be run with [`run`].
///
/// # Errors
/// If the text is not one query over bounded tables.
pub async fn prepare(session: &Session, text: &str) -> Result<(SessionState, LogicalPlan)> {
    prepare_with(session, text, 1, 8_192).await
}

/// As [`prepare`], for so many threads over batches of so many rows.
///
/// # Errors
/// If the text is not one query over bounded tables.
pub async fn prepare_with(
    session: &Session,
    text: &str,
    threads: usize,
    batch_rows: usize,
) -> Result<(SessionState, LogicalPlan)> {
    let planner = Planner::new(&session.catalog, EpochClock::default())?;
    let query = one_query(&planner, text)?;
    prepare_plan(&planner, &query.plan, threads, batch_rows).await
}

fn one_query(planner: &Planner, text: &str) -> Result<Query> {
    let statements = tidemill_sql::parser::parse(text)?;
    let [statement] = statements.as_slice() else {
        return Err(Error::statement("one query is asked for here"));
    };
    let mut queries = planner.query(statement)?;
    match (queries.pop(), queries.is_empty()) {
        (Some(query), true) => Ok(query),
        _ => Err(Error::statement("one query is asked for here")),
    }
}

/// The batch answer of a query that has been planned.
///
/// # Errors
/// If a table has no end, or what DataFusion says.
pub(crate) async fn answer_query(planner: &Planner, query: &Query) -> Result<RecordBatch> {
    let plan = settled(query.plan.clone())?;
    let (state, plan) = prepare_plan(planner, &plan, 1, 8_192).await?;
    run(&state, &plan).await
}

async fn prepare_plan(
    planner: &Planner,
    plan: &LogicalPlan,
    threads: usize,
    batch_rows: usize,
) -> Result<(SessionState, LogicalPlan)> {
    let tables = tables_of(plan, planner.state(), threads, batch_rows).await?;
    let plan = batch_plan(plan, &tables)?;
    Ok((state_for(planner.state(), threads, batch_rows)?, plan))
}

/// The rows of all tables that `plan` reads, as they are now.
pub(crate) async fn tables_of(
    plan: &LogicalPlan,
    state: &SessionState,
    threads: usize,
    batch_rows: usize,
) -> Result<HashMap<String, Arc<dyn TableProvider>>> {
    let mut scans: HashMap<String, StreamScan> = HashMap::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(stream) = scan.source.downcast_ref::<StreamScan>()
        {
            scans.insert(given_name(stream), stream.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map_err(failed)?;
    let mut tables: HashMap<String, Arc<dyn TableProvider>> = HashMap::new();
    for (name, scan) in scans {
        let source = &scan.source;
        let pieces = read_all(source.as_ref(), batch_rows).await.map_err(|e| e.context(format!("table '{name}'")))?;
        let rows = match table_changelog(&scan)? {
            _ if scan.history => history::rows(&scan, state, pieces)?,
            None => pieces.into_iter().flatten().map(|delta| delta.batch).collect(),
            Some(changelog) => final_table::rows(&changelog, &source.schema(), pieces)?,
        };
        // Each thread has a part of its own to begin with.
        let part = rows.len().div_ceil(threads.max(1)).max(1);
        let parts = rows.chunks(part).map(<[_]>::to_vec).collect::<Vec<_>>();
        let parts = if parts.is_empty() { vec![vec![]] } else { parts };
        let schema = if scan.history { scan.schema() } else { source.schema() };
        let table = MemTable::try_new(schema, parts).map_err(failed)?;
        tables.insert(name, Arc::new(table));
    }
    Ok(tables)
}

/// Makes `state` one that answers plans which a session's planner has optimised for streams already.
pub(crate) fn plans_again(state: &mut SessionState) {
    let options = state.config_mut().options_mut();
    // What a CASE asks first tells the planner, but not the operators, that its value is never NULL.
    options.execution.skip_physical_aggregate_schema_check = true;
    let optimizer = &mut options.optimizer;
    // A second run of the rule that takes fields out of rows trips over what the first one did, and is not needed.
    optimizer.skip_failed_rules = true;
    // Subqueries that could not become joins are still values, which a batch run finds out first.
    optimizer.enable_physical_uncorrelated_scalar_subquery = true;
}

/// `state` for so many threads over batches of so many rows, to run plans that have been optimised already.
pub(crate) fn state_for(state: &SessionState, threads: usize, batch_rows: usize) -> Result<SessionState> {
    let mut state = state.clone();
    plans_again(&mut state);
    let options = state.config_mut().options_mut();
    options.execution.target_partitions = threads.max(1);
    options.execution.batch_size = ConfigNonZeroUsize::try_new(batch_rows).map_err(failed)?;
    Ok(state)
}

/// Runs a plan of [`prepare`].
///
/// # Errors
/// What DataFusion says.
pub async fn run(state: &SessionState, plan: &LogicalPlan) -> Result<RecordBatch> {
    let run = async {
        let physical = state.create_physical_plan(plan).await?;
        let schema = physical.schema();
        let batches = collect(physical, state.task_ctx()).await?;
        Ok(concat_batches(&schema, &batches)?)
    };
    run.await.map_err(failed)
}

/// As [`run`], keeping nothing: how many rows the answer has.
///
/// # Errors
/// What DataFusion says.
pub async fn run_counting(state: &SessionState, plan: &LogicalPlan) -> Result<usize> {
    let run = async {
        let physical = state.create_physical_plan(plan).await?;
        let mut stream = execute_stream(physical, state.task_ctx())?;
        let mut rows = 0;
        while let Some(batch) = stream.try_next().await? {
            rows += batch.num_rows();
        }
        Ok(rows)
    };
    run.await.map_err(failed)
}

/// All records of a bounded source, all columns, by split.
async fn read_all(source: &dyn Source, batch_rows: usize) -> Result<Vec<Vec<Delta>>> {
    if !source.bounded() {
        return Err(Error::unsupported("a table without an end has no batch answer"));
    }
    let schema = source.schema();
    let request = ReadRequest { projection: (0..schema.fields().len()).collect(), batch_rows, decode_threads: 2 };
    let mut splits = vec![];
    for split in source.splits().await?.splits {
        let mut reader = source.open(&split, None, &request).await?;
        let mut deltas = vec![];
        while let Some(piece) = reader.next().await? {
            deltas.push(Delta { weights: piece.weights, ..Delta::insert(piece.batch) });
        }
        splits.push(deltas);
    }
    Ok(splits)
}

fn failed(e: datafusion::error::DataFusionError) -> Error {
    Error::data(e.strip_backtrace()).caused_by(e)
}
