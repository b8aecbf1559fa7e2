//! Groupings by several sets: each of them by the outer values too.

use std::collections::HashMap;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result as PlanResult, ScalarValue};
use datafusion::logical_expr::builder::LogicalPlanBuilder;
use datafusion::logical_expr::utils::{enumerate_grouping_sets, grouping_set_to_exprlist};
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan};

use super::{Keyed, Push, columns_of};

/// How many rows a grouping has over nothing: one without groups, and one for each set that is empty.
pub(in crate::subqueries) fn rows_over_nothing(aggregate: &Aggregate) -> usize {
    let empty = |group: &Expr| match group {
        Expr::GroupingSet(GroupingSet::Rollup(_) | GroupingSet::Cube(_)) => 1,
        Expr::GroupingSet(GroupingSet::GroupingSets(sets)) => sets.iter().filter(|set| set.is_empty()).count(),
        _ => 0,
    };
    aggregate.group_expr.iter().map(empty).product()
}

impl Push<'_, '_> {
    /// What is grouped by has columns of its own: a key can be among it, and is then NULL in the sets that it is not in.
    pub(super) fn grouping_sets(&mut self, aggregate: &Aggregate) -> PlanResult<Keyed> {
        let Keyed { plan, keys, nulls } = self.down(&aggregate.input)?;
        let grouped: Vec<Expr> = grouping_set_to_exprlist(&aggregate.group_expr)?.into_iter().cloned().collect();
        let name = self.outer.new_name("grouped");
        let mut columns: Vec<Expr> = columns_of(&plan.schema().columns()).collect();
        let mut own = HashMap::new();
        for (i, expr) in grouped.iter().enumerate() {
            let column = Column::new_unqualified(format!("{name}_{i}"));
            columns.push(self.own_unnamed(expr.clone(), &keys)?.alias(&column.name));
            own.insert(expr.clone(), Expr::Column(column));
        }
        let plan = LogicalPlanBuilder::from(plan).project(columns)?.build()?;
        let mut groups = aggregate.group_expr.iter().map(|e| replaced(e, &own)).collect::<PlanResult<Vec<_>>>()?;
        groups.extend(columns_of(&keys));
        let mut aggregates = vec![];
        for expr in &aggregate.aggr_expr {
            // GROUPING asks about what is grouped by; all others about the rows.
            aggregates.push(match expr.clone().unalias() {
                Expr::AggregateFunction(call) if call.func.name() == "grouping" => replaced(expr, &own)?,
                _ => self.own_unnamed(expr.clone(), &keys)?,
            });
        }
        let count = aggregates.len();
        let plan = Aggregate::try_new(plan.into(), enumerate_grouping_sets(groups)?, aggregates)?;
        // The columns in their order: what is grouped by, the number of the set, and the aggregates. The number is made into what
        // GROUPING says, and nothing else reads it.
        let all = plan.schema.columns();
        let number = aggregate.schema.field(grouped.len()).data_type();
        let mut found: Vec<Expr> = grouped.iter().map(|e| own[e].clone()).collect();
        found.push(Expr::Literal(ScalarValue::try_from(number)?, None));
        found.extend(all[all.len() - count..].iter().cloned().map(Expr::Column));
        let named = found.into_iter().zip(aggregate.schema.iter());
        let named = named.map(|(expr, (qualifier, field))| expr.alias_qualified(qualifier.cloned(), field.name()));
        let exprs: Vec<Expr> = named.chain(columns_of(&keys)).collect();
        let plan = LogicalPlanBuilder::from(LogicalPlan::Aggregate(plan)).project(exprs)?.build()?;
        Ok(Keyed { plan, keys, nulls })
    }
}

/// `expr` with the columns of what is grouped by in its place.
fn replaced(expr: &Expr, own: &HashMap<Expr, Expr>) -> PlanResult<Expr> {
    let replaced = expr.clone().transform_down(|e| {
        Ok(match own.get(&e) {
            Some(column) => Transformed::new(column.clone(), true, TreeNodeRecursion::Jump),
            None => Transformed::no(e),
        })
    })?;
    Ok(replaced.data)
}
