//! `UNION ALL`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, FieldRef, Schema};
use datafusion::logical_expr::Union;
use tidemill_core::ChangeMode;
use tidemill_plan::Edge;
use tidemill_plan::op::StreamOp;

use super::emission::Emission;
use super::express::Layout;
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Bound, Origin, Relation, Slot, WindowRef};

impl Lowering<'_> {
    /// A union has a time only where all of its inputs have it in the same column, and windows only where all are cut alike.
    pub(super) fn union(&mut self, union: &Union, emission: Emission) -> Lower<Relation> {
        let mut inputs = vec![];
        for input in &union.inputs {
            let relation = self.relation(input, emission)?;
            inputs.push(self.attach(relation)?);
        }
        let fields = union.schema.fields();
        let origins: Vec<Origin> = (0..fields.len()).map(|i| common_origin(&inputs, i)).collect();
        let mut slots: Vec<Slot> = origins.into_iter().enumerate().map(|(i, origin)| Slot::at(i, origin)).collect();
        let mut hidden: Vec<Slot> = vec![];
        let mut beside: Vec<(Bound, usize)> = vec![];
        for (named, slot) in slots.iter().enumerate() {
            let Origin::Window(_, window) = &slot.origin else { continue };
            for bound in [Bound::Start, Bound::End] {
                let known = |s: &Slot| s.origin == Origin::Window(bound, window.clone());
                let all_have = inputs.iter().all(|r| window_of(r, named).is_some_and(|w| r.bound(bound, w).is_some()));
                if !slots.iter().any(known) && !hidden.iter().any(known) && all_have {
                    beside.push((bound, named));
                    let at = slots.len() + hidden.len();
                    hidden.push(Slot::at(at, Origin::Window(bound, window.clone())));
                }
            }
        }
        let mut nodes = vec![];
        let mut changes = ChangeMode::Append;
        let (mut bounded, mut event_times) = (true, vec![]);
        for relation in &inputs {
            let edge = self.plan.node(relation.node).edge.clone();
            let mut layout = Layout::default();
            for (slot, field) in relation.slots.iter().zip(fields) {
                if let Some(i) = slot.index() {
                    layout.push(i, field);
                }
            }
            for (bound, named) in &beside {
                if let Some(i) = window_of(relation, *named).and_then(|w| relation.bound(*bound, w)) {
                    layout.push(i, &edge.schema.fields()[i].clone());
                }
            }
            let node = self.arrange(relation.node, layout);
            let arranged = &self.plan.node(node).edge;
            event_times.push(arranged.event_time);
            bounded &= arranged.bounded;
            if arranged.changes != ChangeMode::Append {
                changes = ChangeMode::Retract;
            }
            nodes.push(node);
        }
        let event_time = match event_times.split_first() {
            Some((first, rest)) if rest.iter().all(|t| t == first) => *first,
            _ => None,
        };
        // A column that is a time in every input is one still only if the merged watermark speaks of it.
        for slot in &mut slots {
            if slot.origin == Origin::EventTime && slot.index() != event_time {
                slot.origin = Origin::Other;
            }
        }
        let mut out: Vec<FieldRef> = fields.iter().cloned().collect();
        if let Some(node) = nodes.first() {
            let edge = &self.plan.node(*node).edge;
            out.extend(edge.schema.fields().iter().skip(out.len()).map(|f| Arc::new(Field::clone(f))));
        }
        let edge = Edge { schema: Arc::new(Schema::new(out)), changes, event_time, bounded };
        let node = self.plan.add(StreamOp::Union, nodes, edge);
        Ok(Relation { node, slots, hidden, window: None })
    }
}

fn window_of(relation: &Relation, column: usize) -> Option<&WindowRef> {
    match &relation.slots[column].origin {
        Origin::Window(_, window) => Some(window),
        _ => None,
    }
}

/// What column `i` means in time in all of the inputs.
fn common_origin(inputs: &[Relation], i: usize) -> Origin {
    let Some((first, rest)) = inputs.split_first() else { return Origin::Other };
    let first = &first.slots[i].origin;
    let agree = rest.iter().all(|r| match (first, &r.slots[i].origin) {
        (Origin::Window(a, v), Origin::Window(b, w)) => a == b && v.alike(w) && v.timed() == w.timed(),
        (a, b) => a == b,
    });
    if agree { first.clone() } else { Origin::Other }
}
