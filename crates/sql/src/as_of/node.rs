//! A join by time as a node of DataFusion's logical plan.
//!
//! Output: the columns of the left side, then those of the right, as a join has them. Each left row has the one right row
//! with equal keys whose time fits best; of several with that time the greatest in the order of the whole row where the match
//! looks back, else the least. NULL keys and NULL times fit nothing.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{Column, DFSchemaRef, JoinType, Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore, build_join_schema};
use tidemill_plan::history::ORDER;
use tidemill_plan::op::AsOfMatch;

/// The node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsOfNode {
    /// The rows that a partner is looked for.
    pub left: LogicalPlan,
    /// The partners.
    pub right: LogicalPlan,
    /// What is said of the join beside its inputs.
    pub terms: Terms,
    schema: DFSchemaRef,
}

/// The terms of a join by time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
pub struct Terms {
    /// Columns of equal values and types, left and right.
    pub keys: Vec<(Column, Column)>,
    /// The time columns of left and right, of one type.
    pub times: (Column, Column),
    /// Which right row fits.
    pub matching: AsOfMatch,
    /// Whether left rows without a partner stay, with NULLs.
    pub outer: bool,
    /// What else has to be true of a pair, over the columns of both.
    pub residual: Option<Expr>,
    /// Whether it was written as `FOR SYSTEM_TIME AS OF`.
    pub temporal: bool,
}

impl AsOfNode {
    /// A join of `left` and `right`.
    pub fn try_new(left: LogicalPlan, right: LogicalPlan, terms: Terms) -> Result<Self> {
        let join = if terms.outer { JoinType::Left } else { JoinType::Inner };
        let schema = Arc::new(build_join_schema(left.schema(), right.schema(), &join)?);
        Ok(Self { left, right, terms, schema })
    }

    fn columns(&self) -> impl Iterator<Item = &Column> {
        let Terms { keys, times, .. } = &self.terms;
        keys.iter().chain(std::iter::once(times)).flat_map(|(l, r)| [l, r])
    }
}

impl Hash for AsOfNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.left, &self.right, &self.terms).hash(state);
    }
}

impl PartialOrd for AsOfNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let key = |n: &Self| (n.left.clone(), n.right.clone(), n.terms.clone());
        key(self).partial_cmp(&key(other))
    }
}

impl UserDefinedLogicalNodeCore for AsOfNode {
    fn name(&self) -> &str {
        "AsOfJoin"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.columns().cloned().map(Expr::Column).chain(self.terms.residual.clone()).collect()
    }

    /// DataFusion would push a filter into both inputs. [`push_filter`](super::push_filter) knows better.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        self.schema.fields().iter().map(|f| f.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Terms { keys, times, matching, outer, residual, temporal } = &self.terms;
        let name = if *temporal { "TemporalJoin" } else { "AsOfJoin" };
        let kind = if *outer { "Left" } else { "Inner" };
        write!(f, "{name}: {kind} {} {} {}", times.0, matching.symbol(), times.1)?;
        if !keys.is_empty() {
            let keys: Vec<_> = keys.iter().map(|(l, r)| format!("{l} = {r}")).collect();
            write!(f, " on {}", keys.join(", "))?;
        }
        match residual {
            Some(residual) => write!(f, " if {residual}"),
            None => Ok(()),
        }
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let count = 2 * (self.terms.keys.len() + 1);
        let mut exprs = exprs;
        let residual = if exprs.len() > count { exprs.pop() } else { None };
        let mut columns = vec![];
        for expr in exprs {
            match expr {
                Expr::Column(column) => columns.push(column),
                other => return plan_err!("a join by time is over columns, not over {other}"),
            }
        }
        let Ok([left, right]) = <[LogicalPlan; 2]>::try_from(inputs) else {
            return plan_err!("a join by time has two inputs");
        };
        if columns.len() != count {
            return plan_err!("a join by time over {} columns instead of {count}", columns.len());
        }
        let mut pairs: Vec<(Column, Column)> = columns.chunks(2).map(|c| (c[0].clone(), c[1].clone())).collect();
        let Some(times) = pairs.pop() else { return plan_err!("a join by time without a time") };
        Self::try_new(left, right, Terms { keys: pairs, times, residual, ..self.terms.clone() })
    }

    /// What is asked of the output; the columns of [`expressions`](Self::expressions) are added by the optimiser. What orders the
    /// changes of a time decides which of them is the partner, whether it is asked for or not.
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let own = self.left.schema().fields().len();
        let (left, right): (Vec<usize>, Vec<usize>) = output_columns.iter().partition(|i| **i < own);
        let order = self.right.schema().fields().iter().position(|f| f.name() == ORDER);
        let mut right: Vec<usize> = right.into_iter().map(|i| i - own).chain(order).collect();
        right.sort_unstable();
        right.dedup();
        Some(vec![left, right])
    }
}
