//! Functions with `OVER`: what they are, what they keep, how they are printed; and how far a function looks from its row, which
//! says what a change of one row can change, and what has to be kept.
//!
//! Says nothing about how a function is computed.

use std::fmt::Write;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::{WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition};
use datafusion_physical_expr::PhysicalSortExpr;
use datafusion_physical_expr::expressions::Literal;
use tidemill_core::{ChangeMode, Micros};

use crate::graph::{Edge, Node, StreamPlan};
use crate::op::Expr;
use crate::state::StateBound;
use crate::window::{Length, Window};

/// Functions with `OVER`, all by the same partition and order. Output columns: those of the input, then the functions.
///
/// Rows that `order_by` leaves open stand in the order of all their columns, so that every run gives them the same values.
#[derive(Debug, Clone)]
pub struct OverOp {
    /// The columns of `PARTITION BY`.
    pub partition_by: Vec<usize>,
    /// `ORDER BY`.
    pub order_by: Vec<PhysicalSortExpr>,
    /// The functions.
    pub functions: Vec<OverFunction>,
    /// When rows are put out.
    pub form: OverForm,
}

/// One function with `OVER`.
#[derive(Debug, Clone)]
pub struct OverFunction {
    /// An aggregate or a window function.
    pub function: WindowFunctionDefinition,
    /// The call as it is written, for people.
    pub name: String,
    /// Its arguments.
    pub args: Vec<Expr>,
    /// `FILTER (WHERE ..)`, of an aggregate.
    pub filter: Option<Expr>,
    /// Which rows it looks at.
    pub frame: Arc<WindowFrame>,
    /// `IGNORE NULLS`.
    pub ignore_nulls: bool,
    /// `DISTINCT`, of an aggregate.
    pub distinct: bool,
}

/// When the rows of an [`OverOp`] are put out.
#[derive(Debug, Clone)]
pub enum OverForm {
    /// With each epoch that changed their values: a retract result, over any input.
    Changes,
    /// Once, partition by partition, when no more rows of it can come: an append result.
    Partitions {
        /// The column of `window_end`, and the window it comes from, where the rows of a partition share it: the
        /// partition is complete when its window has closed. `None`: when the input ends.
        end: Option<(usize, Window)>,
        /// How long after its window's end a row may still come.
        allowed_lateness: Micros,
    },
    /// Once, row by row, when the watermark has passed the row's time, which it is ordered by: an append result. No
    /// function looks at rows after its own.
    EventTime {
        /// The time column.
        time: usize,
        /// How long after its time a row may still come.
        allowed_lateness: Micros,
        /// How far back any function looks, where all of them look back by time.
        reach: Option<Micros>,
    },
    /// Once, at once, in the order in which rows come, which is what they are ordered by: an append result. No function looks at
    /// rows after its own.
    Arrival {
        /// The column that counts them, by which the rows of an epoch are put in order.
        number: usize,
    },
}

/// Which rows of its partition, in their order, decide the value of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// So many rows before it; `None` where there is no limit.
    pub back: Option<usize>,
    /// What comes after it.
    pub ahead: Ahead,
}

/// Which rows after a row decide its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// So many; 0 for a function that only looks back.
    Rows(usize),
    /// All that are equal to it by `ORDER BY`.
    Peers,
    /// Any.
    All,
}

impl Ahead {
    /// What holds both.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Rows(a), Self::Rows(b)) => Self::Rows(a.max(b)),
            (Self::Rows(0) | Self::Peers, Self::Peers) | (Self::Peers, Self::Rows(0)) => Self::Peers,
            _ => Self::All,
        }
    }
}

/// What stands in the name of a function that looks at its frame without some of its rows, before what it leaves out.
pub const WITHOUT: &str = " without ";
/// The same of a function whose frame has none.
pub const OF_NO_ROWS: &str = " of no rows";

const ANY: Reach = Reach { back: None, ahead: Ahead::All };

impl Reach {
    /// Of one function.
    pub fn of(function: &OverFunction) -> Self {
        let WindowFunctionDefinition::WindowUDF(udf) = &function.function else { return of_frame(&function.frame) };
        match udf.name() {
            "row_number" | "rank" | "dense_rank" => Self { back: None, ahead: Ahead::Rows(0) },
            "first_value" | "last_value" | "nth_value" => of_frame(&function.frame),
            // What is left out of a frame is in it, and is found by the rows between it and the row.
            gap if gap.contains(WITHOUT) || gap.ends_with(OF_NO_ROWS) => of_frame(&function.frame),
            shift @ ("lag" | "lead") => of_shift(function, shift == "lag"),
            // How many rows there are decides every one of them, or nothing is known.
            _ => ANY,
        }
    }

