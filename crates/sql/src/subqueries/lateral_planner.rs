//! `FROM t, LATERAL (SELECT .. WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k))`: a lateral query of which only a subquery refers to
//! the rows beside it.
//!
//! DataFusion asks the query itself whether it refers to them, not the subqueries in it, and joins it as if it did not.

use std::sync::Arc;

use datafusion::common::{Result as PlanResult, Spans};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::logical_plan::Subquery;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use sqlparser::ast::TableFactor;

use super::outer_references;

/// Plans lateral queries.
#[derive(Debug)]
pub(crate) struct LateralPlanner;

impl RelationPlanner for LateralPlanner {
    fn plan_relation(
        &self,
        mut relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> PlanResult<RelationPlanning> {
        let TableFactor::Derived { lateral: lateral @ true, alias, .. } = &mut relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        *lateral = false;
        let alias = alias.take();
        let plan = context.plan(relation)?;
        let references = outer_references(&plan);
        let plan = match !references.is_empty() && plan.all_out_ref_exprs().is_empty() {
            true => LogicalPlan::Subquery(Subquery {
                subquery: Arc::new(plan),
                outer_ref_columns: references,
                spans: Spans::new(),
            }),
            false => plan,
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}
