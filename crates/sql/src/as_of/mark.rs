//! What was written behind the right table of a join by time, as a node of the logical plan, until the join is bound.

use std::fmt;

use datafusion::common::{DFSchemaRef, Result, plan_err};
use datafusion::logical_expr::logical_plan::Projection;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, SubqueryAlias, UserDefinedLogicalNodeCore};
use sqlparser::ast;
use std::sync::Arc;

/// A relation that is asked for as of a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
pub(super) struct Mark {
    pub(super) input: LogicalPlan,
    pub(super) ask: Ask,
}

/// How it is asked for. The names in it are not looked up before the left side of the join is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
pub(super) enum Ask {
    /// `MATCH_CONDITION (..)`.
    Match(ast::Expr),
    /// `FOR SYSTEM_TIME AS OF ..`.
    SystemTime(ast::Expr),
}

impl Ask {
    pub(super) fn expr(&self) -> &ast::Expr {
        match self {
            Self::Match(expr) | Self::SystemTime(expr) => expr,
        }
    }
}

/// The relation without its mark, and the mark, if it has one.
pub(super) fn unmarked(plan: &LogicalPlan) -> Result<Option<(LogicalPlan, Ask)>> {
    match plan {
        LogicalPlan::Extension(Extension { node }) => {
            Ok(node.as_any().downcast_ref::<Mark>().map(|mark| (mark.input.clone(), mark.ask.clone())))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let Some((input, ask)) = unmarked(&alias.input)? else { return Ok(None) };
            let plan = SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())?;
            Ok(Some((LogicalPlan::SubqueryAlias(plan), ask)))
        }
        // Names for its columns: `AS r (a, b)`.
        LogicalPlan::Projection(projection) => {
            let Some((input, ask)) = unmarked(&projection.input)? else { return Ok(None) };
            let plan = Projection::try_new(projection.expr.clone(), Arc::new(input))?;
            Ok(Some((LogicalPlan::Projection(plan), ask)))
        }
        _ => Ok(None),
    }
}

impl UserDefinedLogicalNodeCore for Mark {
    fn name(&self) -> &str {
        "AsOf"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsOf: {}", self.ask.expr())
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match inputs.pop() {
            Some(input) => Ok(Self { input, ask: self.ask.clone() }),
            None => plan_err!("a relation as of a time is a relation"),
        }
    }
}
