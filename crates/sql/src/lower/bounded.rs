//! Which plans end by themselves.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::{LogicalPlan, TableScan};

use super::source::Sources;
use crate::catalog::{StreamScan, SystemTable};

/// Whether every table that `plan` reads ends.
pub(super) fn is_bounded(plan: &LogicalPlan, sources: &Sources) -> bool {
    let mut bounded = true;
    each_scan(plan, &mut |scan| {
        bounded &= match scan.source.downcast_ref::<StreamScan>() {
            Some(stream) => stream.source.bounded(),
            // The dataflow's own tables end with the last of its sources.
            None if scan.source.downcast_ref::<SystemTable>().is_some() => sources.all_bounded(),
            None => true,
        };
    });
    bounded
}

/// The names of the tables in `plan` that do not end.
pub(super) fn unbounded_tables(plan: &LogicalPlan) -> Vec<String> {
    let mut names = vec![];
    each_scan(plan, &mut |scan| {
        if let Some(stream) = scan.source.downcast_ref::<StreamScan>()
            && !stream.source.bounded()
            && !names.contains(&stream.table.name)
        {
            names.push(stream.table.name.clone());
        }
    });
    names
}

/// Shows every scan of `plan` and of the queries within its expressions to `see`.
pub(super) fn each_scan(plan: &LogicalPlan, see: &mut dyn FnMut(&TableScan)) {
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            see(scan);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(walked.is_ok(), "the visitor has no error of its own");
}