    /// Of all of them together.
    pub fn of_all(functions: &[OverFunction]) -> Self {
        let nearest = Self { back: Some(0), ahead: Ahead::Rows(0) };
        functions.iter().map(Self::of).fold(nearest, |all, one| Self {
            back: all.back.zip(one.back).map(|(a, b)| a.max(b)),
            ahead: all.ahead.and(one.ahead),
        })
    }

    /// Whether the rows after it, its peers aside, mean nothing to it.
    pub fn looks_back_only(self) -> bool {
        matches!(self.ahead, Ahead::Rows(0) | Ahead::Peers)
    }
}

/// How far back in time the function looks, where its frame begins at an interval before its row's time.
pub fn time_reach(function: &OverFunction) -> Option<Micros> {
    let framed = match &function.function {
        WindowFunctionDefinition::AggregateUDF(_) => true,
        WindowFunctionDefinition::WindowUDF(udf) => matches!(udf.name(), "first_value" | "last_value" | "nth_value"),
    };
    if !framed || function.frame.units != WindowFrameUnits::Range {
        return None;
    }
    match &function.frame.start_bound {
        WindowFrameBound::Preceding(length) => at_most(length),
        WindowFrameBound::CurrentRow => Some(0),
        WindowFrameBound::Following(_) => None,
    }
}

fn of_frame(frame: &WindowFrame) -> Reach {
    let rows = |length: &ScalarValue| match length {
        ScalarValue::UInt64(Some(n)) => usize::try_from(*n).ok(),
        _ => None,
    };
    if frame.units != WindowFrameUnits::Rows {
        let ahead = if matches!(frame.end_bound, WindowFrameBound::Following(_)) { Ahead::All } else { Ahead::Peers };
        return Reach { back: None, ahead };
    }
    let back = match &frame.start_bound {
        WindowFrameBound::Preceding(length) => rows(length),
        _ => Some(0),
    };
    let ahead = match &frame.end_bound {
        WindowFrameBound::Following(length) => rows(length).map_or(Ahead::All, Ahead::Rows),
        _ => Ahead::Rows(0),
    };
    Reach { back, ahead }
}

/// `LAG` and `LEAD`.
fn of_shift(function: &OverFunction, back: bool) -> Reach {
    let by = match function.args.get(1).map(|arg| arg.downcast_ref::<Literal>()) {
        None => Some(1),
        Some(literal) => literal.and_then(|l| l.value().cast_to(&DataType::Int64).ok()).and_then(|by| match by {
            ScalarValue::Int64(by) => by,
            _ => None,
        }),
    };
    let Some(by) = by else { return ANY };
    let rows = usize::try_from(by.unsigned_abs()).ok();
    match (back == (by >= 0), function.ignore_nulls) {
        (true, false) => Reach { back: rows, ahead: Ahead::Rows(0) },
        (true, true) => Reach { back: None, ahead: Ahead::Rows(0) },
        (false, false) => Reach { back: Some(0), ahead: rows.map_or(Ahead::All, Ahead::Rows) },
        (false, true) => ANY,
    }
}

/// An interval in microseconds, at its longest.
fn at_most(length: &ScalarValue) -> Option<Micros> {
    const DAY_OF_25_HOURS: Micros = 90_000_000_000;
    let days = |months: i32, days: i32| {
        let days = i64::from(months).checked_mul(31)?.checked_add(i64::from(days))?;
        days.checked_mul(DAY_OF_25_HOURS)
    };
    let up = |nanos: i64| nanos.div_euclid(1_000).checked_add(1);
    match length {
        ScalarValue::IntervalMonthDayNano(Some(v)) => days(v.months, v.days)?.checked_add(up(v.nanoseconds)?),
        ScalarValue::IntervalDayTime(Some(v)) => {
            days(0, v.days)?.checked_add(i64::from(v.milliseconds).checked_mul(1_000)?)
        }
        ScalarValue::IntervalYearMonth(Some(months)) => days(*months, 0),
        ScalarValue::DurationSecond(Some(v)) => v.checked_mul(1_000_000),
        ScalarValue::DurationMillisecond(Some(v)) => v.checked_mul(1_000),
        ScalarValue::DurationMicrosecond(Some(v)) => Some(*v),
        ScalarValue::DurationNanosecond(Some(v)) => up(*v),
        _ => None,
    }
}

