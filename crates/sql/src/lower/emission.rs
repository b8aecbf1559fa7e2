//! When a query puts out its result, as asked for by `EMIT`.

use datafusion::logical_expr::LogicalPlan;
use tidemill_core::Micros;

use crate::parser::EmitClause;

/// `EMIT ..`, or its absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Emission {
    /// Nothing was said: windows when they close, everything else with each change.
    #[default]
    Default,
    /// `EMIT ON WINDOW CLOSE`.
    OnWindowClose,
    /// `EMIT CHANGES [EVERY ..]`.
    Changes {
        /// The least time between two emissions; 0 for every epoch.
        every: Micros,
    },
}

impl Emission {
    /// What is left of it below `plan`: it speaks of the first aggregation from the top, of joins, functions with OVER and limits above it,
    /// and of nothing where there is none, so that such sub-plans are shared whatever was asked for.
    pub(super) fn for_plan(self, plan: &LogicalPlan) -> Self {
        if reaches_results(plan) { self } else { Self::Default }
    }
}

impl From<EmitClause> for Emission {
    fn from(clause: EmitClause) -> Self {
        match clause {
            EmitClause::Default => Self::Default,
            EmitClause::OnWindowClose => Self::OnWindowClose,
            EmitClause::Changes { every } => Self::Changes { every: every.unwrap_or(0) },
        }
    }
}

/// Whether there is anything in `plan` that is put out otherwise than as its rows come.
fn reaches_results(plan: &LogicalPlan) -> bool {
    let results = match plan {
        LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) | LogicalPlan::Limit(_) | LogicalPlan::Join(_) => true,
        LogicalPlan::Sort(sort) => sort.fetch.is_some(),
        LogicalPlan::TableScan(scan) => scan.fetch.is_some(),
        _ => false,
    };
    results || plan.inputs().into_iter().any(reaches_results)
}
