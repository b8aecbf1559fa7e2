//! `WHERE` and `HAVING`.

use datafusion::common::DFSchema;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter};
use tidemill_plan::op::StreamOp;

use super::emission::Emission;
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::Relation;

impl Lowering<'_> {
    pub(super) fn filter(&mut self, filter: &Filter, emission: Emission) -> Lower<Relation> {
        let input = self.relation(&filter.input, emission)?;
        self.keep_where(input, filter.input.schema(), &filter.predicate)
    }

    /// The rows of `relation` for which `predicate` is true.
    ///
    /// What does not look at a pending window goes below it: a row is in or out whatever its windows are. Not so for a
    /// session, where a row that is not there no longer holds its session together; there only conditions on the
    /// partition's columns may.
    pub(super) fn keep_where(&mut self, relation: Relation, schema: &DFSchema, predicate: &Expr) -> Lower<Relation> {
        let (above, below): (Vec<_>, Vec<_>) = split_conjunction_owned(predicate.clone())
            .into_iter()
            .partition(|e| relation.touches_window(schema, e) || cuts_sessions(&relation, schema, e));
        let mut relation = relation;
        if let Some(below) = conjunction(below) {
            relation = self.add_filter(relation, schema, &below)?;
        }
        if let Some(above) = conjunction(above) {
            relation = self.attach(relation)?;
            relation = self.add_filter(relation, schema, &above)?;
        }
        Ok(relation)
    }

    fn add_filter(&mut self, relation: Relation, schema: &DFSchema, predicate: &Expr) -> Lower<Relation> {
        let relation = self.distinct_places(relation, schema)?;
        let over = self.schema_over(&relation, schema)?;
        let predicate = self.express(predicate, &over)?;
        let edge = self.plan.node(relation.node).edge.clone();
        let node = self.plan.add(StreamOp::Filter(predicate), vec![relation.node], edge);
        Ok(relation.on(node))
    }
}

fn cuts_sessions(relation: &Relation, schema: &DFSchema, predicate: &Expr) -> bool {
    let Some(window) = relation.window.as_ref().filter(|w| w.window.window().is_session()) else { return false };
    !predicate.column_refs().into_iter().all(|c| {
        let index = relation.slot(schema, c).and_then(|s| s.index());
        index.is_some_and(|i| window.partition_by.contains(&i))
    })
}
