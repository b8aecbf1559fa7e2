//! The optimiser's rule for joins by time: a condition on the left side alone decides which rows are asked about, and goes
//! below. One that looks at nothing but keys goes below on both sides.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Extension, Filter, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::{AsOfNode, LookupNode};

/// The rule.
#[derive(Debug)]
pub(crate) struct PushFilterBelowAsOf;

impl OptimizerRule for PushFilterBelowAsOf {
    fn name(&self) -> &str {
        "push_filter_below_as_of"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::Extension(extension) = filter.input.as_ref() else { return Ok(Transformed::no(plan)) };
        let node = extension.node.as_any();
        let Some(node) = Joined::of(node) else { return Ok(Transformed::no(plan)) };
        let of_left = |e: &Expr| {
            let columns = e.column_refs();
            !columns.is_empty() && !e.is_volatile() && columns.iter().all(|c| node.left().schema().has_column(c))
        };
        let (below, above): (Vec<_>, Vec<_>) =
            split_conjunction_owned(filter.predicate.clone()).into_iter().partition(of_left);
        if below.is_empty() {
            return Ok(Transformed::no(plan));
        }
        let right_key: HashMap<_, _> = node.keys().iter().map(|(l, r)| (l, r)).collect();
        let of_keys = below.iter().filter(|e| e.column_refs().iter().all(|c| right_key.contains_key(c)));
        let on_right = of_keys.cloned().map(|e| {
            let moved = e.transform(|e| match &e {
                Expr::Column(c) => match right_key.get(c) {
                    Some(r) => Ok(Transformed::yes(Expr::Column((*r).clone()))),
                    None => Ok(Transformed::no(e)),
                },
                _ => Ok(Transformed::no(e)),
            });
            Ok(moved?.data)
        });
        let on_right = on_right.collect::<Result<Vec<_>>>()?;
        let join = match node {
            Joined::AsOf(node) => {
                let (left, right) = (filtered(&node.left, below)?, filtered(&node.right, on_right)?);
                let node = AsOfNode::try_new(left, right, node.terms.clone())?;
                LogicalPlan::Extension(Extension { node: Arc::new(node) })
            }
            // A table that answers by key is asked for nothing else.
            Joined::Lookup(node) => {
                let (left, right) = (filtered(&node.left, below)?, node.right.clone());
                let node = LookupNode::try_new(left, right, node.keys.clone(), node.outer, node.residual.clone())?;
                LogicalPlan::Extension(Extension { node: Arc::new(node) })
            }
        };
        Ok(Transformed::yes(filtered(&join, above)?))
    }
}

/// A join that the rule knows.
enum Joined<'a> {
    AsOf(&'a AsOfNode),
    Lookup(&'a LookupNode),
}

impl<'a> Joined<'a> {
    fn of(node: &'a dyn Any) -> Option<Self> {
        let as_of = node.downcast_ref::<AsOfNode>().map(Self::AsOf);
        as_of.or_else(|| node.downcast_ref::<LookupNode>().map(Self::Lookup))
    }

    fn left(&self) -> &'a LogicalPlan {
        match self {
            Self::AsOf(node) => &node.left,
            Self::Lookup(node) => &node.left,
        }
    }

    fn keys(&self) -> &'a [(Column, Column)] {
        match self {
            Self::AsOf(node) => &node.terms.keys,
            Self::Lookup(node) => &node.keys,
        }
    }
}

fn filtered(plan: &LogicalPlan, conditions: Vec<Expr>) -> Result<LogicalPlan> {
    Ok(match conjunction(conditions) {
        Some(condition) => LogicalPlan::Filter(Filter::try_new(condition, Arc::new(plan.clone()))?),
        None => plan.clone(),
    })
}
