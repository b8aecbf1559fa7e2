//! What is known of a lowered node beside its edge: where each column of the logical plan stands, and what it means in time.
//!
//! Window functions are lowered late. [`PendingWindow`] says "each row belongs to these windows" without a row for each
//! of them; filters and projections that do not look at the window go below it, and an aggregation by the window then takes
//! both at once. Whoever needs the rows themselves calls [`attach`](super::window), and the window's columns are there.

use std::sync::Arc;

use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::Expr as PlanExpr;
use tidemill_plan::NodeId;
use tidemill_plan::op::Expr;
use tidemill_plan::window::{Window, WindowKind};

/// A lowered logical plan.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// The node whose output holds the rows.
    pub(super) node: NodeId,
    /// For each column of the logical plan, where it stands.
    pub(super) slots: Vec<Slot>,
    /// Bounds of windows that the query no longer names, kept for an aggregation above that groups by the other bound.
    pub(super) hidden: Vec<Slot>,
    /// The windows that each row belongs to, if they are not columns yet.
    pub(super) window: Option<PendingWindow>,
}

/// A column: where it stands and what it means in time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slot {
    pub(super) place: Place,
    pub(super) origin: Origin,
}

/// Where a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the node's output.
    At(usize),
    /// It is a column of the [`PendingWindow`].
    Pending(Bound),
    /// Nowhere: it was not computed, since nothing reads it.
    Unread,
}

/// A column that a window function adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Bound {
    Start,
    End,
    Time,
}

impl Bound {
    /// In the order of the columns.
    pub(super) const ALL: [Self; 3] = [Self::Start, Self::End, Self::Time];
}

/// What a column means in time.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Origin {
    /// Nothing.
    Other,
    /// The watermark speaks of it.
    EventTime,
    /// It is the clock's reading when the row came in.
    ProcessingTime,
    /// It counts the rows as they came.
    Arrival,
    /// It is a bound of the row's window.
    Window(Bound, WindowRef),
}

/// A window function of the query. Two are the same only if they are the same place of the plan.
#[derive(Debug, Clone)]
pub(super) struct WindowRef(pub(super) Arc<WindowOfPlan>);

/// See [`WindowRef`].
#[derive(Debug)]
pub(super) struct WindowOfPlan {
    /// The index of its time column means nothing here.
    pub(super) window: Window,
    /// The name of its time column, for messages.
    pub(super) time_name: String,
    /// Whether the watermark speaks of its time, so that windows close before the input ends.
    pub(super) timed: bool,
    /// Whether it is a session of each value of its `PARTITION BY`, so that several may begin, or end, together.
    pub(super) partitioned: bool,
}

impl PartialEq for WindowRef {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl WindowRef {
    pub(super) fn window(&self) -> &Window {
        &self.0.window
    }

    pub(super) fn timed(&self) -> bool {
        self.0.timed
    }

    /// Whether rows with equal values in these bounds have both bounds in common.
    pub(super) fn decided_by(&self, bounds: &[Bound]) -> bool {
        match self.window().kind {
            // Sessions of different partitions that begin together need not end together, nor the other way round.
            WindowKind::Session { .. } if self.0.partitioned => {
                bounds.contains(&Bound::Start) && self.closed_by(bounds)
            }
            _ => self.closed_by(bounds),
        }
    }

    /// Whether rows with equal values in these bounds are rows of windows that end together.
    pub(super) fn closed_by(&self, bounds: &[Bound]) -> bool {
        match self.window().kind {
            // The windows of a CUMULATE share their start.
            WindowKind::Cumulate { .. } => bounds.iter().any(|b| *b != Bound::Start),
            WindowKind::Session { .. } if self.0.partitioned => bounds.iter().any(|b| *b != Bound::Start),
            _ => !bounds.is_empty(),
        }
    }

