//! How time bounds a join: found among its conditions.
//!
//! Two windowed inputs that meet in one window are a window join. Two time columns whose difference is bounded are an interval
//! join; a bound from one side alone lets the rows of one side go.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchemaRef, ScalarValue};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Operator};
use tidemill_core::{ChangeMode, Micros};
use tidemill_plan::Edge;
use tidemill_plan::op::TimeBound;
use tidemill_plan::window::{WindowKind, Zone};

use super::relation::{Bound, Origin, Relation, WindowRef};
use super::source_read::interval;

/// An input of a join.
pub(super) struct JoinSide {
    pub(super) relation: Relation,
    /// The schema of its plan.
    pub(super) schema: DFSchemaRef,
    /// The places of its keys.
    pub(super) keys: Vec<usize>,
}

impl JoinSide {
    fn origin(&self, place: usize) -> Option<&Origin> {
        let slots = self.relation.slots.iter().chain(&self.relation.hidden);
        slots.filter(|s| s.index() == Some(place)).map(|s| &s.origin).find(|o| **o != Origin::Other)
    }

    fn place(&self, column: &Column) -> Option<usize> {
        self.relation.slot(&self.schema, column)?.index()
    }

    /// Whether the watermark of the input speaks of the column at `place`.
    fn is_time(&self, place: usize, edge: &Edge) -> bool {
        let timestamp = matches!(edge.schema.field(place).data_type(), DataType::Timestamp(..));
        timestamp
            && match self.origin(place) {
                Some(Origin::EventTime) => edge.event_time.is_some(),
                // Rows come out before their window is over; its end is an instant where no zone is between.
                Some(Origin::Window(Bound::End | Bound::Time, w)) => w.timed() && w.window().zone == Zone::Utc,
                _ => edge.event_time == Some(place),
            }
    }
}

/// What time says about the rows of a join: `None` where it says nothing.
pub(super) fn time_bound(
    left: &JoinSide,
    right: &JoinSide,
    edges: &[Edge; 2],
    filter: Option<&Expr>,
) -> Option<TimeBound> {
    window_bound(left, right).or_else(|| interval_bound(left, right, edges, filter))
}

fn window_bound(left: &JoinSide, right: &JoinSide) -> Option<TimeBound> {
    let keys = left.keys.iter().zip(&right.keys);
    keys.into_iter().find_map(|(l, r)| {
        let (Some(Origin::Window(a, v)), Some(Origin::Window(b, w))) = (left.origin(*l), right.origin(*r)) else {
            return None;
        };
        let (a, b) = (*a, *b);
        if a != b || !v.timed() || !w.timed() || !meet(a, v, w) {
            return None;
        }
        let ends = (left.relation.bound(Bound::End, v)?, right.relation.bound(Bound::End, w)?);
        Some(TimeBound::Window { ends, window: v.window().clone() })
    })
}

/// Whether rows that agree in a bound of their windows agree in the end of it.
fn meet(bound: Bound, v: &WindowRef, w: &WindowRef) -> bool {
    let one_clock = v.window().zone == w.window().zone && v.window().time_type == w.window().time_type;
    let decides = match v.window().kind {
        WindowKind::Cumulate { .. } => bound == Bound::Time,
        WindowKind::Session { .. } => bound == Bound::Time,
        _ => true,
    };
    one_clock && (bound == Bound::End || (decides && v.alike(w)))
}

fn interval_bound(left: &JoinSide, right: &JoinSide, edges: &[Edge; 2], filter: Option<&Expr>) -> Option<TimeBound> {
    if edges.iter().any(|e| e.changes != ChangeMode::Append) {
        return None;
    }
    let sides = Sides { left, right, edges };
    let mut bounds: Vec<Difference> = vec![];
    for (l, r) in left.keys.iter().zip(&right.keys) {
        if left.is_time(*l, &edges[0]) && right.is_time(*r, &edges[1]) {
            bounds.push(Difference { times: (*l, *r), least: Some(0), most: Some(0) });
        }
    }
    for condition in filter.map(split_conjunction).unwrap_or_default() {
        sides.differences(condition, &mut bounds);
    }
    // Of several pairs of times, the first; all that is known of it.
    let times = bounds.first()?.times;
    let of = || bounds.iter().filter(|b| b.times == times);
    let least = of().filter_map(|b| b.least).max();
    let most = of().filter_map(|b| b.most).min();
    Some(TimeBound::Interval { times, least, most })
}

/// What a condition says of the left time less the right time.
struct Difference {
    times: (usize, usize),
    least: Option<Micros>,
    most: Option<Micros>,
}

struct Sides<'a> {
    left: &'a JoinSide,
    right: &'a JoinSide,
    edges: &'a [Edge; 2],
}

/// A time column of one side, moved by an interval.
struct Moved {
    side: usize,
    place: usize,
    by: Micros,
}

