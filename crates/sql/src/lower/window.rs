//! `TABLE(TUMBLE(..))` and its like.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::expressions::Column;
use tidemill_core::{ChangeMode, Error, Result};
use tidemill_plan::op::{Expr, FilterOp, SessionRowsOp, StreamOp};
use tidemill_plan::{Edge, NodeId};

use super::emission::Emission;
use super::express::{Layout, column};
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Bound, Origin, PendingWindow, Place, Relation, Slot, WindowOfPlan, WindowRef};
use crate::windows::{WINDOW_COLUMNS, WindowNode};

impl Lowering<'_> {
    /// The rows of the input, and the windows they belong to as a [`PendingWindow`].
    pub(super) fn window(&mut self, node: &WindowNode) -> Lower<Relation> {
        let input = self.relation(&node.input, Emission::Default)?;
        let input = self.attach(input)?;
        let place = |column| {
            let slot = input.slot(node.input.schema(), column);
            slot.and_then(|s| Some((s.index()?, s.origin.clone())))
                .ok_or_else(|| Error::internal(format!("no column '{column}' below a window")))
        };
        let (time, origin) = place(&node.time)?;
        let partition_by = node.partition_by.iter().map(|c| Ok(place(c)?.0)).collect::<Result<_>>()?;
        let (relation, timed) = self.timed(input, time, &origin);
        let time_type = self.plan.node(relation.node).edge.schema.field(time).data_type().clone();
        let time_name = node.time.name.clone();
        let window = WindowRef(Arc::new(WindowOfPlan {
            window: node.window(time, time_type),
            time_name,
            timed,
            partitioned: !node.partition_by.is_empty(),
        }));
        let mut slots = relation.slots;
        slots.extend(Bound::ALL.map(|b| Slot::pending(b, &window)));
        let pending = PendingWindow { window, time, partition_by, conditions: vec![] };
        Ok(Relation { node: relation.node, slots, hidden: relation.hidden, window: Some(pending) })
    }

    /// Sees to it that the watermark speaks of the column `time`, if it can.
    pub(super) fn timed(&mut self, relation: Relation, time: usize, origin: &Origin) -> (Relation, bool) {
        let edge = self.plan.node(relation.node).edge.clone();
        let speaks = Edge { event_time: Some(time), ..edge.clone() };
        if *origin == Origin::ProcessingTime {
            let node = self.plan.add(StreamOp::ProcessingTime, vec![relation.node], speaks);
            return (relation.on(node), true);
        }
        if edge.event_time == Some(time) {
            return (relation, true);
        }
        match origin {
            Origin::EventTime => {}
            Origin::Window(Bound::Time, w) if w.timed() => {}
            // What the edge promises of another column is nothing to windows over this one.
            _ if edge.event_time.is_none() => return (relation, false),
            _ => {
                let node = self.same_rows(relation.node, Edge { event_time: None, ..edge });
                return (relation.on(node), false);
            }
        }
        let node = self.same_rows(relation.node, speaks);
        (relation.on(node), true)
    }

    /// The same rows; what changes is what the edge promises.
    fn same_rows(&mut self, node: NodeId, edge: Edge) -> NodeId {
        let exprs = (0..edge.schema.fields().len()).map(|i| column(&edge, i)).collect();
        self.plan.add(StreamOp::Project(exprs), vec![node], edge)
    }

    /// The columns of the pending window, with a row for each window of a row.
    pub(super) fn attach(&mut self, relation: Relation) -> Lower<Relation> {
        self.attach_as(relation, false)
    }

    /// As [`attach`](Self::attach). Where `changing`, rows of a session do not wait until it has closed.
    pub(super) fn attach_as(&mut self, relation: Relation, changing: bool) -> Lower<Relation> {
        let Some(pending) = &relation.window else { return Ok(relation) };
        // A row of a session that may be taken back does not wait either.
        let changing = pending.window.window().is_session() && (changing || !self.is_append(&relation));
        let key = (relation.node, pending.over_node(), pending.partition_by.clone(), changing);
        let node = match self.attached.get(&key) {
            Some(node) => *node,
            None => {
                let node = self.add_rows(relation.node, pending, changing)?;
                *self.attached.entry(key).or_insert(node)
            }
        };
        let columns = self.plan.node(node).edge.schema.fields().len() - Bound::ALL.len();
        let node = self.keep_windows(node, &pending.conditions, columns)?;
        let slots: Vec<Slot> = relation
            .slots
            .iter()
            .map(|s| match s.place {
                Place::Pending(bound) => Slot::at(columns + bound as usize, s.origin.clone()),
                Place::At(_) | Place::Unread => s.clone(),
            })
            .collect();
        let attached = Bound::ALL.map(|b| Slot::at(columns + b as usize, Origin::Window(b, pending.window.clone())));
        let mut whole = Relation { node, slots: slots.clone(), hidden: relation.hidden, window: None };
        whole.hidden.extend(attached);
        let hidden = whole.bounds_beside(&slots);
        Ok(Relation { hidden, ..whole })
    }

    /// The rows whose windows, in three columns from `at` on, meet `conditions`.
    pub(super) fn keep_windows(&mut self, node: NodeId, conditions: &[Expr], at: usize) -> Lower<NodeId> {
        let mut node = node;
        for condition in conditions {
            let moved = Arc::clone(condition).transform(|e| {
                Ok(match e.downcast_ref::<Column>() {
                    Some(c) => Transformed::yes(Arc::new(Column::new(c.name(), c.index() + at)) as Expr),
                    None => Transformed::no(e),
                })
            });
            let edge = self.plan.node(node).edge.clone();
            node = self.plan.add(StreamOp::Filter(FilterOp::new(moved?.data)), vec![node], edge);
        }
        Ok(node)
    }

    fn add_rows(&mut self, input: NodeId, pending: &PendingWindow, changing: bool) -> Lower<NodeId> {
        let edge = self.plan.node(input).edge.clone();
        let window = pending.over_node();
        let types = [window.bound_type(), window.bound_type(), window.window_time_type()];
        let added = WINDOW_COLUMNS.iter().zip(types).map(|(name, t)| Arc::new(Field::new(*name, t, false)));
        let fields: Vec<_> = edge.schema.fields().iter().cloned().chain(added).collect();
        let mut edge = Edge { schema: Arc::new(Schema::new(fields)), ..edge };
        let op = if window.is_session() {
            if !changing {
                self.must_close(input, &pending.window)?;
            }
            // Rows come out with their session, however old they are: time goes on in `window_time`.
            edge.event_time = edge.event_time.map(|_| edge.schema.fields().len() - 1);
            let allowed_lateness = self.options.allowed_lateness;
            if allowed_lateness > 0 || changing {
                edge.changes = ChangeMode::Retract;
            }
            StreamOp::SessionRows(SessionRowsOp {
                window,
                partition_by: pending.partition_by.clone(),
                allowed_lateness,
                changing,
            })
        } else {
            StreamOp::WindowRows(window)
        };
        Ok(self.plan.add(op, vec![input], edge))
    }

    /// Refuses windows that would wait for ever: over rows that do not end, by a time that no watermark speaks of.
    pub(super) fn must_close(&self, input: NodeId, window: &WindowRef) -> Result<()> {
        if window.timed() || self.plan.node(input).edge.bounded {
            return Ok(());
        }
        let name = &window.0.time_name;
        Err(Error::statement(format!("no watermark speaks of the time column '{name}', so its windows would never close"))
            .with_hint(format!(
                "Declare WATERMARK FOR {name} AS {name} - INTERVAL '5' SECOND in CREATE TABLE, and hand the column on as it is; or ask for EMIT CHANGES."
            )))
    }

    /// Columns of a node in another order; nothing where they are so already.
    pub(super) fn arrange(&mut self, node: NodeId, layout: Layout) -> NodeId {
        let edge = self.plan.node(node).edge.clone();
        if layout.is_all_of(&edge) { node } else { self.add_layout(node, &edge, layout) }
    }
}
