//! Aggregates whose result depends on the order of their rows and that do not say in which: over rows that are never taken back, it
//! is the order in which they come. Workers do not hand rows on in it, so that they are counted before.

use datafusion::common::DFSchema;
use datafusion::logical_expr::{Aggregate, Expr};

use super::lowering::Lowering;
use super::relation::{Origin, Relation, Slot};

/// DataFusion's aggregates that look at their rows in turn. Of others only they themselves know.
const IN_TURN: &[&str] = &["any_value", "array_agg", "first_value", "last_value", "nth_value", "string_agg"];

impl Lowering<'_> {
    /// Has the rows of `input` counted as they come, if an aggregate over them depends on it.
    pub(super) fn count_arrivals(&mut self, aggregate: &Aggregate, input: &mut Relation) {
        if self.is_append(input) && aggregate.aggr_expr.iter().any(in_turn) {
            self.numbered(input);
        }
    }
}

/// `expr` with an `ORDER BY` of the count of `input`, which has the columns `over`, if it depends on it.
pub(super) fn in_arrival(expr: &Expr, input: &Relation, over: &DFSchema) -> Expr {
    let counted = input.hidden.iter().find(|s| s.origin == Origin::Arrival).and_then(Slot::index);
    match counted.map(|at| Expr::from(over.qualified_field(at))) {
        Some(arrival) if in_turn(expr) => ordered(expr.clone(), arrival),
        _ => expr.clone(),
    }
}

fn ordered(expr: Expr, by: Expr) -> Expr {
    match expr {
        Expr::Alias(mut alias) => {
            *alias.expr = ordered(*alias.expr, by);
            Expr::Alias(alias)
        }
        Expr::AggregateFunction(mut call) => {
            call.params.order_by.push(by.sort(true, false));
            Expr::AggregateFunction(call)
        }
        other => other,
    }
}

/// Whether it is a call of one of these without an order of its own.
fn in_turn(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => in_turn(&alias.expr),
        Expr::AggregateFunction(call) => {
            let params = &call.params;
            // Values that count once are in no order.
            params.order_by.is_empty() && !params.distinct && IN_TURN.contains(&call.func.name())
        }
        _ => false,
    }
}
