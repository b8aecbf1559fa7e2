//! The first rows of each partition: one operator for ranks in a range, `ORDER BY .. LIMIT`, and the first row of a group.
//!
//! Whoever recognises such a thing describes it as a [`First`]; here it becomes a node over columns, with the promises of its
//! output. Knows no syntax.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, ExprSchemable, SortExpr};
use datafusion::physical_expr::expressions::lit as literal;
use tidemill_core::ChangeMode;
use tidemill_plan::Edge;
use tidemill_plan::op::{DeduplicateOp, Emit, Expire, Keep, RankFunction, SortKey, StreamOp, TopNOp};

use super::emission::Emission;
use super::express::column;
use super::lowering::Lowering;
use super::project::origin;
use super::refusal::Lower;
use super::relation::{Bound, Origin, Relation, Slot, WindowRef, bare_column};

/// Which rows are wanted, in the words of the logical plan.
pub(super) struct First<'a> {
    pub(super) partition_by: &'a [Expr],
    pub(super) order_by: &'a [SortExpr],
    /// Which number the range is of.
    pub(super) bound: RankFunction,
    /// The first and the last number that is wanted.
    pub(super) range: (u64, Option<u64>),
    /// The numbers that are wanted as columns, and their fields.
    pub(super) ranks: Vec<(RankFunction, FieldRef)>,
}

/// Where the partition's and the order's columns are.
pub(super) struct SortColumns {
    pub(super) partition_by: Vec<usize>,
    pub(super) order_by: Vec<SortKey>,
    /// Those columns of the order that are what the clock said.
    clocks: Vec<usize>,
}

