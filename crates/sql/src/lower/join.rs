//! Joins, and what subqueries and set operations become: semi-joins, anti-joins, mark joins.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::{DFSchema, JoinType, NullEquality, ScalarValue};
use datafusion::logical_expr::{Expr, Join};
use tidemill_core::{ChangeMode, Error};
use tidemill_plan::Edge;
use tidemill_plan::op::{JoinOp, StreamOp, TimeBound, Unmatched};

use super::emission::Emission;
use super::express::{Layout, column};
use super::join_time::{JoinSide, time_bound};
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Bound, Origin, Relation, Slot, bare_column};

impl Lowering<'_> {
    pub(super) fn join(&mut self, join: &Join, emission: Emission) -> Lower<Relation> {
        let left = self.join_side(&join.left, join.on.iter().map(|(l, _)| l), emission)?;
        let right = self.join_side(&join.right, join.on.iter().map(|(_, r)| r), emission)?;
        let edges = [&left, &right].map(|s| self.plan.node(s.relation.node).edge.clone());
        let keys: Vec<(usize, usize)> = left.keys.iter().copied().zip(right.keys.iter().copied()).collect();
        for (l, r) in &keys {
            let types = [edges[0].schema.field(*l).data_type(), edges[1].schema.field(*r).data_type()];
            if !types[0].equals_datatype(types[1]) {
                let text = format!("a join compares keys of types {} and {}", types[0], types[1]);
                return Err(Error::internal(text).into());
            }
        }
        let filter = join.filter.as_ref().filter(|f| !is_true(f));
        let residual = match filter {
            Some(filter) => Some(self.express(filter, &schema_of_both(&left, &right, &edges)?)?),
            None => None,
        };
        let bound = time_bound(&left, &right, &edges, filter);
        let bounded = edges.iter().all(|e| e.bounded);
        let waits = bound.is_some() || (bounded && !matches!(emission, Emission::Changes { .. }));
        let append = edges.iter().all(|e| e.changes == ChangeMode::Append);
        let op = JoinOp {
            join_type: join.join_type,
            keys,
            nulls_match: join.null_equality == NullEquality::NullEqualsNull,
            // Without a key to be NULL there is nothing to be aware of.
            null_aware: join.null_aware && !join.on.is_empty(),
            residual,
            unmatched: if waits { Unmatched::WhenOver } else { Unmatched::EachEpoch },
            bound,
            allowed_lateness: self.options.allowed_lateness,
        };
        let only_comes = matches!(join.join_type, JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi) || waits;
        let changes = if append && only_comes { ChangeMode::Append } else { ChangeMode::Retract };
        self.joined(op, [left.relation, right.relation], edges, changes)
    }

    /// The join's node, and what its columns mean in time.
    fn joined(&mut self, op: JoinOp, sides: [Relation; 2], edges: [Edge; 2], changes: ChangeMode) -> Lower<Relation> {
        let shown = match op.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => [true, false],
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => [false, true],
            _ => [true, true],
        };
        let padded = [
            matches!(op.join_type, JoinType::Right | JoinType::Full),
            matches!(op.join_type, JoinType::Left | JoinType::Full),
        ];
        let (mut fields, mut slots, mut hidden): (Vec<FieldRef>, Vec<Slot>, Vec<Slot>) = (vec![], vec![], vec![]);
        for side in [0, 1] {
            if !shown[side] {
                continue;
            }
            let offset = fields.len();
            let moved = |slot: &Slot| -> Option<Slot> {
                Some(Slot::at(slot.index()? + offset, origin_above(&op, side, padded[side], slot)))
            };
            slots.extend(sides[side].slots.iter().filter_map(moved));
            let bounds = |s: &Slot| matches!(s.origin, Origin::Window(..));
            hidden.extend(sides[side].hidden.iter().filter_map(moved).filter(bounds));
            let nullable = |f: &FieldRef| match padded[side] && !f.is_nullable() {
                true => Arc::new(f.as_ref().clone().with_nullable(true)),
                false => Arc::clone(f),
            };
            fields.extend(edges[side].schema.fields().iter().map(nullable));
        }
        if matches!(op.join_type, JoinType::LeftMark | JoinType::RightMark) {
            slots.push(Slot::at(fields.len(), Origin::Other));
            fields.push(Arc::new(Field::new("mark", DataType::Boolean, false)));
        }
        // Of a column that may be NULL for want of a partner, windows would make nothing.
        let speaks = |s: &&Slot| match &s.origin {
            Origin::EventTime => true,
            Origin::Window(Bound::Time, w) => w.timed(),
            _ => false,
        };
        let whole = |s: &&Slot| s.index().is_some_and(|i| !(fields[i].is_nullable() && is_padded(i, &edges, padded)));
        let event_time = slots.iter().filter(speaks).find(whole).and_then(Slot::index);
        let bounded = edges.iter().all(|e| e.bounded);
        let edge = Edge { schema: Arc::new(Schema::new(fields)), changes, event_time, bounded };
        let inputs = sides.iter().map(|s| s.node).collect();
        let node = self.plan.add(StreamOp::Join(op), inputs, edge);
        Ok(Relation { node, slots, hidden, window: None })
    }

    /// An input: its columns, each in a place of its own, those of its windows among them, and its keys.
    fn join_side<'a>(
        &mut self,
        plan: &datafusion::logical_expr::LogicalPlan,
        keys: impl Iterator<Item = &'a Expr>,
        emission: Emission,
    ) -> Lower<JoinSide> {
        let schema = plan.schema();
        let relation = self.relation(plan, emission)?;
        let relation = self.attach(relation)?;
        let relation = self.distinct_places(relation, schema)?;
        let relation = self.only_needed(relation, schema)?;
        let over = self.schema_over(&relation, schema)?;
        let edge = self.plan.node(relation.node).edge.clone();
        let mut exprs: Vec<_> = (0..edge.schema.fields().len()).map(|i| column(&edge, i)).collect();
        let mut fields: Vec<FieldRef> = edge.schema.fields().iter().cloned().collect();
        let mut places = vec![];
        for key in keys {
            let stands = bare_column(key).and_then(|c| relation.slot(schema, c)).and_then(Slot::index);
            places.push(match stands {
                Some(place) => place,
                None => {
                    let value = self.express(key, &over)?;
                    let value_type = value.data_type(edge.schema.as_ref())?;
                    fields.push(Arc::new(Field::new(format!("{}", key.schema_name()), value_type, true)));
                    exprs.push(value);
                    exprs.len() - 1
                }
            });
        }
        let relation = match exprs.len() == edge.schema.fields().len() {
            true => relation,
            false => {
                let schema = Arc::new(Schema::new(fields));
                let node = self.plan.add(StreamOp::Project(exprs), vec![relation.node], Edge { schema, ..edge });
                relation.on(node)
            }
        };
        Ok(JoinSide { relation, schema: Arc::clone(schema), keys: places })
    }

    /// Without columns that nothing above refers to: they would be kept with every row.
    fn only_needed(&mut self, relation: Relation, schema: &DFSchema) -> Lower<Relation> {
        let beside = relation.bounds_beside(&relation.slots).len();
        let width = self.plan.node(relation.node).edge.schema.fields().len();
        if width == relation.slots.len() + beside {
            return Ok(relation);
        }
        let mut layout = Layout::default();
        let named = relation.slots.iter().zip(schema.fields());
        let slots = named
            .filter_map(|(slot, field)| Some(Slot::at(layout.push(slot.index()?, field), slot.origin.clone())))
            .collect();
        self.lay_out(relation, slots, layout)
    }
}

