//! A lookup join as a node of DataFusion's logical plan: `JOIN t FOR SYSTEM_TIME AS OF o.proctime AS t ON o.key = t.key`.
//!
//! Output: the columns of the left side, then those of the right, as a join has them. In batch it is a join: over a table
//! that does not change it makes no difference when a row is looked up.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{Column, DFSchemaRef, JoinType, Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNodeCore, build_join_schema};

/// The node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupNode {
    /// The rows that ask.
    pub left: LogicalPlan,
    /// What is asked.
    pub right: LogicalPlan,
    /// Columns of equal values and types, left and right.
    pub keys: Vec<(Column, Column)>,
    /// Whether left rows without a partner stay, with NULLs.
    pub outer: bool,
    /// What else has to be true of a pair, over the columns of both.
    pub residual: Option<Expr>,
    schema: DFSchemaRef,
}

impl LookupNode {
    /// A lookup join of `left` with `right`.
    pub fn try_new(
        left: LogicalPlan,
        right: LogicalPlan,
        keys: Vec<(Column, Column)>,
        outer: bool,
        residual: Option<Expr>,
    ) -> Result<Self> {
        let join = if outer { JoinType::Left } else { JoinType::Inner };
        let schema = Arc::new(build_join_schema(left.schema(), right.schema(), &join)?);
        Ok(Self { left, right, keys, outer, residual, schema })
    }

    /// What it is in plain DataFusion.
    pub(crate) fn in_batch(&self) -> Result<LogicalPlan> {
        let column = |c: &Column| Expr::Column(c.clone());
        let on = self.keys.iter().map(|(l, r)| column(l).eq(column(r))).chain(self.residual.clone());
        let kind = if self.outer { JoinType::Left } else { JoinType::Inner };
        let on: Vec<Expr> = on.collect();
        let join = LogicalPlanBuilder::from(self.left.clone()).join_on(self.right.clone(), kind, on)?;
        let columns = self.left.schema().columns().into_iter().chain(self.right.schema().columns());
        join.project(columns.map(Expr::Column).collect::<Vec<_>>())?.build()
    }
}

impl Hash for LookupNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.left, &self.right, &self.keys, self.outer, &self.residual).hash(state);
    }
}

impl PartialOrd for LookupNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let key = |n: &Self| (n.left.clone(), n.right.clone(), n.keys.clone(), n.outer, n.residual.clone());
        key(self).partial_cmp(&key(other))
    }
}

impl UserDefinedLogicalNodeCore for LookupNode {
    fn name(&self) -> &str {
        "LookupJoin"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let keys = self.keys.iter().flat_map(|(l, r)| [l, r]);
        keys.cloned().map(Expr::Column).chain(self.residual.clone()).collect()
    }

    /// DataFusion would push a filter into both inputs. [`push_filter`](super::push_filter) knows better.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        self.schema.fields().iter().map(|f| f.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.outer { "Left" } else { "Inner" };
        let keys: Vec<_> = self.keys.iter().map(|(l, r)| format!("{l} = {r}")).collect();
        write!(f, "LookupJoin: {kind} on {}", keys.join(", "))?;
        match &self.residual {
            Some(residual) => write!(f, " if {residual}"),
            None => Ok(()),
        }
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut exprs = exprs;
        let residual = if exprs.len() > 2 * self.keys.len() { exprs.pop() } else { None };
        let mut columns = vec![];
        for expr in exprs {
            match expr {
                Expr::Column(column) => columns.push(column),
                other => return plan_err!("a lookup is by columns, not by {other}"),
            }
        }
        let Ok([left, right]) = <[LogicalPlan; 2]>::try_from(inputs) else {
            return plan_err!("a lookup join has two inputs");
        };
        let keys = columns.chunks(2).map(|c| (c[0].clone(), c[1].clone())).collect();
        Self::try_new(left, right, keys, self.outer, residual)
    }

    /// What is asked of the output; the columns of [`expressions`](Self::expressions) are added by the optimiser.
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let own = self.left.schema().fields().len();
        let (left, right): (Vec<usize>, Vec<usize>) = output_columns.iter().partition(|i| **i < own);
        Some(vec![left, right.into_iter().map(|i| i - own).collect()])
    }
}
