//! Plans the right table of a join by time: the relation with a [`Mark`] on it.

use std::sync::Arc;

use datafusion::common::Result as PlanResult;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Extension, LogicalPlan};
use sqlparser::ast::{Expr, TableFactor, TableVersion};

use super::mark::{Ask, Mark};
use super::syntax;

/// The planner.
#[derive(Debug)]
pub(crate) struct AsOfPlanner;

impl RelationPlanner for AsOfPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> PlanResult<RelationPlanning> {
        let mut relation = relation;
        let TableFactor::Table { version, alias, .. } = &mut relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let Some(version) = version.take() else { return Ok(RelationPlanning::Original(Box::new(relation))) };
        let alias = alias.take();
        let (ask, other) = match version {
            TableVersion::ForSystemTimeAsOf(at) => (Ask::SystemTime(at), None),
            version => match syntax::condition(&version) {
                Some((condition, other)) => (Ask::Match(condition.clone()), other.cloned()),
                None => return Ok(RelationPlanning::Original(Box::new(relation))),
            },
        };
        let relation = match other {
            Some(Expr::Subquery(subquery)) => {
                TableFactor::Derived { lateral: false, subquery, alias: None, sample: None }
            }
            _ => relation,
        };
        let input = context.plan(relation)?;
        let plan = LogicalPlan::Extension(Extension { node: Arc::new(Mark { input, ask }) });
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}
