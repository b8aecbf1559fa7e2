//! A grouping by a window that is put out when the window closes.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, FieldRef, Schema};
use datafusion::common::Column;
use datafusion::logical_expr::{Aggregate, Expr};
use tidemill_core::ChangeMode;
use tidemill_plan::Edge;
use tidemill_plan::op::{RowWindow, StreamOp, WindowAggregateOp};

use super::aggregate::{WindowKeys, place_of};
use super::express::column;
use super::keys::Keys;
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Bound, Origin, Relation, Slot};
use crate::windows::WINDOW_COLUMNS;

/// The columns of the window stand before the keys.
const BOUNDS: usize = WINDOW_COLUMNS.len();

impl Lowering<'_> {
    /// With a pending window: both at once. Otherwise the rows carry their window.
    pub(super) fn window_aggregate(
        &mut self,
        aggregate: &Aggregate,
        input: Relation,
        keys: &Keys,
        by: &WindowKeys,
    ) -> Lower<Relation> {
        self.must_close(input.node, &by.window)?;
        let schema = aggregate.input.schema();
        let input = self.distinct_places(input, schema)?;
        let over = self.schema_over(&input, schema)?;
        let edge = self.plan.node(input.node).edge.clone();
        let window = match &input.window {
            Some(pending) => RowWindow::ByTime(pending.over_node()),
            None => RowWindow::Attached {
                start: place_of(&input, Bound::Start, &by.window)?,
                end: place_of(&input, Bound::End, &by.window)?,
                window: by.window.window().clone(),
            },
        };
        let own = by.keys();
        let group_keys = keys.without(&own);
        let group = self.group_by(&group_keys, &over)?;
        let aggregates = self.calls(aggregate, &input, &over)?;
        let allowed_lateness = self.options.allowed_lateness;

        let out = aggregate.schema.fields();
        let of_window = by.window.window();
        let types = [of_window.bound_type(), of_window.bound_type(), of_window.window_time_type()];
        let mut fields: Vec<FieldRef> = WINDOW_COLUMNS
            .iter()
            .zip(types)
            .map(|(name, t)| Arc::new(Field::new(*name, t, false)) as FieldRef)
            .collect();
        fields.extend(group_keys.fields.iter().cloned());
        fields.extend(group_keys.grouping_id.iter().cloned());
        fields.extend(out.iter().skip(keys.width()).cloned());
        let changes = if allowed_lateness > 0 { ChangeMode::Retract } else { ChangeMode::Append };
        let event_time = by.window.timed().then_some(Bound::Time as usize);
        let edge = Edge { schema: Arc::new(Schema::new(fields)), changes, event_time, bounded: edge.bounded };
        let op = WindowAggregateOp { window, group, aggregates, allowed_lateness };
        let node = self.plan.add(StreamOp::WindowAggregate(op), vec![input.node], edge);
        // The bounds are the operator's first columns.
        let conditions = input.window.as_ref().map_or(&[][..], |w| &w.conditions);
        let node = self.keep_windows(node, conditions, 0)?;

        let mut slots: Vec<Slot> = vec![];
        let mut next = BOUNDS;
        for k in 0..keys.exprs.len() {
            slots.push(match by.bounds.iter().find(|(own, _)| *own == k) {
                Some((_, bound)) => Slot::at(*bound as usize, Origin::Window(*bound, by.window.clone())),
                None => {
                    next += 1;
                    Slot::at(next - 1, Origin::Other)
                }
            });
        }
        let rest = out.len() - slots.len();
        slots.extend((next..next + rest).map(|i| Slot::at(i, Origin::Other)));
        let mut relation = Relation { node, slots, hidden: vec![], window: None };
        let all = Bound::ALL.map(|b| Slot::at(b as usize, Origin::Window(b, by.window.clone())));
        let named = relation.slots.clone();
        relation.hidden.extend(all);
        relation.hidden = relation.bounds_beside(&named);
        self.whole_grouping_id(relation, aggregate, keys, &own)
    }

    /// Sees to it that the grouping id has a bit for the keys that the operator does not know, too.
    pub(super) fn whole_grouping_id(
        &mut self,
        relation: Relation,
        aggregate: &Aggregate,
        keys: &Keys,
        out: &[usize],
    ) -> Lower<Relation> {
        let at = keys.exprs.len();
        if keys.grouping_id.is_none() {
            return Ok(relation);
        }
        let (qualifier, field) = aggregate.schema.qualified_field(at);
        let id = Expr::Column(Column::from((qualifier, field)));
        let Some(whole) = keys.grouping_id_of(&id, out) else { return Ok(relation) };
        let relation = self.distinct_places(relation, &aggregate.schema)?;
        let over = self.schema_over(&relation, &aggregate.schema)?;
        let edge = self.plan.node(relation.node).edge.clone();
        let place = relation.slots[at].index();
        let whole = self.express(&whole, &over)?;
        let exprs = (0..edge.schema.fields().len())
            .map(|i| if Some(i) == place { Arc::clone(&whole) } else { column(&edge, i) })
            .collect();
        let node = self.plan.add(StreamOp::Project(exprs), vec![relation.node], edge);
        Ok(relation.on(node))
    }
}