impl Lowering<'_> {
    /// The rows of `input` that are wanted; their numbers are the last columns. `schema` is the input's.
    pub(super) fn first_rows(
        &mut self,
        input: Relation,
        schema: &DFSchema,
        first: First<'_>,
        emission: Emission,
    ) -> Lower<Relation> {
        let input = self.attach(input)?;
        let (mut input, mut keys) = self.keys_as_columns(input, schema, &first)?;
        let append = self.is_append(&input);
        let window = window_of(&input, &keys.partition_by);
        if window.is_none()
            && append
            && let Some(keep) = one_a_key(&input, schema, &self.plan.node(input.node).edge, &first, &keys)
        {
            return self.one_row_a_key(input, &first, keys.partition_by, keep, emission);
        }
        if append {
            self.order_by_arrival(&mut input, &mut keys);
        }
        let edge = self.plan.node(input.node).edge.clone();
        let asked = match emission {
            Emission::Changes { every } => Some(Emit::Changes { every }),
            _ => None,
        };
        let lateness = self.options.allowed_lateness;
        let (emit, expire) = match &window {
            Some((window, end)) => {
                let at = keys.partition_by.iter().position(|c| c == end);
                // Any bound decides the window; partitions are let go by its end.
                let end_key = at.unwrap_or(keys.partition_by.len());
                if at.is_none() {
                    keys.partition_by.push(*end);
                }
                let expire = Expire { end_key, window: window.window().clone(), allowed_lateness: lateness };
                let closes = append && lateness == 0;
                let emit = asked.unwrap_or(if closes { Emit::OnClose } else { Emit::Changes { every: 0 } });
                (emit, Some(expire))
            }
            None if edge.bounded => (asked.unwrap_or(Emit::AtEnd), None),
            None => (asked.unwrap_or(Emit::Changes { every: 0 }), None),
        };
        let updates = matches!(emit, Emit::Changes { .. });
        // Rows come out when a window closes, or come back later: the window's own columns are all that still speaks of time.
        let origin = |origin: &Origin| match (origin, &window) {
            (Origin::Window(_, own), Some((window, _))) if own == window => origin.clone(),
            _ => Origin::Other,
        };
        let columns = edge.schema.fields().len();
        let mut fields: Vec<FieldRef> = edge.schema.fields().iter().cloned().collect();
        fields.extend(first.ranks.iter().map(|(_, field)| Arc::clone(field)));
        let moved = |s: &Slot| Slot { origin: origin(&s.origin), ..s.clone() };
        let mut slots: Vec<Slot> = input.slots.iter().map(moved).collect();
        let hidden: Vec<Slot> = input.hidden.iter().map(moved).collect();
        slots.extend((0..first.ranks.len()).map(|i| Slot::at(columns + i, Origin::Other)));
        let speaks = |s: &&Slot| matches!(s.origin, Origin::Window(Bound::Time, _));
        let event_time = if updates { None } else { slots.iter().chain(&hidden).find(speaks).and_then(Slot::index) };
        let out = Edge {
            schema: Arc::new(Schema::new(fields)),
            changes: if updates { ChangeMode::Retract } else { ChangeMode::Append },
            event_time,
            bounded: edge.bounded,
        };
        let op = TopNOp {
            partition_by: keys.partition_by,
            order_by: keys.order_by,
            bound: first.bound,
            first: first.range.0,
            last: first.range.1,
            ranks: first.ranks.iter().map(|(rank, _)| *rank).collect(),
            emit,
            expire,
        };
        let node = self.plan.add(StreamOp::TopN(op), vec![input.node], out);
        Ok(Relation { node, slots, hidden, window: None })
    }

    /// What is ordered by the clock is ordered as it came: the clock is read once for many rows, which are no peers of each other.
    fn order_by_arrival(&mut self, input: &mut Relation, keys: &mut SortColumns) {
        for key in keys.order_by.iter_mut().filter(|k| keys.clocks.contains(&k.column)) {
            key.column = self.numbered(input);
        }
    }

    /// The first row of each key, over insertions. Its numbers, where they are wanted, are all 1.
    fn one_row_a_key(
        &mut self,
        input: Relation,
        first: &First<'_>,
        keys: Vec<usize>,
        keep: Keep,
        emission: Emission,
    ) -> Lower<Relation> {
        let edge = self.plan.node(input.node).edge.clone();
        let columns = edge.schema.fields().len();
        let emit = match emission {
            Emission::Changes { every } => Emit::Changes { every },
            _ if edge.bounded => Emit::AtEnd,
            _ => Emit::Changes { every: 0 },
        };
        // The first that came stays the first: it is put out at once, with its time. Any other comes late or goes again.
        let for_good = keep == Keep::FirstArrived;
        let out = Edge {
            changes: match emit {
                Emit::Changes { .. } if !for_good => ChangeMode::Retract,
                _ => ChangeMode::Append,
            },
            event_time: edge.event_time.filter(|_| for_good),
            ..edge
        };
        let op = DeduplicateOp { keys, keep, emit };
        let mut node = self.plan.add(StreamOp::Deduplicate(op), vec![input.node], out.clone());
        if !first.ranks.is_empty() {
            let mut exprs: Vec<_> = (0..columns).map(|c| column(&out, c)).collect();
            exprs.extend(first.ranks.iter().map(|_| literal(1_u64)));
            let fields = out.schema.fields().iter().chain(first.ranks.iter().map(|(_, field)| field));
            let schema = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
            node = self.plan.add(StreamOp::Project(exprs), vec![node], Edge { schema, ..out });
        }
        let moved = |s: &Slot| match for_good {
            true => s.clone(),
            false => Slot { origin: Origin::Other, ..s.clone() },
        };
        let mut slots: Vec<Slot> = input.slots.iter().map(moved).collect();
        slots.extend((0..first.ranks.len()).map(|i| Slot::at(columns + i, Origin::Other)));
        let hidden = if for_good { input.hidden } else { vec![] };
        Ok(Relation { node, slots, hidden, window: None })
    }

    /// The relation with a column for each expression of the partition and the order, and without columns that nothing
    /// reads, since all that goes in is kept.
    pub(super) fn keys_as_columns(
        &mut self,
        input: Relation,
        schema: &DFSchema,
        first: &First<'_>,
    ) -> Lower<(Relation, SortColumns)> {
        let constant = |e: &Expr| matches!(e, Expr::Literal(..));
        let partition: Vec<&Expr> = first.partition_by.iter().filter(|e| !constant(e)).collect();
        let order: Vec<&SortExpr> = first.order_by.iter().filter(|s| !constant(&s.expr)).collect();
        let wanted = || partition.iter().copied().chain(order.iter().map(|s| &s.expr));
        let place = |input: &Relation, e: &Expr| input.slot(schema, bare_column(e)?)?.index();
        let computed = wanted().any(|e| place(&input, e).is_none());
        let input = if computed { self.distinct_places(input, schema)? } else { input };
        let over = self.schema_over(&input, schema)?;
        let edge = self.plan.node(input.node).edge.clone();
        let mut kept: Vec<usize> = input.slots.iter().chain(&input.hidden).filter_map(Slot::index).collect();
        kept.sort_unstable();
        kept.dedup();
        let mut exprs: Vec<_> = kept.iter().map(|c| column(&edge, *c)).collect();
        let mut fields: Vec<FieldRef> = kept.iter().map(|c| Arc::clone(&edge.schema.fields()[*c])).collect();
        let mut places: HashMap<&Expr, usize> = HashMap::new();
        for e in wanted() {
            if places.contains_key(e) {
                continue;
            }
            let at = match place(&input, e) {
                Some(at) => kept.binary_search(&at).unwrap_or(at),
                None => {
                    let name = format!("__key_{}", fields.len());
                    fields.push(Arc::new(Field::new(name, e.get_type(schema)?, e.nullable(schema)?)));
                    exprs.push(self.express(e, &over)?);
                    fields.len() - 1
                }
            };
            places.insert(e, at);
        }
        let partition_by: Vec<usize> = partition.iter().map(|e| places[*e]).collect();
        let key = |s: &&SortExpr| SortKey { column: places[&s.expr], descending: !s.asc, nulls_first: s.nulls_first };
        // Rows of a partition are equal in its columns.
        let order_by = order.iter().map(key).filter(|k| !partition_by.contains(&k.column)).collect();
        let clocks = order.iter().filter(|s| origin(&s.expr, &input, schema) == Origin::ProcessingTime);
        let clocks = clocks.map(|s| places[&s.expr]).collect();
        let keys = SortColumns { partition_by, order_by, clocks };
        if kept.len() == edge.schema.fields().len() && exprs.len() == kept.len() {
            return Ok((input, keys));
        }
        let moved = |slot: &Slot| match slot.index().and_then(|i| kept.binary_search(&i).ok()) {
            Some(at) => Slot::at(at, slot.origin.clone()),
            None => slot.clone(),
        };
        let slots = input.slots.iter().map(moved).collect();
        let hidden = input.hidden.iter().map(moved).collect();
        let event_time = edge.event_time.and_then(|t| kept.binary_search(&t).ok());
        let out = Edge { schema: Arc::new(Schema::new(fields)), event_time, ..edge };
        let node = self.plan.add(StreamOp::Project(exprs), vec![input.node], out);
        Ok((Relation { node, slots, hidden, window: None }, keys))
    }
}

