//! Aggregates whose result depends on the order of their rows and that do not say in which, or not of rows that are equal in theirs: over rows
//! that are never taken back it is the order in which they come. Workers do not hand rows on in it, so that they are counted before.

use datafusion::common::DFSchema;
use datafusion::logical_expr::{Aggregate, Expr};

use super::distinct_on::whole_rows;
use super::lowering::Lowering;
use super::relation::{Origin, Relation, Slot};
use crate::aggregates::in_turn::{open, ordered, without_order};

impl Lowering<'_> {
    /// Has the rows of `input` counted as they come, if an aggregate over them depends on it.
    pub(super) fn count_arrivals(&mut self, aggregate: &Aggregate, input: &mut Relation) {
        let depends = |e: &Expr| without_order(e).is_some() || open(e).is_some();
        if self.is_append(input) && whole_rows(aggregate).is_none() && aggregate.aggr_expr.iter().any(depends) {
            self.numbered(input);
        }
    }
}

/// `expr` with an `ORDER BY` of the count of `input`, which has the columns `over`, if it depends on it.
pub(super) fn in_arrival(expr: &Expr, input: &Relation, over: &DFSchema) -> Expr {
    let counted = input.hidden.iter().find(|s| s.origin == Origin::Arrival).and_then(Slot::index);
    match counted {
        Some(at) => ordered(expr.clone(), &[Expr::from(over.qualified_field(at)).sort(true, false)]),
        None => expr.clone(),
    }
}