/// What it does, for `EXPLAIN`.
pub(crate) fn detail(plan: &StreamPlan, node: &Node, op: &OverOp) -> String {
    let input = &plan.node(node.inputs[0]).edge.schema;
    let mut text = match &op.form {
        OverForm::Changes => "emit=changes".to_string(),
        OverForm::Arrival { .. } => "emit=as rows come".to_string(),
        OverForm::Partitions { end: None, .. } => "emit=at the end".to_string(),
        OverForm::Partitions { end: Some((end, _)), .. } => {
            format!("emit=when {} has passed", input.field(*end).name())
        }
        OverForm::EventTime { time, .. } => format!("emit=in the order of {}", input.field(*time).name()),
    };
    if let OverForm::Partitions { allowed_lateness, .. } | OverForm::EventTime { allowed_lateness, .. } = &op.form
        && *allowed_lateness != 0
    {
        let _ = write!(text, " allowed_lateness={}", Length(*allowed_lateness));
    }
    if !op.partition_by.is_empty() {
        let by: Vec<_> = op.partition_by.iter().map(|c| input.field(*c).name().as_str()).collect();
        let _ = write!(text, " partition=[{}]", by.join(", "));
    }
    let order: Vec<_> = op.order_by.iter().map(ToString::to_string).collect();
    if !order.is_empty() {
        let _ = write!(text, " order=[{}]", order.join(", "));
    }
    let _ = write!(text, " functions=[{}]", op.functions.iter().map(over_function).collect::<Vec<_>>().join(", "));
    text
}

fn over_function(f: &OverFunction) -> String {
    let args: Vec<_> = f.args.iter().map(ToString::to_string).collect();
    let distinct = if f.distinct { "DISTINCT " } else { "" };
    let mut text = format!("{}({distinct}{})", f.function.name(), args.join(", "));
    if let Some(filter) = &f.filter {
        let _ = write!(text, " FILTER (WHERE {filter})");
    }
    if f.ignore_nulls {
        text.push_str(" IGNORE NULLS");
    }
    let framed = match &f.function {
        WindowFunctionDefinition::AggregateUDF(_) => true,
        WindowFunctionDefinition::WindowUDF(udf) => udf.name().ends_with("_value"),
    };
    if framed {
        let (start, end) = (&f.frame.start_bound, &f.frame.end_bound);
        let _ = write!(text, " {} {} TO {}", f.frame.units, over_bound(start), over_bound(end));
    }
    text
}

fn over_bound(bound: &WindowFrameBound) -> String {
    let (length, side) = match bound {
        WindowFrameBound::CurrentRow => return "CURRENT ROW".into(),
        WindowFrameBound::Preceding(length) => (length, "PRECEDING"),
        WindowFrameBound::Following(length) => (length, "FOLLOWING"),
    };
    match length.cast_to(&DataType::Utf8) {
        _ if length.is_null() => format!("UNBOUNDED {side}"),
        Ok(length) => format!("{length} {side}"),
        Err(_) => format!("{length} {side}"),
    }
}

/// What bounds its state.
pub(crate) fn state(op: &OverOp, input: Option<&Edge>) -> StateBound {
    match &op.form {
        OverForm::Partitions { end: None, .. } => StateBound::Input { keeps: "every row".into() },
        OverForm::Partitions { end: Some(_), allowed_lateness } => StateBound::Watermark {
            keeps: "every row of an open window".into(),
            until: match allowed_lateness {
                0 => "the watermark passes window_end".into(),
                l => format!("the watermark passes window_end by {}", Length(*l)),
            },
        },
        OverForm::EventTime { reach: Some(reach), allowed_lateness, .. } => StateBound::Watermark {
            keeps: "the rows that a frame can reach".into(),
            until: format!("the watermark passes their time by {}", Length(reach.saturating_add(*allowed_lateness))),
        },
        OverForm::EventTime { .. } | OverForm::Arrival { .. } if op.partition_by.is_empty() => StateBound::Watermark {
            keeps: "the rows that a frame can reach, running aggregates instead of rows".into(),
            until: "the query ends".into(),
        },
        OverForm::Arrival { .. } => StateBound::Keys {
            keeps: "for each partition the rows that a frame can reach, running aggregates instead of rows".into(),
            remedy: "it is as many as there are partitions".into(),
        },
        OverForm::EventTime { .. } => StateBound::Keys {
            keeps: "for each partition the rows that a frame can reach, running aggregates instead of rows".into(),
            remedy: "RANGE BETWEEN INTERVAL .. PRECEDING lets partitions go".into(),
        },
        OverForm::Changes if input.is_none_or(|e| e.bounded) => {
            StateBound::Input { keeps: "every row with its values".into() }
        }
        // As many as its input has: what bounds that bounds this.
        OverForm::Changes if input.is_some_and(|e| e.changes != ChangeMode::Append) => StateBound::Keys {
            keeps: "every row with its values".into(),
            remedy: "bound the state of what it reads".into(),
        },
        OverForm::Changes => StateBound::Unbounded {
            keeps: "every row with its values".into(),
            remedy: "ORDER BY the event time with a frame that ends at CURRENT ROW, or PARTITION BY window_start, window_end"
                .into(),
        },
    }
}
