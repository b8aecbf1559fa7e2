//! `UNNEST`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::NullHandling;
use datafusion::logical_expr::{LogicalPlan, Unnest};
use tidemill_core::{Error, Result};
use tidemill_plan::Edge;
use tidemill_plan::op::{StreamOp, UnnestOp};

use super::emission::Emission;
use super::lowering::Lowering;
use super::refusal::{Lower, no_form};
use super::relation::{Origin, Relation, Slot};

impl Lowering<'_> {
    /// Lists of lists are taken apart one level a node, all lists that still have as many levels side by side.
    pub(super) fn unnest(&mut self, unnest: &Unnest, emission: Emission) -> Lower<Relation> {
        let preserve_nulls = match unnest.options.null_handling {
            NullHandling::Drop => false,
            NullHandling::PreserveAndExpandEmpty => true,
            // A NULL list stays and an empty one goes: no operator does that for lists.
            NullHandling::Preserve if unnest.list_type_columns.is_empty() => false,
            NullHandling::Preserve => return Err(no_form(&LogicalPlan::Unnest(unnest.clone()))),
        };
        let mut lists: Vec<(usize, usize)> = vec![];
        for (column, list) in &unnest.list_type_columns {
            if lists.iter().any(|(c, _)| c == column) {
                return Err(no_form(&LogicalPlan::Unnest(unnest.clone())));
            }
            lists.push((*column, list.depth));
        }
        let relation = self.relation(&unnest.input, emission)?;
        let relation = self.attach(relation)?;
        let relation = self.distinct_places(relation, unnest.input.schema())?;
        let place = |logical: usize| {
            relation.slots[logical].index().ok_or_else(|| Error::internal("UNNEST of a window's column"))
        };
        let lists = lists.into_iter().map(|(c, depth)| Ok((place(c)?, depth))).collect::<Result<Vec<_>>>()?;
        let structs = unnest.struct_type_columns.iter().map(|c| place(*c)).collect::<Result<Vec<_>>>()?;

        let deepest = lists.iter().map(|(_, depth)| *depth).max().unwrap_or(1);
        let mut node = relation.node;
        for level in (2..=deepest).rev() {
            let level_lists: Vec<usize> = lists.iter().filter(|(_, d)| *d >= level).map(|(c, _)| *c).collect();
            let edge = self.plan.node(node).edge.clone();
            let fields = edge.schema.fields().iter().enumerate();
            let fields: Vec<FieldRef> =
                fields.map(|(i, f)| if level_lists.contains(&i) { element(f) } else { Arc::clone(f) }).collect();
            let from = (0..fields.len()).collect();
            let op = UnnestOp { lists: level_lists, structs: vec![], preserve_nulls, from };
            node =
                self.plan.add(StreamOp::Unnest(op), vec![node], Edge { schema: Arc::new(Schema::new(fields)), ..edge });
        }

        let edge = self.plan.node(node).edge.clone();
        let lists: Vec<usize> = lists.into_iter().map(|(c, _)| c).collect();
        let mut from = vec![];
        let mut slots = vec![];
        for (out, logical) in unnest.dependency_indices.iter().enumerate() {
            from.push(place(*logical)?);
            let taken_apart = lists.contains(&from[out]) || structs.contains(&from[out]);
            let origin = if taken_apart { Origin::Other } else { relation.slots[*logical].origin.clone() };
            slots.push(Slot::at(out, origin));
        }
        let mut fields: Vec<FieldRef> = unnest.schema.fields().iter().cloned().collect();
        let mut hidden = vec![];
        for slot in relation.bounds_beside(&slots) {
            if let Some(i) = slot.index() {
                from.push(i);
                fields.push(Arc::clone(&edge.schema.fields()[i]));
                hidden.push(Slot::at(from.len() - 1, slot.origin));
            }
        }
        let event_time = edge.event_time.and_then(|t| from.iter().position(|f| *f == t));
        let op = UnnestOp { lists, structs, preserve_nulls, from };
        let schema = Arc::new(Schema::new(fields));
        let node = self.plan.add(StreamOp::Unnest(op), vec![node], Edge { schema, event_time, ..edge });
        Ok(Relation { node, slots, hidden, window: None })
    }
}

/// A list's field as that of its elements.
fn element(list: &FieldRef) -> FieldRef {
    match list.data_type() {
        DataType::List(inner)
        | DataType::LargeList(inner)
        | DataType::ListView(inner)
        | DataType::LargeListView(inner)
        | DataType::FixedSizeList(inner, _) => Arc::new(Field::new(list.name(), inner.data_type().clone(), true)),
        _ => Arc::clone(list),
    }
}
