//! Rows that may still equal the greatest or least value of a window: found before a join keeps them.
//!
//! "The highest bid of each ten seconds" is often written as a windowed `MAX` joined back, by value and by time, to the rows
//! it was made of. Such a join would keep every row until the windows that it may belong to are over, and let almost all of
//! them go without a partner. The greatest value of a window only grows as rows come, so a row below what the window has
//! seen already will not equal it: [`Contenders`](StreamOp::Contenders), put below the join, leaves it out.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::JoinType;
use tidemill_core::{ChangeMode, Micros};

use crate::graph::{Node, NodeId, StreamPlan};
use crate::op::{Expr, JoinOp, RowWindow, StreamOp, TimeBound, WindowAggregateOp};
use crate::unique::column;
use crate::window::{Length, WINDOW_TIME_BEFORE_END, Window, WindowKind, Zone};

/// Leaves out rows of the first input that cannot equal the greatest (or least) value of any window they may meet. The
/// second input are the rows that the windows are made of. Output columns: those of the first input.
///
/// It may let a row through that has no partner, and does: it answers from what has come so far.
#[derive(Debug, Clone)]
pub struct ContendersOp {
    /// Of the first input: the column that is to equal the extreme.
    pub value: usize,
    /// Of the first input: the time column.
    pub time: usize,
    /// Of the windows that a row may meet, the end less its time is at least this.
    pub least: Micros,
    /// Of the windows that a row may meet, the end less its time is at most this.
    pub most: Micros,
    /// Over the second input: the expression that the extreme is of.
    pub of: Expr,
    /// Over the second input: windows side by side.
    pub window: Window,
    /// Whether it is the greatest value, and not the least.
    pub greatest: bool,
}

/// A row is compared with no more windows than this.
const WINDOWS: Micros = 4;

impl StreamPlan {
    /// The same plan, in which joins with the extreme of a window are handed contenders only.
    #[must_use]
    pub fn with_contenders(&self) -> Self {
        let mut plan = Self::new(self.clock().clone());
        let mut places = vec![NodeId(0); self.nodes().len()];
        for node in self.nodes() {
            let mut inputs: Vec<NodeId> = node.inputs.iter().map(|i| places[i.0]).collect();
            if let StreamOp::Join(join) = &node.op {
                for side in [0, 1] {
                    let Some((op, rows)) = self.contenders(node, join, side) else { continue };
                    let edge = self.node(node.inputs[side]).edge.clone();
                    inputs[side] = plan.add(StreamOp::Contenders(op), vec![inputs[side], places[rows.0]], edge);
                }
            }
            places[node.id.0] = plan.add(node.op.moved(&places), inputs, node.edge.clone());
        }
        plan
    }

    /// The contenders among the rows of input `side`, if the other one is the extreme of windows; and whose rows those
    /// windows are made of.
    fn contenders(&self, node: &Node, join: &JoinOp, side: usize) -> Option<(ContendersOp, NodeId)> {
        let lone_rows_vanish = match join.join_type {
            JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => true,
            JoinType::Left => side == 1,
            JoinType::Right => side == 0,
            _ => false,
        };
        let Some(TimeBound::Interval { times, least: Some(least), most: Some(most) }) = join.bound else { return None };
        if !lone_rows_vanish || join.nulls_match {
            return None;
        }
        let of = |pair: (usize, usize), side: usize| if side == 0 { pair.0 } else { pair.1 };
        let (windows, end) = self.column_of_windows(node.inputs[1 - side], of(times, 1 - side))?;
        let (window, size) = side_by_side(windows)?;
        let shift = match end {
            0 => -size,
            1 => 0,
            2 => -WINDOW_TIME_BEFORE_END,
            _ => return None,
        };
        // The join bounds the left time less the right one; here it is the window's end less the row's time.
        let (least, most) = if side == 0 { (-most, -least) } else { (least, most) };
        let (least, most) = (least.checked_sub(shift)?, most.checked_sub(shift)?);
        if most.checked_sub(least)? > WINDOWS * size {
            return None;
        }
        let row = &self.node(node.inputs[side]).edge;
        join.keys.iter().find_map(|keys| {
            let (same, place) = self.column_of_windows(node.inputs[1 - side], of(*keys, 1 - side))?;
            let StreamOp::WindowAggregate(op) = &same.op else { return None };
            let (value, time) = (of(*keys, side), of(times, side));
            let fits = same.id == windows.id && in_whole_micros(row.schema.field(time).data_type());
            if !fits || row.changes != ChangeMode::Append {
                return None;
            }
            let (of, greatest) = extreme(op, place)?;
            let rows = self.node(same.inputs[0]);
            let of_type = of.data_type(&rows.edge.schema).ok()?;
            (comparable(&of_type) && of_type == *row.schema.field(value).data_type())
                .then(|| (ContendersOp { value, time, least, most, of, window: window.clone(), greatest }, rows.id))
        })
    }

