//! Groupings that are kept up to date: without a window, and windows with `EMIT CHANGES`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Aggregate, Expr, cast, lit};
use tidemill_core::{ChangeMode, Error};
use tidemill_plan::Edge;
use tidemill_plan::op::{Emit, Expire, StreamOp, UpdatingAggregateOp};

use super::aggregate::WindowKeys;
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
        let aggregates = self.calls(aggregate, &input, &over)?;
        // Groups without aggregates never change once they are there, unless their rows go.
        let changes = match emit {
            Emit::AtEnd => ChangeMode::Append,
            _ if aggregates.is_empty() && self.is_append(&input) => ChangeMode::Append,
            _ => ChangeMode::Retract,
        };
        let edge = Edge { schema: Arc::clone(aggregate.schema.inner()), changes, event_time: None, bounded };
        let ttl = self.ttl(input.node).filter(|_| matches!(emit, Emit::Changes { .. }) && !keys.exprs.is_empty());
        let op = UpdatingAggregateOp { group, aggregates, emit, expire: None, ttl };
        let node = self.plan.add(StreamOp::UpdatingAggregate(op), vec![input.node], edge);
        Ok(Relation::plain(node, aggregate.schema.fields().len()))
    }

    /// A grouping by a window whose groups are kept up to date until the window is over: put out whenever they change, or when
    /// it closes.
    pub(super) fn window_groups(
        &mut self,
        aggregate: &Aggregate,
        input: Relation,
        keys: &Keys,
        by: &WindowKeys,
        emit: Emit,
    ) -> Lower<Relation> {
        let schema = aggregate.input.schema();
        let input = self.distinct_places(input, schema)?;
        let over = self.schema_over(&input, schema)?;
        let edge = self.plan.node(input.node).edge.clone();
        if !by.window.timed() && !edge.bounded && emit != Emit::OnClose {
            self.endless.push(by.window.0.time_name.clone());
        }
        let mut group = self.group_by(keys, &over)?;
        let mut fields: Vec<FieldRef> = aggregate.schema.fields().iter().cloned().collect();
        let own = keys.exprs.len();
        let named = |bound: Bound| by.bounds.iter().find(|(_, b)| *b == bound).map(|(k, _)| *k);
        // Any bound decides the window, but groups are let go by its end; and whoever groups the closed windows once more
        // needs the others.
        let mut hidden: Vec<Slot> = vec![];
        for bound in [Bound::End, Bound::Time, Bound::Start] {
            let wanted = bound == Bound::End || (emit == Emit::OnClose && window_decides(by, bound));
            let Some(at) = input.bound(bound, &by.window).filter(|_| wanted && named(bound).is_none()) else {
                continue;
            };
            let field = Arc::clone(&edge.schema.fields()[at]);
            group.keys.push((column(&edge, at), Arc::clone(&field)));
            group.sets.iter_mut().for_each(|set| set.push(false));
            let place = own + hidden.len();
            fields.insert(place, field);
            hidden.push(Slot::at(place, Origin::Window(bound, by.window.clone())));
        }
        if let Some(id) = group.grouping_id.as_mut().filter(|_| !hidden.is_empty()) {
            // Room for the bits of the keys that were added, until they go.
            *id = Arc::new(id.as_ref().clone().with_data_type(DataType::UInt64));
            fields[own + hidden.len()] = Arc::clone(id);
        }
        let place = |bound: Bound| {
            let added = |s: &&Slot| matches!(s.origin, Origin::Window(b, _) if b == bound);
            named(bound).or_else(|| hidden.iter().find(added).and_then(Slot::index))
        };
        let end_key = place(Bound::End).ok_or_else(|| Error::internal("a window's end is not in its rows"))?;
        let event_time = place(Bound::Time).filter(|_| emit == Emit::OnClose && by.window.timed());
        let aggregates = self.calls(aggregate, &input, &over)?;
        // Sessions that change see to it below, so that their groups are final when the watermark above passes them.
        let below = by.window.window().is_session() && edge.changes != ChangeMode::Append;
        let allowed_lateness = if below { 0 } else { self.options.allowed_lateness };
        let changes = match emit {
            Emit::OnClose if allowed_lateness == 0 => ChangeMode::Append,
            _ => ChangeMode::Retract,
        };
        let expire = Expire { end_key, window: by.window.window().clone(), allowed_lateness };
        let op = UpdatingAggregateOp { group, aggregates, emit, expire: Some(expire), ttl: None };
        let out = Edge { schema: Arc::new(Schema::new(fields)), changes, event_time, bounded: edge.bounded };
        let node = self.plan.add(StreamOp::UpdatingAggregate(op), vec![input.node], out);
        let added = hidden.len();
        let slots = (0..aggregate.schema.fields().len())
            .map(|i| {
                let place = if i < own { i } else { i + added };
                let origin = by.bounds.iter().find(|(k, _)| *k == i);
                Slot::at(place, origin.map_or(Origin::Other, |(_, b)| Origin::Window(*b, by.window.clone())))
            })
            .collect();
        let relation = Relation { node, slots, hidden, window: None };
        self.narrow_grouping_id(relation, aggregate, keys, added)
    }

    /// The operator knows some keys more than the query, the last ones: their bits go.
    fn narrow_grouping_id(
        &mut self,
        relation: Relation,
        aggregate: &Aggregate,
        keys: &Keys,
        added: usize,
    ) -> Lower<Relation> {
        if keys.grouping_id.is_none() || added == 0 {
            return Ok(relation);
        }
        let at = keys.exprs.len();
        let (qualifier, field) = aggregate.schema.qualified_field(at);
        let id = Expr::Column(Column::from((qualifier, field)));
        let narrowed = cast(id, DataType::UInt64) / lit(1_u64 << added);
        let schema: &DFSchema = &aggregate.schema;
        let over = self.schema_over(&relation, schema)?;
        let narrowed = cast(narrowed, field.data_type().clone());
        let narrowed = self.express(&narrowed, &over)?;
        let edge = self.plan.node(relation.node).edge.clone();
        let place = relation.slots[at].index();
        let exprs = (0..edge.schema.fields().len())
            .map(|i| if Some(i) == place { Arc::clone(&narrowed) } else { column(&edge, i) })
            .collect();
        let mut fields: Vec<FieldRef> = edge.schema.fields().iter().cloned().collect();
        if let Some(place) = place {
            fields[place] = Arc::clone(field);
        }
        let edge = Edge { schema: Arc::new(Schema::new(fields)), ..edge };
        let node = self.plan.add(StreamOp::Project(exprs), vec![relation.node], edge);
        Ok(relation.on(node))
    }
}

/// Whether a bound may become a key of groups that are by the window already without changing them.
fn window_decides(by: &WindowKeys, bound: Bound) -> bool {
    // Sessions of several partitions may end together and not begin together.
    bound != Bound::Start || !by.window.window().is_session()
}
