//! Parts of a query without an incremental form, over inputs that have ended: DataFusion answers them once.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::MemTable;
use datafusion::common::tree_node::Transformed;
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::collect;
use tidemill_core::{Error, Result};
use tidemill_plan::op::AtEnd;

use crate::batch::plans_again;

/// The answer of `at_end` over `inputs`, by the names that its plan gives them.
pub(crate) async fn answer(
    mut state: SessionState,
    at_end: AtEnd,
    inputs: HashMap<String, RecordBatch>,
) -> Result<Vec<RecordBatch>> {
    plans_again(&mut state);
    let run = async {
        let plan = (*at_end.plan).clone().transform_up_with_subqueries(|node| {
            let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
            let Some(batch) = inputs.get(scan.table_name.table()) else {
                return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
            };
            let table = MemTable::try_new(batch.schema(), vec![vec![batch.clone()]])?;
            scan.source = provider_as_source(Arc::new(table));
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        })?;
        let physical = state.create_physical_plan(&plan.data).await?;
        collect(physical, state.task_ctx()).await
    };
    run.await.map_err(|e| Error::data(e.strip_backtrace()).caused_by(e))
}