fn is_true(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(ScalarValue::Boolean(Some(true)), _))
}

fn is_padded(column: usize, edges: &[Edge; 2], padded: [bool; 2]) -> bool {
    padded[usize::from(column >= edges[0].schema.fields().len())]
}

/// What a column means in time above the join.
fn origin_above(op: &JoinOp, side: usize, padded: bool, slot: &Slot) -> Origin {
    match (&op.bound, &slot.origin) {
        // Rows come out within their window.
        (Some(TimeBound::Window { .. }), Origin::Window(bound, window)) if !padded => {
            Origin::Window(*bound, window.clone())
        }
        // A row waits no longer than for its last partner; where nothing removes its partners, it may be of any age.
        (Some(TimeBound::Interval { times, least, most }), _) => {
            let (time, kept) = if side == 0 { (times.0, least) } else { (times.1, most) };
            if slot.index() == Some(time) && kept.is_some() { Origin::EventTime } else { Origin::Other }
        }
        _ => Origin::Other,
    }
}

/// The columns of both sides, one after the other, under the names that the condition has for them.
fn schema_of_both(left: &JoinSide, right: &JoinSide, edges: &[Edge; 2]) -> Lower<DFSchema> {
    let mut fields: Vec<(Option<_>, FieldRef)> = vec![];
    for (side, edge) in [left, right].into_iter().zip(edges) {
        let offset = fields.len();
        for (i, f) in edge.schema.fields().iter().enumerate() {
            // No name leads to columns that are not the plan's.
            let name = format!("__column_{}", offset + i);
            fields.push((None, Arc::new(Field::new(name, f.data_type().clone(), f.is_nullable()))));
        }
        for (slot, (qualifier, field)) in side.relation.slots.iter().zip(side.schema.iter()) {
            if let Some(i) = slot.index() {
                fields[offset + i] = (qualifier.cloned(), Arc::clone(field));
            }
        }
    }
    Ok(DFSchema::new_with_metadata(fields, Default::default())?)
}
