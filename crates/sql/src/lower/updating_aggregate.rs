//! Groupings that are kept up to date: without a window, and windows with `EMIT CHANGES`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Aggregate, Expr, cast, lit};
use tidemill_core::{ChangeMode, Error, Micros};
use tidemill_plan::Edge;
use tidemill_plan::op::{Emit, Expire, StreamOp, UpdatingAggregateOp};

use super::aggregate::{WindowKeys, place_of};
use super::emission::Emission;
use super::express::column;
use super::keys::Keys;
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Bound, Origin, Relation, Slot};

impl Lowering<'_> {
    /// A grouping without a window.
    pub(super) fn updating_aggregate(
        &mut self,
        aggregate: &Aggregate,
        input: Relation,
        keys: &Keys,
        emission: Emission,
    ) -> Lower<Relation> {
        let bounded = self.plan.node(input.node).edge.bounded;
        let emit = match emission {
            Emission::Changes { every } => Emit::Changes { every },
            _ if bounded => Emit::AtEnd,
            Emission::Default => Emit::Changes { every: 0 },
            Emission::OnWindowClose => {
                return Err(Error::statement("EMIT ON WINDOW CLOSE needs a GROUP BY of window_start and window_end")
                    .with_hint("Group by the columns of a window function, or leave EMIT out.")
                    .into());
            }
        };
        let schema = aggregate.input.schema();
        let input = self.distinct_places(input, schema)?;
        let over = self.schema_over(&input, schema)?;
        let group = self.group_by(keys, &over)?;
        let aggregates = self.calls(aggregate, &over)?;
        // Groups without aggregates never change once they are there, unless their rows go.
        let changes = match emit {
            Emit::AtEnd => ChangeMode::Append,
            _ if aggregates.is_empty() && self.is_append(&input) => ChangeMode::Append,
            _ => ChangeMode::Retract,
        };
        let edge = Edge { schema: Arc::clone(aggregate.schema.inner()), changes, event_time: None, bounded };
        let op = UpdatingAggregateOp { group, aggregates, emit, expire: None };
        let node = self.plan.add(StreamOp::UpdatingAggregate(op), vec![input.node], edge);
        Ok(Relation::plain(node, aggregate.schema.fields().len()))
    }

    /// A grouping by a window that is put out whenever it changes; groups go when their window is over.
    pub(super) fn changing_window(
        &mut self,
        aggregate: &Aggregate,
        input: Relation,
        keys: &Keys,
        by: &WindowKeys,
        every: Micros,
    ) -> Lower<Relation> {
        let schema = aggregate.input.schema();
        let input = self.distinct_places(input, schema)?;
        let over = self.schema_over(&input, schema)?;
        let edge = self.plan.node(input.node).edge.clone();
        if !by.window.timed() && !edge.bounded {
            self.endless.push(by.window.0.time_name.clone());
        }
        let mut group = self.group_by(keys, &over)?;
        let mut fields: Vec<FieldRef> = aggregate.schema.fields().iter().cloned().collect();
        // Any bound decides the window, but groups are let go by its end.
        let named = by.bounds.iter().find(|(_, b)| *b == Bound::End).map(|(k, _)| *k);
        let end_key = named.unwrap_or(keys.exprs.len());
        let added = usize::from(named.is_none());
        if named.is_none() {
            let at = place_of(&input, Bound::End, &by.window)?;
            let field = Arc::clone(&edge.schema.fields()[at]);
            group.keys.push((column(&edge, at), Arc::clone(&field)));
            group.sets.iter_mut().for_each(|set| set.push(false));
            fields.insert(end_key, field);
        }
        let aggregates = self.calls(aggregate, &over)?;
        let expire =
            Expire { end_key, window: by.window.window().clone(), allowed_lateness: self.options.allowed_lateness };
        let op = UpdatingAggregateOp { group, aggregates, emit: Emit::Changes { every }, expire: Some(expire) };
        let out = Edge {
            schema: Arc::new(Schema::new(fields)),
            changes: ChangeMode::Retract,
            event_time: None,
            bounded: edge.bounded,
        };
        let node = self.plan.add(StreamOp::UpdatingAggregate(op), vec![input.node], out);
        let slots = (0..aggregate.schema.fields().len())
            .map(|i| {
                let place = if i < keys.exprs.len() { i } else { i + added };
                let origin = by.bounds.iter().find(|(k, _)| *k == i);
                Slot::at(place, origin.map_or(Origin::Other, |(_, b)| Origin::Window(*b, by.window.clone())))
            })
            .collect();
        let relation = Relation { node, slots, hidden: vec![], window: None };
        if named.is_some() { Ok(relation) } else { self.narrow_grouping_id(relation, aggregate, keys) }
    }

    /// The operator knows a key more than the query, the last one: its bit goes.
    fn narrow_grouping_id(&mut self, relation: Relation, aggregate: &Aggregate, keys: &Keys) -> Lower<Relation> {
        if keys.grouping_id.is_none() {
            return Ok(relation);
        }
        let at = keys.exprs.len();
        let (qualifier, field) = aggregate.schema.qualified_field(at);
        let id = Expr::Column(Column::from((qualifier, field)));
        let halved = cast(id, DataType::UInt64) / lit(2_u64);
        let schema: &DFSchema = &aggregate.schema;
        let over = self.schema_over(&relation, schema)?;
        let halved = cast(halved, field.data_type().clone());
        let halved = self.express(&halved, &over)?;
        let edge = self.plan.node(relation.node).edge.clone();
        let place = relation.slots[at].index();
        let exprs = (0..edge.schema.fields().len())
            .map(|i| if Some(i) == place { Arc::clone(&halved) } else { column(&edge, i) })
            .collect();
        let node = self.plan.add(StreamOp::Project(exprs), vec![relation.node], edge);
        Ok(relation.on(node))
    }
}
