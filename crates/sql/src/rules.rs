//! Rules of DataFusion's optimiser, kept from plans of which they would make something else.
//!
//! Two of them put conditions of joins together, and would mix joins whose NULLs are equal with others. A join has one answer to the question whether NULL is equal to NULL, for all of its keys. `eliminate_cross_join` takes a tree of
//! inner joins apart and gives the answer of one of them to all; `extract_equijoin_predicate` makes keys of further
//! conditions `a = b` of a join on `c IS NOT DISTINCT FROM d`. Both would find NULL equal to NULL where `=` says that it is not.
//!
//! `push_down_filter` takes a condition that reads no column below any aggregate. An aggregate over all rows has its one row over
//! nothing too, so that the condition would be lost: `SELECT .. FROM (SELECT COUNT(*) FROM t) WHERE 1 = 2`.
//!
//! `replace_distinct_aggregate` leaves a DISTINCT out where the rows below are one for each key, and takes the keys of groups for
//! keys of the rows that `UNNEST` makes of them: `SELECT DISTINCT k FROM (SELECT k, UNNEST(list) FROM (.. GROUP BY k))`.
//!
//! That rule and `eliminate_join`, which makes semi joins of joins with rows that are one for each key, also believe that groups by
//! `k, c` are one for each `k`, where `k` was a key of one side of a join below.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Dependency, JoinType, NullEquality, Result};
use datafusion::logical_expr::{Aggregate, Distinct, Expr, Join, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

type SharedRule = Arc<dyn OptimizerRule + Send + Sync>;

/// `rule`, or what takes its place.
pub(crate) fn kept(rule: SharedRule) -> SharedRule {
    let leave: fn(&LogicalPlan) -> bool = match rule.name() {
        // Reorders whole trees. (Such joins come to be after the first pass, when most has been put in order.)
        "eliminate_cross_join" => |plan| {
            plan.exists(|p| Ok(nulls_are_equal(p).is_some_and(|j| j.join_type == JoinType::Inner))).unwrap_or(true)
        },
        "push_down_filter" => |plan| match plan {
            LogicalPlan::Filter(filter) => {
                matches!(filter.input.as_ref(), LogicalPlan::Aggregate(a) if a.group_expr.is_empty())
            }
            _ => false,
        },
        "extract_equijoin_predicate" => |plan| nulls_are_equal(plan).is_some_and(|j| !j.on.is_empty()),
        // It goes over the whole plan at once.
        "eliminate_join" => |plan| plan.exists(|p| Ok(claims_too_much(p))).unwrap_or(true),
        "replace_distinct_aggregate" => return Arc::new(DistinctByGroups { rule }),
        _ => return rule,
    };
    Arc::new(Kept { rule, leave })
}

fn nulls_are_equal(plan: &LogicalPlan) -> Option<&Join> {
    match plan {
        LogicalPlan::Join(join) if join.null_equality == NullEquality::NullEqualsNull => Some(join),
        _ => None,
    }
}

/// Whether these are groups of which DataFusion says that they are one for each of some of their keys. It says so of keys that were
/// unique in one side of a join below, where one of them has come to stand in many rows.
fn claims_too_much(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Aggregate(groups) = plan else { return false };
    let claims = groups.schema.functional_dependencies();
    claims.iter().any(|c| c.mode == Dependency::Single && c.source_indices.len() < groups.group_expr.len())
}

/// A rule that leaves some plans alone.
#[derive(Debug)]
struct Kept {
    rule: SharedRule,
    leave: fn(&LogicalPlan) -> bool,
}

impl OptimizerRule for Kept {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.rule.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if (self.leave)(&plan) { Ok(Transformed::no(plan)) } else { self.rule.rewrite(plan, config) }
    }
}

/// Makes groups of a DISTINCT over rows that were lists, and over groups of which DataFusion does not know what they are one for.
#[derive(Debug)]
struct DistinctByGroups {
    rule: SharedRule,
}

impl OptimizerRule for DistinctByGroups {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.rule.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Distinct(Distinct::All(rows))
                if !rows.schema().fields().is_empty()
                    && rows.exists(|p| Ok(matches!(p, LogicalPlan::Unnest(_)) || claims_too_much(p)))? =>
            {
                let columns = rows.schema().columns().into_iter().map(Expr::Column).collect();
                Ok(Transformed::yes(LogicalPlan::Aggregate(Aggregate::try_new(rows, columns, vec![])?)))
            }
            other => self.rule.rewrite(other, config),
        }
    }
}
