//! Finds the columns of what a marked `FROM` joins.

use std::fmt;

use datafusion::common::{Column, DataFusionError, Result as PlanResult};
use datafusion::logical_expr::planner::{RelationPlanner, RelationPlannerContext, RelationPlanning};
use sqlparser::ast::{Expr, JoinConstraint, JoinOperator, TableFactor, TableWithJoins, Value};

use super::mark::{constraint_mut, number};

/// Answers a marked `FROM` with [`Columns`], as an error.
#[derive(Debug)]
pub(crate) struct UsingPlanner;

/// The columns of each part of the `FROM` with mark `number`, from the left to the right.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) number: usize,
    pub(super) parts: Vec<Vec<Column>>,
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the columns of join {}", self.number)
    }
}

impl std::error::Error for Columns {}

/// The columns that an error brings.
pub(super) fn columns_of(error: &DataFusionError) -> Option<&Columns> {
    match error {
        DataFusionError::External(e) => e.downcast_ref(),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => columns_of(inner),
        DataFusionError::Shared(inner) => columns_of(inner),
        DataFusionError::Collection(all) => all.iter().find_map(columns_of),
        _ => None,
    }
}

impl RelationPlanner for UsingPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> PlanResult<RelationPlanning> {
        let Some((number, joined)) = number(&relation) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let mut parts = vec![];
        of_joined(joined, context, &mut parts)?;
        Err(DataFusionError::External(Box::new(Columns { number, parts })))
    }
}

fn of_joined(
    joined: &TableWithJoins,
    context: &mut dyn RelationPlannerContext,
    parts: &mut Vec<Vec<Column>>,
) -> PlanResult<()> {
    let before: usize = parts.len();
    of_part(&joined.relation, context, parts)?;
    for (i, join) in joined.joins.iter().enumerate() {
        if !is_lateral(&join.relation) {
            of_part(&join.relation, context, parts)?;
            continue;
        }
        // It may speak of what stands to its left, so that it is planned with that.
        let mut so_far = TableWithJoins { relation: joined.relation.clone(), joins: joined.joins[..=i].to_vec() };
        any_rows(&mut so_far);
        let whole = context.plan(TableFactor::NestedJoin { table_with_joins: Box::new(so_far), alias: None })?;
        let known = parts[before..].iter().map(Vec::len).sum();
        parts.push(whole.schema().columns().into_iter().skip(known).collect());
    }
    Ok(())
}

fn of_part(
    part: &TableFactor,
    context: &mut dyn RelationPlannerContext,
    parts: &mut Vec<Vec<Column>>,
) -> PlanResult<()> {
    match part {
        TableFactor::NestedJoin { table_with_joins, alias: None } => of_joined(table_with_joins, context, parts),
        other => {
            parts.push(context.plan(other.clone())?.schema().columns());
            Ok(())
        }
    }
}

/// Joins whatever rows there are: only the columns are wanted.
fn any_rows(joined: &mut TableWithJoins) {
    for join in &mut joined.joins {
        if let Some(constraint) = constraint_mut(&mut join.join_operator)
            && *constraint != JoinConstraint::None
        {
            *constraint = JoinConstraint::On(Expr::Value(Value::Boolean(true).with_empty_span()));
        }
        if let JoinOperator::Semi(_) | JoinOperator::LeftSemi(_) | JoinOperator::Anti(_) | JoinOperator::LeftAnti(_) =
            join.join_operator
        {
            join.join_operator = JoinOperator::CrossJoin(JoinConstraint::None);
        }
        if let TableFactor::NestedJoin { table_with_joins, .. } = &mut join.relation {
            any_rows(table_with_joins);
        }
    }
    if let TableFactor::NestedJoin { table_with_joins, .. } = &mut joined.relation {
        any_rows(table_with_joins);
    }
}

fn is_lateral(part: &TableFactor) -> bool {
    match part {
        TableFactor::Derived { lateral, .. } | TableFactor::Function { lateral, .. } => *lateral,
        TableFactor::UNNEST { .. } => true,
        _ => false,
    }
}