    /// Whether both cut time alike, so that rows of both may be grouped together.
    pub(super) fn alike(&self, other: &Self) -> bool {
        let (a, b) = (self.window(), other.window());
        (a.kind, a.offset, a.zone, &a.time_type) == (b.kind, b.offset, b.zone, &b.time_type)
    }
}

/// Windows that rows belong to, not yet as columns.
#[derive(Debug, Clone)]
pub(super) struct PendingWindow {
    pub(super) window: WindowRef,
    /// The time column in the node's output.
    pub(super) time: usize,
    /// `PARTITION BY` of a session, in the node's output.
    pub(super) partition_by: Vec<usize>,
    /// What is asked of the window alone, over its three columns: kept until they are there.
    pub(super) conditions: Vec<Expr>,
}

impl PendingWindow {
    /// The window, over the column of the node's output.
    pub(super) fn over_node(&self) -> Window {
        Window { time: self.time, ..self.window.window().clone() }
    }
}

impl Slot {
    pub(super) fn at(index: usize, origin: Origin) -> Self {
        Self { place: Place::At(index), origin }
    }

    pub(super) fn pending(bound: Bound, window: &WindowRef) -> Self {
        Self { place: Place::Pending(bound), origin: Origin::Window(bound, window.clone()) }
    }

    /// The place in the node's output, if it is there.
    pub(super) fn index(&self) -> Option<usize> {
        match self.place {
            Place::At(i) => Some(i),
            Place::Pending(_) | Place::Unread => None,
        }
    }
}

impl Relation {
    /// Columns that stand in the node's output one after the other and mean nothing in time.
    pub(super) fn plain(node: NodeId, columns: usize) -> Self {
        let slots = (0..columns).map(|i| Slot::at(i, Origin::Other)).collect();
        Self { node, slots, hidden: vec![], window: None }
    }

    /// The same columns in the output of another node.
    pub(super) fn on(self, node: NodeId) -> Self {
        Self { node, ..self }
    }

    /// The column that `column` names; `schema` is that of the logical plan.
    pub(super) fn slot(&self, schema: &DFSchema, column: &Column) -> Option<&Slot> {
        schema.maybe_index_of_column(column).map(|i| &self.slots[i])
    }

    /// Whether `expr` reads a column of the pending window.
    pub(super) fn touches_window(&self, schema: &DFSchema, expr: &PlanExpr) -> bool {
        self.window.is_some()
            && expr.column_refs().into_iter().any(|c| self.slot(schema, c).is_some_and(|s| s.index().is_none()))
    }

    /// Where a bound of `window` stands in the node's output, named or not.
    pub(super) fn bound(&self, bound: Bound, window: &WindowRef) -> Option<usize> {
        let wanted = Origin::Window(bound, window.clone());
        self.slots.iter().chain(&self.hidden).find(|s| s.origin == wanted).and_then(Slot::index)
    }

    /// The bounds of windows in the output that `kept` no longer holds but refers to by another bound; and the count of the rows as
    /// they came, if there is one.
    pub(super) fn bounds_beside(&self, kept: &[Slot]) -> Vec<Slot> {
        let mut beside: Vec<Slot> = vec![];
        for slot in self.slots.iter().chain(&self.hidden) {
            if slot.origin == Origin::Arrival && !beside.iter().any(|s| s.origin == Origin::Arrival) {
                beside.push(slot.clone());
            }
            let Origin::Window(bound @ (Bound::Start | Bound::End), window) = &slot.origin else { continue };
            let known = |s: &Slot| s.origin == slot.origin;
            let referred = kept.iter().any(|s| matches!(&s.origin, Origin::Window(_, w) if w == window));
            if slot.index().is_some() && referred && !kept.iter().any(known) && !beside.iter().any(known) {
                debug_assert!(matches!(bound, Bound::Start | Bound::End));
                beside.push(slot.clone());
            }
        }
        beside
    }
}

/// The column that an expression is, under whatever name.
pub(super) fn bare_column(expr: &PlanExpr) -> Option<&Column> {
    match expr {
        PlanExpr::Column(column) => Some(column),
        PlanExpr::Alias(alias) => bare_column(&alias.expr),
        _ => None,
    }
}
