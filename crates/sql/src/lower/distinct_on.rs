//! `DISTINCT ON`, which is planned as `FIRST_VALUE` of every column in one order: the first row of each group.
//!
//! Without an order any row would do, which is an aggregate like others.

use std::sync::Arc;

use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::NullTreatment;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection, Sort, SortExpr};
use tidemill_plan::op::RankFunction;

use super::emission::Emission;
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Relation, bare_column};
use super::top_n::First;
use crate::windows::node::WINDOW_COLUMNS;

/// The order, if all that is asked of each group is its first row in that.
fn first_values(aggregate: &Aggregate) -> Option<Vec<SortExpr>> {
    let grouped = !aggregate.group_expr.is_empty();
    let sets = aggregate.group_expr.iter().any(|e| matches!(e, Expr::GroupingSet(_)));
    let mut orders = aggregate.aggr_expr.iter().map(|e| first_value(e).map(|(_, order)| order));
    let order = orders.next()??;
    let same = orders.all(|other| other == Some(order));
    (grouped && !sets && same && !order.is_empty()).then(|| order.to_vec())
}

/// The order, if the groups are such first rows, whole ones, which all of their columns tell apart where the order does not. Those of a
/// window are not: they are aggregated with it.
pub(crate) fn whole_rows(aggregate: &Aggregate) -> Option<Vec<SortExpr>> {
    let bound = |key: &Expr| bare_column(key).is_some_and(|c| WINDOW_COLUMNS.contains(&c.name.as_str()));
    if aggregate.group_expr.iter().any(bound) { None } else { first_values(aggregate) }
}

/// The argument and the order of a call of `FIRST_VALUE`.
fn first_value(e: &Expr) -> Option<(&Expr, &[SortExpr])> {
    match e {
        Expr::Alias(alias) => first_value(&alias.expr),
        Expr::AggregateFunction(call) if call.func.as_ref() == first_value_udaf().as_ref() => {
            let params = &call.params;
            let plain = !params.distinct && params.filter.is_none();
            let ignores = params.null_treatment == Some(NullTreatment::IgnoreNulls);
            match &params.args[..] {
                [one] if plain && !ignores => Some((one, &params.order_by)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether an order is the one that the planner puts above `DISTINCT ON`: by the columns of `ON`, whose order says which row
/// is the first.
pub(super) fn is_of_distinct_on(sort: &Sort) -> bool {
    let LogicalPlan::Aggregate(aggregate) = sort.input.as_ref() else { return false };
    let groups = aggregate.group_expr.len();
    let is_group = |s: &SortExpr| {
        let column = bare_column(&s.expr).and_then(|c| aggregate.schema.maybe_index_of_column(c));
        column.is_some_and(|c| c < groups)
    };
    first_values(aggregate).is_some_and(|order| order.len() >= sort.expr.len()) && sort.expr.iter().all(is_group)
}

impl Lowering<'_> {
    /// A grouping of [`first_values`] over `input`, which is its input lowered.
    pub(super) fn first_of_each_group(
        &mut self,
        aggregate: &Aggregate,
        input: Relation,
        order_by: &[SortExpr],
        emission: Emission,
    ) -> Lower<Relation> {
        let first = First {
            partition_by: &aggregate.group_expr,
            order_by,
            bound: RankFunction::RowNumber,
            range: (1, Some(1)),
            ranks: vec![],
        };
        let rows = self.first_rows(input, aggregate.input.schema(), first, emission)?;
        let values = aggregate.aggr_expr.iter().filter_map(|e| first_value(e).map(|(argument, _)| argument));
        let columns = aggregate.group_expr.iter().chain(values).cloned().collect();
        let projection =
            Projection::try_new_with_schema(columns, Arc::clone(&aggregate.input), Arc::clone(&aggregate.schema))?;
        self.project(rows, &projection)
    }
}
