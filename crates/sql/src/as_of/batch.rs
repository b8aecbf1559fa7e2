//! What a join by time means, in plain DataFusion: all pairs that fit, and of those of a left row the best.

use std::any::Any;

use datafusion::common::{Column, Result, TableReference};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, JoinType, LogicalPlan, LogicalPlanBuilder, lit, when};
use tidemill_plan::op::AsOfMatch;

use super::{AsOfNode, LookupNode};

/// Columns that are there only between two steps.
const ROW: &str = "__as_of_row";
const RANK: &str = "__as_of_rank";

/// A node of ours as plain DataFusion, if it is a join by time.
pub(crate) fn in_batch(node: &dyn Any) -> Result<Option<LogicalPlan>> {
    match (node.downcast_ref::<AsOfNode>(), node.downcast_ref::<LookupNode>()) {
        (Some(join), _) => expand(join).map(Some),
        (_, Some(join)) => join.in_batch().map(Some),
        _ => Ok(None),
    }
}

fn expand(node: &AsOfNode) -> Result<LogicalPlan> {
    let own = |name: &str| Expr::Column(Column::new(None::<TableReference>, name));
    let column = |c: &Column| Expr::Column(c.clone());
    let terms = &node.terms;
    let (left_time, right_time) = (column(&terms.times.0), column(&terms.times.1));
    let fits = match terms.matching {
        AsOfMatch::AtOrBefore => left_time.gt_eq(right_time.clone()),
        AsOfMatch::Before => left_time.gt(right_time.clone()),
        AsOfMatch::AtOrAfter => left_time.lt_eq(right_time.clone()),
        AsOfMatch::After => left_time.lt(right_time.clone()),
    };
    let mut on: Vec<Expr> = terms.keys.iter().map(|(l, r)| column(l).eq(column(r))).collect();
    on.push(fits);
    let kind = if terms.outer { JoinType::Left } else { JoinType::Inner };
    let numbered = LogicalPlanBuilder::from(node.left.clone()).window(vec![row_number().alias(ROW)])?;
    let pairs = numbered.join_on(node.right.clone(), kind, on)?;

    let (least_first, rights) = (!terms.matching.looks_back(), node.right.schema().columns());
    let best_first = std::iter::once(right_time.clone()).chain(rights.iter().map(column));
    let best_first = best_first.map(|e| e.sort(least_first, least_first)).collect();
    let rank = row_number().partition_by(vec![own(ROW)]).order_by(best_first).build()?;
    let mut best = pairs.window(vec![rank.alias(RANK)])?.filter(own(RANK).eq(lit(1_u64)))?;

    let mut columns: Vec<Expr> = node.left.schema().columns().iter().map(column).collect();
    match &terms.residual {
        None => columns.extend(rights.iter().map(column)),
        Some(residual) if !terms.outer => {
            best = best.filter(residual.clone())?;
            columns.extend(rights.iter().map(column));
        }
        Some(residual) => {
            let pair = right_time.is_not_null().and(residual.clone());
            for right in &rights {
                let value = when(pair.clone(), column(right)).end()?;
                columns.push(value.alias_qualified(right.relation.clone(), &right.name));
            }
        }
    }
    best.project(columns)?.build()
}
