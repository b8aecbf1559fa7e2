//! A table that is looked up in memory: read whole, and again when it has changed.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::row::RowConverter;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use tidemill_core::source::Source;
use tidemill_core::{Error, Micros, Result};
use tidemill_sql::catalog::StreamScan;
use tidemill_sql::windows::batch::batch_plan;

use super::asker::without_nulls;
use crate::batch;

/// So many rows are read at once.
const BATCH_ROWS: usize = 8_192;

/// The rows of a query over tables that end, by key.
pub(super) struct Whole {
    /// The rows as they were when they were read last.
    pub(super) rows: RecordBatch,
    of_key: HashMap<Box<[u8]>, Vec<u32>>,
    versions: Vec<Option<String>>,
    looked: Micros,
}

impl Whole {
    /// What `before` holds if it is fresh enough, or if nothing has changed since; else all rows, read anew.
    pub(super) async fn current(
        before: Option<Self>,
        plan: &LogicalPlan,
        keys: &[usize],
        converter: &RowConverter,
        reload: Micros,
        state: &SessionState,
        now: Micros,
    ) -> Result<Self> {
        if let Some(before) = before {
            if now.saturating_sub(before.looked) < reload {
                return Ok(before);
            }
            if before.versions == versions(plan).await? && before.versions.iter().all(Option::is_some) {
                return Ok(Self { looked: now, ..before });
            }
        }
        // What changes while it is read is seen the next time.
        let versions = versions(plan).await?;
        let rows = read(plan, state).await?;
        let columns: Vec<ArrayRef> = keys.iter().map(|k| rows.column(*k).clone()).collect();
        let fits = without_nulls(&columns);
        let mut of_key: HashMap<Box<[u8]>, Vec<u32>> = HashMap::new();
        for (row, key) in converter.convert_columns(&columns)?.iter().enumerate() {
            if fits.as_ref().is_none_or(|f| f.is_valid(row)) {
                of_key.entry(key.as_ref().into()).or_default().push(row as u32);
            }
        }
        Ok(Self { rows, of_key, versions, looked: now })
    }

    /// The rows of a key.
    pub(super) fn of(&self, key: &[u8]) -> &[u32] {
        self.of_key.get(key).map_or(&[], Vec::as_slice)
    }
}

fn sources(plan: &LogicalPlan) -> Result<Vec<(String, Arc<dyn Source>)>> {
    let mut sources: Vec<(String, Arc<dyn Source>)> = vec![];
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(stream) = scan.source.downcast_ref::<StreamScan>()
            && !sources.iter().any(|(name, _)| *name == stream.table.name)
        {
            sources.push((stream.table.name.clone(), Arc::clone(&stream.source)));
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map_err(|e| Error::internal(e.strip_backtrace()))?;
    Ok(sources)
}

async fn versions(plan: &LogicalPlan) -> Result<Vec<Option<String>>> {
    let mut versions = vec![];
    for (name, source) in sources(plan)? {
        versions.push(source.version().await.map_err(|e| e.context(format!("table '{name}'")))?);
    }
    Ok(versions)
}

async fn read(plan: &LogicalPlan, state: &SessionState) -> Result<RecordBatch> {
    let tables = batch::tables_of(plan, state, 1, BATCH_ROWS).await?;
    let state = batch::state_for(state, 1, BATCH_ROWS)?;
    batch::run(&state, &batch_plan(plan, &tables)?).await
}
