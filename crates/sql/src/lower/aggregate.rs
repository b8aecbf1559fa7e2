//! `GROUP BY`: which of the aggregating operators it becomes.
//!
//! A grouping by a window's bounds closes with the watermark. Where the window function is right below, both become one
//! operator; otherwise the rows carry their window. A grouping without a window is kept up to date, or answered at the end
//! of a bounded input.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::common::DFSchema;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use datafusion::physical_expr::aggregate::LoweredAggregateBuilder;
use tidemill_core::{Error, Result};
use tidemill_plan::op::{AggregateCall, Emit, GroupBy};

use super::arrival::in_arrival;
use super::distinct_on::whole_rows;
use super::emission::Emission;
use super::express::refuse_subquery;
use super::keys::Keys;
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Bound, Relation, WindowRef, bare_column};

/// The window of a grouping.
#[derive(Debug, Clone)]
pub(super) struct WindowKeys {
    pub(super) window: WindowRef,
    /// The keys that are bounds of it.
    pub(super) bounds: Vec<(usize, Bound)>,
}

impl WindowKeys {
    pub(super) fn keys(&self) -> Vec<usize> {
        self.bounds.iter().map(|(k, _)| *k).collect()
    }
}

impl Lowering<'_> {
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate, emission: Emission) -> Lower<Relation> {
        // What is asked for of this aggregation is not asked for of those below it.
        let mut input = self.relation(&aggregate.input, Emission::Default)?;
        self.count_arrivals(aggregate, &mut input);
        let schema = aggregate.input.schema();
        let keys = Keys::of(aggregate)?;
        let Some(by) = window_keys(&keys, &input, schema) else {
            let input = self.attach(input)?;
            if let Some(order_by) = whole_rows(aggregate) {
                return self.first_of_each_group(aggregate, input, &order_by, emission);
            }
            return self.updating_aggregate(aggregate, input, &keys, emission);
        };
        if let Emission::Changes { every } = emission {
            let input = self.attach_as(input, true)?;
            return self.window_groups(aggregate, input, &keys, &by, Emit::Changes { every });
        }
        if !self.is_append(&input) {
            self.must_close(input.node, &by.window)?;
            let input = self.attach(input)?;
            return self.window_groups(aggregate, input, &keys, &by, Emit::OnClose);
        }
        if self.fuses(aggregate, &input, &keys, &by, schema) {
            return self.window_aggregate(aggregate, input, &keys, &by);
        }
        let input = self.attach(input)?;
        // A session may grow after it was put out, where corrections are allowed.
        match self.is_append(&input) {
            true => self.window_aggregate(aggregate, input, &keys, &by),
            false => self.window_groups(aggregate, input, &keys, &by, Emit::OnClose),
        }
    }

    /// `SELECT DISTINCT`: a grouping by all columns.
    pub(super) fn distinct(&mut self, input: &Arc<LogicalPlan>, emission: Emission) -> Lower<Relation> {
        let all = input.schema().columns().into_iter().map(Expr::Column).collect();
        let aggregate = Aggregate::try_new(Arc::clone(input), all, vec![])?;
        self.aggregate(&aggregate, emission)
    }

    /// Whether the window is right below, and nothing but the grouping looks at it.
    fn fuses(&self, aggregate: &Aggregate, input: &Relation, keys: &Keys, by: &WindowKeys, schema: &DFSchema) -> bool {
        let Some(pending) = input.window.as_ref().filter(|p| p.window == by.window) else { return false };
        let own = by.keys();
        let mut bounds: Vec<Bound> = by.bounds.iter().map(|(_, b)| *b).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let others: Vec<&Expr> =
            keys.exprs.iter().enumerate().filter(|(k, _)| !own.contains(k)).map(|(_, e)| e).collect();
        let looks = |e: &Expr| input.touches_window(schema, e);
        if bounds.len() != own.len() || others.iter().any(|e| looks(e)) || aggregate.aggr_expr.iter().any(looks) {
            return false;
        }
        if !by.window.window().is_session() {
            return true;
        }
        // A session belongs to its partition, and the operator takes all of its keys for the partition.
        let places = others.iter().map(|e| match e {
            Expr::Column(c) => input.slot(schema, c).and_then(|s| s.index()),
            _ => None,
        });
        let places: Option<Vec<usize>> = places.collect();
        keys.sets.is_empty()
            && places.is_some_and(|places| {
                places.iter().all(|p| pending.partition_by.contains(p))
                    && pending.partition_by.iter().all(|p| places.contains(p))
            })
    }

    /// The keys over the columns of `over`.
    pub(super) fn group_by(&self, keys: &Keys, over: &DFSchema) -> Lower<GroupBy> {
        let pairs = keys.exprs.iter().zip(&keys.fields);
        let pairs = pairs.map(|(e, f)| Ok((self.express(e, over)?, Arc::clone(f))));
        Ok(GroupBy {
            keys: pairs.collect::<Lower<_>>()?,
            sets: keys.sets.clone(),
            grouping_id: keys.grouping_id.clone(),
        })
    }

    /// The aggregates over the columns of `over`, which are those of `input`.
    pub(super) fn calls(&self, aggregate: &Aggregate, input: &Relation, over: &DFSchema) -> Lower<Vec<AggregateCall>> {
        let physical: &Schema = over.as_arrow();
        let none = PhysicalPlanningContext::default();
        let call = |expr: &Expr| -> Lower<AggregateCall> {
            refuse_subquery(expr)?;
            let expr = &in_arrival(expr, input, over);
            let lowered = LoweredAggregateBuilder::new(expr, over, physical, &self.props, &none).build()?;
            Ok(AggregateCall { function: lowered.aggregate, filter: lowered.filter })
        };
        aggregate.aggr_expr.iter().map(call).collect()
    }
}

