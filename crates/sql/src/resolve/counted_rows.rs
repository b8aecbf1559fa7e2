//! `COUNT(t.*)`: the rows in which `t` has a row, which an outer join may have none of.
//!
//! DataFusion counts all rows. Here the constant that is counted knows its table until the query is planned; then, above an outer
//! join, it is counted where any column of the table is not NULL.

use std::collections::BTreeMap;

use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, JoinType, Result as PlanResult};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, lit, when};

/// What the constant knows its table by.
const COUNTED: &str = "tidemill.counted_rows";

/// Plans `COUNT(t.*)`.
#[derive(Debug)]
pub(crate) struct CountedRows;

impl ExprPlanner for CountedRows {
    fn plan_aggregate(&self, raw: RawAggregateExpr) -> PlanResult<PlannerResult<RawAggregateExpr>> {
        // The parser of DataFusion writes `t.*` so.
        #[expect(deprecated, reason = "DataFusion's own planner makes it")]
        let table = match raw.args.as_slice() {
            [Expr::Wildcard { qualifier: Some(table), .. }] if raw.func.name() == "count" => table.table().to_string(),
            _ => return Ok(PlannerResult::Original(raw)),
        };
        let planned = |args| {
            let RawAggregateExpr { func, args: _, distinct, filter, order_by, null_treatment } = raw.clone();
            Expr::AggregateFunction(AggregateFunction::new_udf(func, args, distinct, filter, order_by, null_treatment))
        };
        let name = NamePreserver::new_for_projection().save(&planned(raw.args.clone()));
        let known = FieldMetadata::from(BTreeMap::from([(COUNTED.to_string(), table)]));
        Ok(PlannerResult::Planned(name.restore(planned(vec![Expr::Literal(1_i64.into(), Some(known))]))))
    }
}

/// `plan` with what is counted written out.
pub(crate) fn without_counted_rows(plan: LogicalPlan) -> PlanResult<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Aggregate(aggregate) = &node else { return Ok(Transformed::no(node)) };
        let known = |e: &Expr| Ok(table_of(e).is_some());
        if !aggregate.aggr_expr.iter().any(|e| e.exists(known).unwrap_or(false)) {
            return Ok(Transformed::no(node));
        }
        let names = NamePreserver::new_for_projection();
        let outer = aggregate.input.exists(|p| Ok(is_outer_join(p)))?;
        let written_out = |e: &Expr| {
            let name = names.save(e);
            let rewritten = e.clone().transform_up(|e| match table_of(&e) {
                Some(table) if outer => Ok(Transformed::yes(where_there(table, aggregate.input.schema())?)),
                Some(_) => Ok(Transformed::yes(lit(1_i64))),
                None => Ok(Transformed::no(e)),
            })?;
            Ok(name.restore(rewritten.data))
        };
        let aggregates = aggregate.aggr_expr.iter().map(written_out).collect::<PlanResult<Vec<_>>>()?;
        let plan = Aggregate::try_new(aggregate.input.clone(), aggregate.group_expr.clone(), aggregates)?;
        Ok(Transformed::yes(LogicalPlan::Aggregate(plan)))
    })?;
    Ok(rewritten.data)
}

fn is_outer_join(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(j) if matches!(j.join_type, JoinType::Left | JoinType::Right | JoinType::Full))
}

/// The table whose rows the constant stands for.
fn table_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(_, Some(metadata)) => metadata.inner().get(COUNTED).map(String::as_str),
        _ => None,
    }
}

/// One, where a row of the table is there.
fn where_there(table: &str, schema: &DFSchema) -> PlanResult<Expr> {
    let of_table = schema.iter().filter(|(q, _)| q.is_some_and(|q| q.table() == table));
    let there = of_table.map(|column| Expr::Column(column.into()).is_not_null()).reduce(Expr::or);
    match there {
        Some(there) => when(there, lit(1_i64)).end(),
        None => Ok(lit(1_i64)),
    }
}