impl Sides<'_> {
    fn differences(&self, condition: &Expr, all: &mut Vec<Difference>) {
        match condition {
            Expr::BinaryExpr(binary) => {
                all.extend(self.compared(&binary.left, binary.op, &binary.right));
                all.extend(self.subtracted(&binary.left, binary.op, &binary.right));
                if let Some(swapped) = binary.op.swap() {
                    all.extend(self.subtracted(&binary.right, swapped, &binary.left));
                }
            }
            Expr::Between(between) if !between.negated => {
                all.extend(self.compared(&between.expr, Operator::GtEq, &between.low));
                all.extend(self.compared(&between.expr, Operator::LtEq, &between.high));
            }
            _ => {}
        }
    }

    /// `l.ts + a <= r.ts + b`
    fn compared(&self, one: &Expr, op: Operator, other: &Expr) -> Option<Difference> {
        let (one, other) = (self.moved(one)?, self.moved(other)?);
        let (l, r, op) = match (one.side, other.side) {
            (0, 1) => (one, other, op),
            (1, 0) => (other, one, op.swap()?),
            _ => return None,
        };
        Difference::of((l.place, r.place), op, r.by.checked_sub(l.by)?)
    }

    /// `l.ts - r.ts <= INTERVAL ..`
    fn subtracted(&self, one: &Expr, op: Operator, other: &Expr) -> Option<Difference> {
        let Expr::BinaryExpr(minus) = bare(one) else { return None };
        let length = duration(other)?;
        let (a, b) = (self.moved(&minus.left)?, self.moved(&minus.right)?);
        let length = length.checked_sub(a.by)?.checked_add(b.by)?;
        match (minus.op, a.side, b.side) {
            (Operator::Minus, 0, 1) => Difference::of((a.place, b.place), op, length),
            (Operator::Minus, 1, 0) => Difference::of((b.place, a.place), op.swap()?, length.checked_neg()?),
            _ => None,
        }
    }

    fn moved(&self, expr: &Expr) -> Option<Moved> {
        match expr {
            Expr::Column(column) => {
                let (side, place) = match (self.left.place(column), self.right.place(column)) {
                    (Some(place), None) => (0, place),
                    (None, Some(place)) => (1, place),
                    _ => return None,
                };
                let of = [self.left, self.right][side];
                of.is_time(place, &self.edges[side]).then_some(Moved { side, place, by: 0 })
            }
            Expr::Alias(alias) => self.moved(&alias.expr),
            Expr::Cast(cast) => {
                let moved = self.moved(&cast.expr)?;
                let from = self.edges[moved.side].schema.field(moved.place).data_type();
                keeps_time(from, cast.field.data_type()).then_some(moved)
            }
            Expr::BinaryExpr(binary) => match binary.op {
                Operator::Plus => match interval(&binary.right) {
                    Some(length) => self.moved(&binary.left)?.plus(length),
                    None => self.moved(&binary.right)?.plus(interval(&binary.left)?),
                },
                Operator::Minus => self.moved(&binary.left)?.plus(interval(&binary.right)?.checked_neg()?),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Moved {
    fn plus(self, length: Micros) -> Option<Self> {
        Some(Self { by: self.by.checked_add(length)?, ..self })
    }
}

impl Difference {
    /// The left time less the right one stands in relation `op` to `length`.
    fn of(times: (usize, usize), op: Operator, length: Micros) -> Option<Self> {
        let (least, most) = match op {
            Operator::Gt | Operator::GtEq => (Some(length), None),
            Operator::Lt | Operator::LtEq => (None, Some(length)),
            Operator::Eq => (Some(length), Some(length)),
            _ => return None,
        };
        Some(Self { times, least, most })
    }
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => bare(&alias.expr),
        Expr::Cast(cast) => bare(&cast.expr),
        other => other,
    }
}

/// Whether a cast from one timestamp to another changes nothing: not from the wall clock to an instant, nor to a coarser unit.
fn keeps_time(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Timestamp(a, from), DataType::Timestamp(b, to)) => from.is_some() == to.is_some() && b >= a,
        _ => false,
    }
}

/// A constant length of time, as an interval or as a difference of two times.
fn duration(expr: &Expr) -> Option<Micros> {
    match bare(expr) {
        Expr::Literal(ScalarValue::DurationSecond(Some(d)), _) => d.checked_mul(1_000_000),
        Expr::Literal(ScalarValue::DurationMillisecond(Some(d)), _) => d.checked_mul(1_000),
        Expr::Literal(ScalarValue::DurationMicrosecond(Some(d)), _) => Some(*d),
        Expr::Literal(ScalarValue::DurationNanosecond(Some(d)), _) if d % 1_000 == 0 => Some(d / 1_000),
        other => interval(other),
    }
}
