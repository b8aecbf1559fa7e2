//! Groupings: by the outer values too.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, JoinType, Result as PlanResult, ScalarValue};
use datafusion::logical_expr::builder::LogicalPlanBuilder;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, when};

use super::{Keyed, Push, columns_of, same};

impl Push<'_, '_> {
    pub(super) fn groups(&mut self, aggregate: &Aggregate) -> PlanResult<Keyed> {
        if aggregate.group_expr.iter().any(|e| matches!(e, Expr::GroupingSet(_))) {
            return self.grouping_sets(aggregate);
        }
        let Keyed { plan, keys, nulls } = self.down(&aggregate.input)?;
        let mut groups = self.own_all(&aggregate.group_expr, &keys)?;
        groups.extend(columns_of(&keys));
        let aggregates = self.own_all(&aggregate.aggr_expr, &keys)?;
        let plan = LogicalPlan::Aggregate(Aggregate::try_new(plan.into(), groups, aggregates)?);
        Ok(Keyed { plan, keys, nulls })
    }

    /// A grouping that has one row over nothing: one for each of the outer values that have no rows, too.
    pub(super) fn one_row(&mut self, aggregate: &Aggregate) -> PlanResult<Keyed> {
        let below = self.groups(aggregate)?;
        let Keyed { plan: values, keys, nulls } = self.values()?;
        let pairs = keys.iter().zip(&below.keys);
        let equal = pairs.map(|(a, b)| same(Expr::Column(a.clone()), Expr::Column(b.clone()), nulls && below.nulls));
        let joined = LogicalPlanBuilder::from(values).join_on(below.plan, JoinType::Left, equal)?.build()?;
        let groups = aggregate.schema.fields().len() - aggregate.aggr_expr.len();
        let mut exprs: Vec<Expr> = columns_of(&aggregate.schema.columns()[..groups]).collect();
        for (expr, (qualifier, field)) in aggregate.aggr_expr.iter().zip(aggregate.schema.iter().skip(groups)) {
            let value = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            exprs.push(match over_nothing(expr, field.data_type())? {
                default if default.is_null() => value,
                default => when(value.clone().is_null(), Expr::Literal(default, None))
                    .otherwise(value)?
                    .alias_qualified(qualifier.cloned(), field.name()),
            });
        }
        exprs.extend(columns_of(&keys));
        Ok(Keyed { plan: LogicalPlanBuilder::from(joined).project(exprs)?.build()?, keys, nulls })
    }
}

/// What an aggregate says of no rows.
fn over_nothing(expr: &Expr, data_type: &DataType) -> PlanResult<ScalarValue> {
    match expr {
        Expr::Alias(alias) => over_nothing(&alias.expr, data_type),
        // Nothing is grouped by in the set that has a row.
        Expr::AggregateFunction(function) if function.func.name() == "grouping" => {
            ScalarValue::Int32(Some((1 << function.params.args.len()) - 1)).cast_to(data_type)
        }
        Expr::AggregateFunction(function) => function.func.default_value(data_type),
        _ => ScalarValue::try_from(data_type),
    }
}