/// The window whose bounds decide the groups. Of several, the one right below, which can be taken together with the grouping.
fn window_keys(keys: &Keys, input: &Relation, schema: &DFSchema) -> Option<WindowKeys> {
    let all = keys.bounds(input, schema);
    let mut windows: Vec<WindowRef> = vec![];
    for (_, _, window) in &all {
        if !windows.contains(window) {
            windows.push(window.clone());
        }
    }
    if let Some(pending) = &input.window {
        windows.sort_by_key(|w| *w != pending.window);
    }
    windows.into_iter().find_map(|window| {
        let bounds: Vec<_> = all.iter().filter(|(_, _, w)| *w == window).map(|(k, b, _)| (*k, *b)).collect();
        let own: Vec<Bound> = bounds.iter().map(|(_, b)| *b).collect();
        // A partition has one session at a time.
        let decided = window.decided_by(&own) || (!own.is_empty() && has_partition(keys, input, schema, &window));
        let at_hand = input.window.as_ref().is_some_and(|p| p.window == window)
            || [Bound::Start, Bound::End].iter().all(|b| input.bound(*b, &window).is_some());
        (decided && at_hand).then_some(WindowKeys { window, bounds })
    })
}

/// Whether what the sessions of `window` are partitioned by is among the keys, in every set.
fn has_partition(keys: &Keys, input: &Relation, schema: &DFSchema, window: &WindowRef) -> bool {
    let Some(pending) = input.window.as_ref().filter(|p| p.window == *window && window.window().is_session()) else {
        return false;
    };
    let in_all_sets = |k: usize| keys.sets.iter().all(|set| !set[k]);
    let place = |e: &Expr| input.slot(schema, bare_column(e)?)?.index();
    let places: Vec<usize> =
        keys.exprs.iter().enumerate().filter(|(k, _)| in_all_sets(*k)).filter_map(|(_, e)| place(e)).collect();
    pending.partition_by.iter().all(|p| places.contains(p))
}

/// An invariant of a plan that DataFusion made.
pub(super) fn place_of(relation: &Relation, bound: Bound, window: &WindowRef) -> Result<usize> {
    relation.bound(bound, window).ok_or_else(|| Error::internal("a window's bound is not in its rows"))
}
