//! Why a node could not be lowered.

use datafusion::common::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use tidemill_core::Error;

use crate::error::planning;

/// Either there is no incremental form, so that a batch run at the end may answer, or the query is wrong.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The node is right SQL without an incremental form.
    NoForm(NoForm),
    /// Nothing can answer this.
    Error(Error),
}

/// A construct without an incremental form, in SQL's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoForm {
    /// What it is, as the beginning of a sentence: `ORDER BY`, `a join`.
    pub(super) what: &'static str,
    /// What to do instead.
    pub(super) hint: &'static str,
}

/// A lowered something, or why not.
pub(super) type Lower<T> = Result<T, Refusal>;

impl NoForm {
    /// The error over tables that do not end.
    pub(super) fn over(&self, unbounded: &[String]) -> Error {
        let tables = match unbounded {
            [] => "an unbounded table".to_string(),
            [one] => format!("the unbounded table '{one}'"),
            [many @ .., last] => {
                let many: Vec<_> = many.iter().map(|n| format!("'{n}'")).collect();
                format!("the unbounded tables {} and '{last}'", many.join(", "))
            }
        };
        Error::unsupported(format!("{} over {tables} is not supported yet", self.what)).with_hint(self.hint)
    }
}

const BOUND_IT: &str = "It runs over tables that end, or over the result of windows that were written to such a table.";

/// What `plan` is called where it has no incremental form.
pub(super) fn no_form(plan: &LogicalPlan) -> Refusal {
    let (what, hint) = match plan {
        LogicalPlan::Sort(_) => (
            "ORDER BY",
            "A stream has no last row to sort up to. Order by the event time first, add LIMIT to keep the first rows, or leave ORDER BY out.",
        ),
        LogicalPlan::Limit(_) => ("LIMIT", "Leave LIMIT out and stop the query when you have seen enough."),
        LogicalPlan::TableScan(_) => ("LIMIT", "Leave LIMIT out and stop the query when you have seen enough."),
        LogicalPlan::Window(_) => ("a function with OVER", BOUND_IT),
        LogicalPlan::Distinct(_) => ("DISTINCT ON", BOUND_IT),
        LogicalPlan::RecursiveQuery(_) => ("WITH RECURSIVE", BOUND_IT),
        LogicalPlan::Subquery(_) => SUBQUERY,
        LogicalPlan::Unnest(_) => ("an UNNEST of this shape", BOUND_IT),
        _ => ("this kind of query", BOUND_IT),
    };
    Refusal::NoForm(NoForm { what, hint })
}

const SUBQUERY: (&str, &str) = ("a subquery within an expression", BOUND_IT);

/// An expression holds a query of its own.
pub(super) fn subquery() -> Refusal {
    Refusal::NoForm(NoForm { what: SUBQUERY.0, hint: SUBQUERY.1 })
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Self {
        Self::Error(e)
    }
}

impl From<DataFusionError> for Refusal {
    fn from(e: DataFusionError) -> Self {
        Self::Error(planning(e))
    }
}
