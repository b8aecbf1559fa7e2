//! Joins by time.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::DFSchema;
use datafusion::logical_expr::UserDefinedLogicalNodeCore;
use tidemill_core::{ChangeMode, Error};
use tidemill_plan::Edge;
use tidemill_plan::history::GONE;
use tidemill_plan::op::{AsOfForm, AsOfJoinOp, StreamOp};

use super::emission::Emission;
use super::express::{Layout, named_schema};
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Origin, Relation, Slot};
use crate::as_of::AsOfNode;

impl Lowering<'_> {
    /// Where both inputs only grow, and the watermark or the end of each says that no better partner can come, each row is put
    /// out once; else at once, and again when it gets another partner.
    pub(super) fn as_of_join(&mut self, node: &AsOfNode, emission: Emission) -> Lower<Relation> {
        let left = self.relation(&node.left, emission)?;
        let right = self.relation(&node.right, emission)?;
        let left = self.exactly(left, node.left.schema())?;
        let mut right = self.exactly(right, node.right.schema())?;
        // The row that fits best is found by all of its columns: there may be no others.
        right.hidden = vec![];
        right.slots.iter_mut().for_each(|s| s.origin = without_window(&s.origin));
        let right = self.exactly(right, node.right.schema())?;
        let terms = &node.terms;
        let place = |relation: &Relation, schema: &DFSchema, column| {
            let slot = relation.slot(schema, column).and_then(|s| Some((s.index()?, s.origin.clone())));
            slot.ok_or_else(|| Error::internal(format!("no column '{column}' below a join by time")))
        };
        let (left_schema, right_schema) = (node.left.schema(), node.right.schema());
        let mut keys = vec![];
        for (l, r) in &terms.keys {
            keys.push((place(&left, left_schema, l)?.0, place(&right, right_schema, r)?.0));
        }
        let (left_time, left_origin) = place(&left, left_schema, &terms.times.0)?;
        let (right_time, right_origin) = place(&right, right_schema, &terms.times.1)?;
        let edge_of = |lowering: &Self, relation: &Relation| lowering.plan.node(relation.node).edge.clone();
        let appends = [&left, &right].map(|r| edge_of(self, r).changes == ChangeMode::Append);
        if terms.temporal && !appends[1] {
            return Err(Error::unsupported(
                "a join FOR SYSTEM_TIME AS OF a result whose rows are taken back is not supported: it has no versions",
            )
            .with_hint("Join the rows that it is made of: a table with a PRIMARY KEY and a WATERMARK.")
            .into());
        }
        let counted = counts(edge_of(self, &left).schema.field(left_time).data_type());
        let mut form = AsOfForm::Updating;
        let (mut left, mut right, mut timed) = (left, right, false);
        if appends == [true, true] && counted {
            let left_timed;
            let right_timed;
            (left, left_timed) = self.timed(left, left_time, &left_origin);
            (right, right_timed) = self.timed(right, right_time, &right_origin);
            let bounded = [&left, &right].map(|r| edge_of(self, r).bounded);
            let comes = (left_timed || bounded[0]) && (right_timed || bounded[1]);
            if bounded == [true, true] || (terms.matching.looks_back() && comes) {
                form = AsOfForm::Settled;
                timed = left_timed && terms.matching.looks_back();
            }
        }
        let (left_edge, right_edge) = (edge_of(self, &left), edge_of(self, &right));
        let own = left_edge.schema.fields().len();
        let outer_field =
            |f: &FieldRef| if terms.outer { Arc::new(f.as_ref().clone().with_nullable(true)) } else { Arc::clone(f) };
        let fields = left_edge.schema.fields().iter().cloned();
        let fields: Vec<FieldRef> = fields.chain(right_edge.schema.fields().iter().map(outer_field)).collect();
        let edge = Edge {
            schema: Arc::new(Schema::new(fields)),
            changes: if form == AsOfForm::Settled { ChangeMode::Append } else { ChangeMode::Retract },
            event_time: timed.then_some(left_time),
            bounded: left_edge.bounded && right_edge.bounded,
        };
        let mut slots = left.slots.clone();
        let mut hidden = left.hidden.clone();
        for slot in slots.iter_mut().chain(&mut hidden) {
            if slot.origin == Origin::EventTime && slot.index() != edge.event_time {
                slot.origin = Origin::Other;
            }
            // A window's rows may change after it has closed.
            if form == AsOfForm::Updating {
                slot.origin = without_window(&slot.origin);
            }
        }
        for slot in &right.slots {
            let index = slot.index().ok_or_else(|| Error::internal("a pending window below a join by time"))?;
            slots.push(Slot::at(own + index, Origin::Other));
        }
        let residual = match &terms.residual {
            None => None,
            Some(residual) => {
                let schema = named_schema(&edge.schema, &slots, node.schema())?;
                Some(self.express(residual, &schema)?)
            }
        };
        let gone = right_schema.fields().iter().position(|f| f.name() == GONE);
        let gone = gone.and_then(|i| right.slots[i].index());
        let op = AsOfJoinOp {
            keys,
            times: (left_time, right_time),
            matching: terms.matching,
            outer: terms.outer,
            residual,
            gone,
            temporal: terms.temporal,
            form,
        };
        let joined = self.plan.add(StreamOp::AsOfJoin(op), vec![left.node, right.node], edge);
        Ok(Relation { node: joined, slots, hidden, window: None })
    }

    /// The columns of the logical plan in its order, each once in the node's output, and beside them only what is hidden.
    pub(super) fn exactly(&mut self, relation: Relation, schema: &DFSchema) -> Lower<Relation> {
        let relation = self.attach(relation)?;
        let columns = self.plan.node(relation.node).edge.schema.fields().len();
        let in_order = relation.slots.iter().enumerate().all(|(i, s)| s.index() == Some(i));
        if in_order && columns == relation.slots.len() {
            return Ok(relation);
        }
        let mut layout = Layout::default();
        let mut slots = vec![];
        for (slot, field) in relation.slots.iter().zip(schema.fields()) {
            let index = slot.index().ok_or_else(|| Error::internal("a window's column that is not there"))?;
            slots.push(Slot::at(layout.push(index, field), slot.origin.clone()));
        }
        self.lay_out(relation, slots, layout)
    }
}

/// What a column means in time where the windows of its rows do not matter.
fn without_window(origin: &Origin) -> Origin {
    match origin {
        Origin::Window(..) => Origin::Other,
        other => other.clone(),
    }
}

/// Whether the values of a type can be told apart by whole numbers in the same order.
fn counts(time: &DataType) -> bool {
    use DataType::{Date32, Date64, Int8, Int16, Int32, Int64, Timestamp, UInt8, UInt16, UInt32};
    matches!(time, Timestamp(..) | Date32 | Date64 | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32)
}
