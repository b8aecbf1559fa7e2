//! What `EMIT` asks for of a whole query, where the operators below do not see to it themselves: changes held back and added
//! up, and results of windows that are put out once, when nothing can change them any more.

use tidemill_core::{ChangeMode, Error, Micros};
use tidemill_plan::op::{Emit, HoldBackOp, Release, StreamOp};
use tidemill_plan::{Edge, NodeId, StreamPlan};

use super::emission::Emission;
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Bound, Origin, Relation, Slot};

impl Lowering<'_> {
    /// The rows of `relation` as `emission` wants them put out.
    pub(super) fn held_back(&mut self, relation: Relation, emission: Emission) -> Lower<Relation> {
        if self.is_append(&relation) {
            return Ok(relation);
        }
        match emission {
            Emission::Changes { every } if every > 0 && !holds_back(&self.plan, relation.node) => {
                self.every(relation, every)
            }
            Emission::OnWindowClose => self.closed(relation),
            _ => Ok(relation),
        }
    }

    fn every(&mut self, relation: Relation, every: Micros) -> Lower<Relation> {
        let relation = self.attach(relation)?;
        let edge =
            Edge { event_time: None, changes: ChangeMode::Retract, ..self.plan.node(relation.node).edge.clone() };
        let op = StreamOp::HoldBack(HoldBackOp { release: Release::Every(every) });
        let node = self.plan.add(op, vec![relation.node], edge);
        Ok(relation.on(node))
    }

    fn closed(&mut self, relation: Relation) -> Lower<Relation> {
        let relation = self.attach(relation)?;
        let edge = self.plan.node(relation.node).edge.clone();
        let slots = || relation.slots.iter().chain(&relation.hidden);
        let found = slots().find_map(|s| match &s.origin {
            Origin::Window(Bound::End, window) if window.timed() || edge.bounded => Some((s.index()?, window.clone())),
            _ => None,
        });
        let Some((end, window)) = found else {
            return Err(Error::statement(
                "EMIT ON WINDOW CLOSE needs the window's columns: this result is updated, and nothing in it says when a row is final",
            )
            .with_hint("Select window_start and window_end of a window over a time with a WATERMARK, or leave EMIT out.")
            .into());
        };
        let time = |s: &Slot| match &s.origin {
            Origin::Window(Bound::Time, of) if *of == window => s.index(),
            _ => None,
        };
        let event_time = slots().find_map(time).filter(|_| window.timed());
        let edge = Edge { event_time, changes: ChangeMode::Append, ..edge };
        let op = StreamOp::HoldBack(HoldBackOp { release: Release::Closed { end, window: window.window().clone() } });
        let node = self.plan.add(op, vec![relation.node], edge);
        Ok(relation.on(node))
    }
}

/// Whether the operator that makes these rows holds them back by itself.
fn holds_back(plan: &StreamPlan, node: NodeId) -> bool {
    let node = plan.node(node);
    match (&node.op, &node.inputs[..]) {
        (StreamOp::Project(_) | StreamOp::Filter(_), [input]) => holds_back(plan, *input),
        (StreamOp::UpdatingAggregate(op), _) => matches!(op.emit, Emit::Changes { every } if every > 0),
        (StreamOp::TopN(op), _) => matches!(op.emit, Emit::Changes { every } if every > 0),
        _ => false,
    }
}
