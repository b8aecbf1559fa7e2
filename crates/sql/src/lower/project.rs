//! `SELECT` expressions.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Schema, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, ExprSchemable, Projection};
use tidemill_plan::Edge;
use tidemill_plan::op::StreamOp;

use super::emission::Emission;
use super::express::column;
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Bound, Origin, Relation, Slot, bare_column};

impl Lowering<'_> {
    pub(super) fn projection(&mut self, projection: &Projection, emission: Emission) -> Lower<Relation> {
        if let Some(ranked) = self.ranked_projection(projection, emission) {
            return ranked;
        }
        let input = self.relation(&projection.input, emission)?;
        self.project(input, projection)
    }

    /// The expressions of `projection` over `input`, which is its input lowered.
    pub(super) fn project(&mut self, mut input: Relation, projection: &Projection) -> Lower<Relation> {
        let schema = projection.input.schema();
        let bare: Vec<Option<usize>> =
            projection.expr.iter().map(|e| bare_column(e).and_then(|c| schema.maybe_index_of_column(c))).collect();
        if bare.iter().all(Option::is_some) {
            return Ok(select(input, bare.into_iter().flatten()));
        }
        let looks = |(e, bare): (&Expr, &Option<usize>)| bare.is_none() && input.touches_window(schema, e);
        if projection.expr.iter().zip(&bare).any(looks) {
            input = self.attach(input)?;
        }
        input = self.distinct_places(input, schema)?;
        let over = self.schema_over(&input, schema)?;
        let edge = self.plan.node(input.node).edge.clone();

        let mut exprs = vec![];
        let mut fields = vec![];
        let mut slots = vec![];
        // Where the input's columns are in the output, for what has to be kept beside the expressions.
        let mut kept: Vec<(usize, usize)> = vec![];
        for ((expr, bare), field) in projection.expr.iter().zip(&bare).zip(projection.schema.fields()) {
            let slot = match bare.map(|i| &input.slots[i]) {
                Some(slot) => match slot.index() {
                    Some(i) => {
                        kept.push((i, exprs.len()));
                        exprs.push(column(&edge, i));
                        Slot::at(exprs.len() - 1, slot.origin.clone())
                    }
                    None => {
                        slots.push(slot.clone());
                        continue;
                    }
                },
                None => {
                    exprs.push(self.express(expr, &over)?);
                    Slot::at(exprs.len() - 1, origin(expr, &input, schema))
                }
            };
            fields.push(Arc::clone(field));
            slots.push(slot);
        }
        let mut keep = |index: usize| match kept.iter().find(|(from, _)| *from == index) {
            Some((_, to)) => *to,
            None => {
                exprs.push(column(&edge, index));
                fields.push(Arc::clone(&edge.schema.fields()[index]));
                kept.push((index, exprs.len() - 1));
                exprs.len() - 1
            }
        };
        let beside = input.bounds_beside(&slots);
        let hidden = beside.into_iter().filter_map(|s| Some(Slot::at(keep(s.index()?), s.origin))).collect();
        let window = input.window.map(|mut w| {
            w.time = keep(w.time);
            w.partition_by = w.partition_by.iter().map(|p| keep(*p)).collect();
            w
        });
        let event_time = edge.event_time.and_then(|t| kept.iter().find(|(from, _)| *from == t)).map(|(_, to)| *to);
        // A time column that was only put into another unit is still what the watermark speaks of.
        let event_time = event_time.or_else(|| {
            slots
                .iter()
                .find(|s| s.origin == Origin::EventTime)
                .and_then(Slot::index)
                .filter(|_| edge.event_time.is_some())
        });
        let schema = Arc::new(Schema::new(fields));
        let node = self.plan.add(StreamOp::Project(exprs), vec![input.node], Edge { schema, event_time, ..edge });
        Ok(Relation { node, slots, hidden, window })
    }
}

/// Columns under other names or in another order: nothing has to be computed.
fn select(input: Relation, columns: impl Iterator<Item = usize>) -> Relation {
    let slots: Vec<Slot> = columns.map(|i| input.slots[i].clone()).collect();
    let hidden = input.bounds_beside(&slots);
    Relation { node: input.node, slots, hidden, window: input.window }
}

/// What the value of an expression means in time.
pub(super) fn origin(expr: &Expr, input: &Relation, schema: &DFSchema) -> Origin {
    match expr {
        Expr::Alias(alias) => origin(&alias.expr, input, schema),
        Expr::Column(c) => input.slot(schema, c).map_or(Origin::Other, |s| s.origin.clone()),
        Expr::Cast(cast) => cast_origin(&cast.expr, cast.field.data_type(), input, schema),
        Expr::TryCast(cast) => cast_origin(&cast.expr, cast.field.data_type(), input, schema),
        Expr::ScalarFunction(call)
            if call.args.is_empty() && matches!(call.name(), "proctime" | "current_timestamp" | "now") =>
        {
            Origin::ProcessingTime
        }
        _ => Origin::Other,
    }
}

/// A cast from one timestamp to another keeps the instant, if only to the millisecond: no finer than windows are cut.
fn cast_origin(expr: &Expr, to: &DataType, input: &Relation, schema: &DFSchema) -> Origin {
    let from = expr.get_type(schema);
    let (Ok(DataType::Timestamp(_, from_zone)), DataType::Timestamp(unit, to_zone)) = (from, to) else {
        return Origin::Other;
    };
    if *unit == TimeUnit::Second {
        return Origin::Other;
    }
    match origin(expr, input, schema) {
        // The bounds are grouped by as they are; only as a time do they survive.
        Origin::Window(Bound::Time, w) if w.timed() => Origin::EventTime,
        Origin::Window(..) => Origin::Other,
        // The clock is an instant, and a wall-clock value is one only by its zone.
        Origin::ProcessingTime if from_zone.is_some() != to_zone.is_some() => Origin::Other,
        kept => kept,
    }
}
