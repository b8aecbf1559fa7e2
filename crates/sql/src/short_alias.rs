//! `FROM t AS s (a)`: fewer names than the table has columns, of which the others keep theirs. DataFusion wants all or none.

use datafusion::common::{Column, Result as PlanResult};
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use sqlparser::ast::{Spanned, TableFactor};
use tidemill_core::Error;

use crate::error::carried;
use crate::parser::source::place;

/// Plans tables and subqueries with names for their columns.
#[derive(Debug)]
pub(crate) struct ShortAliasPlanner;

impl RelationPlanner for ShortAliasPlanner {
    fn plan_relation(
        &self,
        mut relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> PlanResult<RelationPlanning> {
        let alias = match &mut relation {
            TableFactor::Derived { alias, lateral: false, .. }
            | TableFactor::Table { alias, args: None, version: None, .. } => alias,
            _ => return Ok(RelationPlanning::Original(Box::new(relation))),
        };
        let Some(mut named) = alias.take_if(|a| !a.columns.is_empty()) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let span = place(named.span());
        let names = std::mem::take(&mut named.columns);
        let plan = context.plan(relation)?;
        let columns = plan.schema().columns();
        if names.len() > columns.len() {
            let message =
                format!("{} has {} columns, and {} names for them", named.name.value, columns.len(), names.len());
            return Err(carried(Error::statement(message).at(span)));
        }
        let mut names = names.into_iter().map(|column| context.normalize_ident(column.name));
        let own = |column: Column| match names.next() {
            Some(name) => Expr::Column(column).alias(name),
            None => Expr::Column(column),
        };
        let exprs: Vec<_> = columns.into_iter().map(own).collect();
        let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, Some(named)))))
    }
}
