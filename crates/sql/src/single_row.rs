//! Subqueries used as values: `(SELECT x FROM t)` must not give more than one row.
//!
//! An uncorrelated one becomes a join without a condition, which would give each row once for each row of the subquery. So a
//! subquery that may have several rows is asked for its only value by an aggregate that fails where there are more.
//! (Correlated ones must aggregate by themselves, which the planner checks.)

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result as PlanResult, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::logical_plan::Subquery;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, LogicalPlan, LogicalPlanBuilder, Signature, Volatility,
};
use tidemill_core::Result;

use crate::error::planning;

/// `plan` in which every subquery that is used as a value has at most one row, or fails.
pub(crate) fn guarded(plan: LogicalPlan) -> Result<LogicalPlan> {
    let only_value = Arc::new(AggregateUDF::from(OnlyValue::new()));
    let guarded = plan.transform_up_with_subqueries(|node| {
        node.map_expressions(|expr| {
            expr.transform_up(|expr| match expr {
                Expr::ScalarSubquery(subquery) if needs_guard(&subquery) => {
                    Ok(Transformed::yes(Expr::ScalarSubquery(guard(subquery, &only_value)?)))
                }
                other => Ok(Transformed::no(other)),
            })
        })
    });
    Ok(guarded.map_err(planning)?.data)
}

/// The first column of `plan`, which has one value for each of the values of `keys` or fails, and then `keys`.
pub(crate) fn only_value_by(plan: LogicalPlan, keys: &[Column]) -> PlanResult<LogicalPlan> {
    let (qualifier, field) = plan.schema().qualified_field(0);
    let (qualifier, name) = (qualifier.cloned(), field.name().clone());
    let keys: Vec<Expr> = keys.iter().cloned().map(Expr::Column).collect();
    let only = AggregateUDF::from(OnlyValue::new()).call(vec![Expr::Column(Column::new(qualifier, &name))]);
    let only = only.alias("only_value");
    let value = Expr::Column(Column::new_unqualified("only_value")).alias(name);
    let plan = LogicalPlanBuilder::from(plan).aggregate(keys.clone(), vec![only])?;
    plan.project(std::iter::once(value).chain(keys).collect::<Vec<_>>())?.build()
}

fn needs_guard(subquery: &Subquery) -> bool {
    subquery.outer_ref_columns.is_empty() && subquery.subquery.max_rows().is_none_or(|rows| rows > 1)
}

fn guard(subquery: Subquery, only_value: &Arc<AggregateUDF>) -> PlanResult<Subquery> {
    let plan = subquery.subquery.as_ref().clone();
    let (qualifier, field) = plan.schema().qualified_field(0);
    let value = Expr::Column(Column::from((qualifier, field)));
    let only = only_value.call(vec![value]).alias(field.name());
    let plan = LogicalPlanBuilder::from(plan).aggregate(Vec::<Expr>::new(), vec![only])?.build()?;
    Ok(Subquery { subquery: Arc::new(plan), ..subquery })
}

/// The value of the only row; NULL where there is none.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OnlyValue {
    signature: Signature,
}

impl OnlyValue {
    fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for OnlyValue {
    fn name(&self) -> &str {
        "only_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> PlanResult<DataType> {
        Ok(arguments[0].clone())
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> PlanResult<Box<dyn Accumulator>> {
        Ok(Box::new(Only { rows: 0, value: ScalarValue::try_from(arguments.return_field.data_type())? }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> PlanResult<Vec<FieldRef>> {
        let value = arguments.return_field.data_type().clone();
        Ok(vec![
            Arc::new(Field::new(format!("{}[rows]", arguments.name), DataType::Int64, false)),
            Arc::new(Field::new(format!("{}[value]", arguments.name), value, true)),
        ])
    }
}

/// How many rows there were, and the value of one of them.
#[derive(Debug)]
struct Only {
    rows: i64,
    value: ScalarValue,
}

impl Accumulator for Only {
    fn update_batch(&mut self, values: &[ArrayRef]) -> PlanResult<()> {
        self.rows += values[0].len() as i64;
        if let Some(last) = values[0].len().checked_sub(1) {
            self.value = ScalarValue::try_from_array(&values[0], last)?;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> PlanResult<()> {
        let rows = cast(&states[0], &DataType::Int64)?;
        for (i, rows) in rows.as_primitive::<Int64Type>().values().iter().enumerate().filter(|(_, rows)| **rows > 0) {
            self.rows += rows;
            self.value = ScalarValue::try_from_array(&states[1], i)?;
        }
        Ok(())
    }

    fn state(&mut self) -> PlanResult<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Int64(Some(self.rows)), self.value.clone()])
    }

    fn evaluate(&mut self) -> PlanResult<ScalarValue> {
        match self.rows {
            0 | 1 => Ok(self.value.clone()),
            rows => exec_err!(
                "a subquery that is used as a value gives {rows} rows: let it give one, with an aggregate or LIMIT 1"
            ),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size()
    }
}