    /// The windowed aggregate that `column` of `node` is handed on from, and its place there.
    fn column_of_windows(&self, node: NodeId, at: usize) -> Option<(&Node, usize)> {
        let node = self.node(node);
        match &node.op {
            StreamOp::Project(exprs) => self.column_of_windows(*node.inputs.first()?, column(exprs.get(at)?)?),
            StreamOp::Filter(op) => {
                let at = op.columns.as_ref().map_or(Some(at), |columns| columns.get(at).copied());
                self.column_of_windows(*node.inputs.first()?, at?)
            }
            StreamOp::WindowAggregate(_) => Some((node, at)),
            _ => None,
        }
    }
}

/// The windows of an aggregate and how long they are, if they stand side by side on the clock of their rows and have no
/// groups within.
fn side_by_side(node: &Node) -> Option<(&Window, Micros)> {
    let StreamOp::WindowAggregate(op) = &node.op else { return None };
    match &op.window {
        RowWindow::ByTime(window @ Window { kind: WindowKind::Tumble { size }, zone: Zone::Utc, .. })
            if op.group.keys.is_empty() && op.group.sets.is_empty() && op.allowed_lateness == 0 =>
        {
            Some((window, *size))
        }
        _ => None,
    }
}

/// What the aggregate at output column `place` is the extreme of, and whether it is the greatest.
fn extreme(op: &WindowAggregateOp, place: usize) -> Option<(Expr, bool)> {
    let call = op.aggregates.get(place.checked_sub(3)?)?;
    let greatest = match call.function.fun().name() {
        "max" => true,
        "min" => false,
        _ => return None,
    };
    let [of] = &call.function.expressions()[..] else { return None };
    call.filter.is_none().then(|| (Arc::clone(of), greatest))
}

/// Types whose values have one order for the aggregate, the join and the contenders.
fn comparable(data_type: &DataType) -> bool {
    use DataType::{Date32, Date64, Decimal128, Time32, Time64, Timestamp};
    data_type.is_integer()
        || matches!(data_type, Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..) | Decimal128(..))
}

/// Finer times are rounded before they are compared.
fn in_whole_micros(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(unit, _) if *unit != TimeUnit::Nanosecond)
}

/// For `EXPLAIN`.
pub(crate) fn detail(plan: &StreamPlan, node: &Node, op: &ContendersOp) -> String {
    let name = |i: usize| node.edge.schema.field(i).name().clone();
    let size = if let WindowKind::Tumble { size } = op.window.kind { size } else { 0 };
    let by = plan.node(node.inputs[1]).edge.schema.field(op.window.time).name().clone();
    let (relation, extreme) = if op.greatest { (">=", "max") } else { ("<=", "min") };
    format!("{} {relation} {extreme}({}) so far of TUMBLE size {} on {by}", name(op.value), op.of, Length(size))
}