/// Which row of each key is wanted, if that is one of them and easily found.
fn one_a_key(input: &Relation, schema: &DFSchema, edge: &Edge, first: &First<'_>, keys: &SortColumns) -> Option<Keep> {
    let one = first.bound == RankFunction::RowNumber && first.range == (1, Some(1));
    if !one || keys.partition_by.is_empty() || keys.order_by.is_empty() {
        return None;
    }
    if let [by] = first.order_by
        && origin(&by.expr, input, schema) == Origin::ProcessingTime
    {
        return Some(if by.asc { Keep::FirstArrived } else { Keep::LastArrived });
    }
    // What a value takes as a key to sort by: a byte for NULL, and itself.
    let width = |key: &SortKey| match edge.schema.field(key.column).data_type() {
        DataType::Boolean => Some(2),
        other => other.primitive_width().map(|width| width + 1),
    };
    let width: Option<usize> = keys.order_by.iter().map(width).sum();
    width.filter(|w| *w <= 16).map(|_| Keep::FirstBy(keys.order_by.clone()))
}

/// The window whose bounds decide the partition, where the watermark speaks of it, and the column of its end.
fn window_of(input: &Relation, partition_by: &[usize]) -> Option<(WindowRef, usize)> {
    let mut windows: Vec<(WindowRef, Vec<Bound>)> = vec![];
    for slot in input.slots.iter().chain(&input.hidden) {
        let Origin::Window(bound, window) = &slot.origin else { continue };
        if !slot.index().is_some_and(|i| partition_by.contains(&i)) {
            continue;
        }
        match windows.iter_mut().find(|(w, _)| w == window) {
            Some((_, bounds)) => bounds.push(*bound),
            None => windows.push((window.clone(), vec![*bound])),
        }
    }
    windows.into_iter().find_map(|(window, bounds)| {
        let end = input.bound(Bound::End, &window)?;
        (window.closed_by(&bounds) && window.timed()).then_some((window, end))
    })
}
