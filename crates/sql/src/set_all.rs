//! `EXCEPT ALL` and `INTERSECT ALL`: each row as often as is left of it, or as both sides have it.
//!
//! The rows of both sides are counted in one grouping by all columns, in which NULLs are equal, and each group is put out as often as its
//! count says. So two numbers are kept for each distinct row, whichever side it is from.

use datafusion::common::{Column, NullHandling, Result as PlanResult, UnnestOptions};
use datafusion::functions::core::expr_fn::least;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::functions_nested::expr_fn::gen_series;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use sqlparser::ast::{Expr as SqlExpr, FunctionArg, FunctionArgExpr, Spanned, TableFactor};
use tidemill_core::Error;

use crate::error::carried;
use crate::parser::set_operations::{EXCEPT_ALL, INTERSECT_ALL};
use crate::parser::source::place;

/// Plans them.
#[derive(Debug)]
pub(crate) struct SetAllPlanner;

impl RelationPlanner for SetAllPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> PlanResult<RelationPlanning> {
        let TableFactor::Table { name, args: Some(args), alias, .. } = &relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let function = name.to_string();
        if function != EXCEPT_ALL && function != INTERSECT_ALL {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        let mut sides = vec![];
        for arg in &args.args {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(SqlExpr::Subquery(query))) = arg {
                let subquery = query.clone();
                sides.push(context.plan(TableFactor::Derived {
                    lateral: false,
                    subquery,
                    alias: None,
                    sample: None,
                })?);
            }
        }
        let (Some(right), Some(left)) = (sides.pop(), sides.pop()) else {
            return Err(carried(Error::internal("a set operation without two sides")));
        };
        let (l, r) = (left.schema().fields().len(), right.schema().fields().len());
        if l != r {
            let what = if function == EXCEPT_ALL { "EXCEPT" } else { "INTERSECT" };
            let message = format!("{what} ALL needs two queries of as many columns, and these have {l} and {r}");
            return Err(carried(Error::statement(message).at(place(name.span()))));
        }
        let plan = counted(left, right, function == EXCEPT_ALL)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}

fn counted(left: LogicalPlan, right: LogicalPlan, except: bool) -> PlanResult<LogicalPlan> {
    let mut names: Vec<String> = vec![];
    for field in left.schema().fields() {
        let own = std::iter::once(field.name().clone()).chain((0..).map(|n| format!("{}{n}", field.name())));
        names.extend(own.into_iter().find(|n| !names.contains(n)));
    }
    let column = |name: &str| Expr::Column(Column::new_unqualified(name));
    let place = |i: usize| format!("__column_{i}");
    let side = |plan: LogicalPlan, l: i64, r: i64| {
        let columns = plan.schema().columns().into_iter().enumerate();
        let mut exprs: Vec<Expr> = columns.map(|(i, c)| Expr::Column(c).alias(place(i))).collect();
        exprs.extend([lit(l).alias("__left"), lit(r).alias("__right")]);
        LogicalPlanBuilder::from(plan).project(exprs)?.build()
    };
    let places: Vec<Expr> = (0..names.len()).map(|i| column(&place(i))).collect();
    let sums = [sum(column("__left")).alias("__in_left"), sum(column("__right")).alias("__in_right")];
    let (l, r) = (column("__in_left"), column("__in_right"));
    let count = if except { l - r } else { least(vec![l, r]) };
    let times = gen_series(lit(1_i64), column("__count"), lit(1_i64)).alias("__times");
    LogicalPlanBuilder::from(side(left, 1, 0)?)
        .union(side(right, 0, 1)?)?
        .aggregate(places.clone(), sums)?
        .project(places.iter().cloned().chain([count.alias("__count")]))?
        .filter(column("__count").gt(lit(0_i64)))?
        .project(places.iter().cloned().chain([times]))?
        .unnest_columns_with_options(
            vec![Column::new_unqualified("__times")],
            // There is no row without a number of times, and none of which there are no times.
            UnnestOptions { null_handling: NullHandling::Drop, recursions: vec![] },
        )?
        .project(places.into_iter().zip(&names).map(|(place, name)| place.alias(name)))?
        .build()
}
