//! `WHERE` and `HAVING`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::DFSchema;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter};
use tidemill_plan::op::{FilterOp, StreamOp};

use super::emission::Emission;
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Bound, Place, Relation};

impl Lowering<'_> {
    pub(super) fn filter(&mut self, filter: &Filter, emission: Emission) -> Lower<Relation> {
        if let Some(ranked) = self.ranked_filter(filter, emission) {
            return ranked;
        }
        let input = self.relation(&filter.input, emission)?;
        self.keep_where(input, filter.input.schema(), &filter.predicate)
    }

    /// The rows of `relation` for which `predicate` is true.
    ///
    /// What does not look at a pending window goes below it: a row is in or out whatever its windows are. Not so for a
    /// session, where a row that is not there no longer holds its session together; there only conditions on the
    /// partition's columns may. What looks at nothing but the window waits for its columns.
    pub(super) fn keep_where(&mut self, relation: Relation, schema: &DFSchema, predicate: &Expr) -> Lower<Relation> {
        let (mut below, mut of_window, mut above) = (vec![], vec![], vec![]);
        for condition in split_conjunction_owned(predicate.clone()) {
            if relation.touches_window(schema, &condition) {
                if only_window(&relation, schema, &condition) { &mut of_window } else { &mut above }.push(condition);
            } else if cuts_sessions(&relation, schema, &condition) {
                above.push(condition);
            } else {
                below.push(condition);
            }
        }
        let mut relation = relation;
        if let Some(below) = conjunction(below) {
            relation = self.add_filter(relation, schema, &below)?;
        }
        if let Some(of_window) = conjunction(of_window) {
            let condition = self.express(&of_window, &window_schema(&relation, schema)?)?;
            if let Some(window) = &mut relation.window {
                window.conditions.push(condition);
            }
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
        let node = self.plan.add(StreamOp::Filter(FilterOp::new(predicate)), vec![relation.node], edge);
        Ok(relation.on(node))
    }
}

/// Whether `condition` reads columns of the pending window only, each under one name.
fn only_window(relation: &Relation, schema: &DFSchema, condition: &Expr) -> bool {
    let named_once = |bound| relation.slots.iter().filter(|s| s.place == Place::Pending(bound)).count() <= 1;
    Bound::ALL.into_iter().all(named_once)
        && condition.column_refs().into_iter().all(|c| relation.slot(schema, c).is_some_and(|s| s.index().is_none()))
}

/// The three columns of the pending window, under the plan's names for them.
fn window_schema(relation: &Relation, schema: &DFSchema) -> Lower<DFSchema> {
    let mut fields: Vec<(Option<_>, FieldRef)> = vec![];
    for bound in Bound::ALL {
        let named = relation.slots.iter().position(|s| s.place == Place::Pending(bound));
        fields.push(match named {
            Some(i) => {
                let (qualifier, field) = schema.qualified_field(i);
                (qualifier.cloned(), Arc::clone(field))
            }
            None => (None, Arc::new(Field::new(format!("__bound_{}", bound as usize), DataType::Null, true))),
        });
    }
    Ok(DFSchema::new_with_metadata(fields, schema.metadata().clone())?)
}

fn cuts_sessions(relation: &Relation, schema: &DFSchema, predicate: &Expr) -> bool {
    let Some(window) = relation.window.as_ref().filter(|w| w.window.window().is_session()) else { return false };
    !predicate.column_refs().into_iter().all(|c| {
        let index = relation.slot(schema, c).and_then(|s| s.index());
        index.is_some_and(|i| window.partition_by.contains(&i))
    })
}
