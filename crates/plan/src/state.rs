//! What each operator keeps, and what removes it: said before the query starts.

use std::fmt;

use tidemill_core::ChangeMode;

use crate::graph::{Edge, Node, StreamPlan};
use crate::op::{
    DeduplicateOp, Emit, Give, JoinOp, Keep, Release, RowWindow, SinkTarget, StreamOp, TimeBound, TopNOp,
    UpdatingAggregateOp,
};
use crate::retraction::Keeps;
use crate::window::Length;

/// What bounds the state of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateBound {
    /// It keeps nothing between epochs.
    None,
    /// What it keeps goes as the watermark passes.
    Watermark {
        /// What is kept: "one row of aggregates for each group of an open window".
        keeps: String,
        /// When it goes: "when the watermark passes window_end".
        until: String,
    },
    /// What it keeps stays, one for each distinct value of something.
    Keys {
        /// What is kept.
        keeps: String,
        /// The remedy, if somebody minds.
        remedy: String,
    },
    /// It keeps every row of a bounded input until that ends.
    Input {
        /// What is kept.
        keeps: String,
    },
    /// It grows with every row of an unbounded input.
    Unbounded {
        /// What is kept.
        keeps: String,
        /// What to do about it.
        remedy: String,
    },
}

impl fmt::Display for StateBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("keeps nothing"),
            Self::Watermark { keeps, until } => write!(f, "keeps {keeps}, until {until}"),
            Self::Keys { keeps, remedy } => write!(f, "keeps {keeps}, for ever ({remedy})"),
            Self::Input { keeps } => write!(f, "keeps {keeps}, until the input ends"),
            Self::Unbounded { keeps, remedy } => write!(f, "keeps {keeps}: UNBOUNDED ({remedy})"),
        }
    }
}

/// What bounds the state of `node`.
pub fn state_of(plan: &StreamPlan, node: &Node) -> StateBound {
    let input = node.inputs.first().map(|i| &plan.node(*i).edge);
    let bounded = input.is_none_or(|e| e.bounded);
    let timed = input.is_none_or(|e| e.event_time.is_some());
    // An attached window closes by the bounds that stand in the row, whether or not a time column is left beside them.
    let attached = match &node.op {
        StreamOp::WindowAggregate(op) => matches!(op.window, RowWindow::Attached { .. }),
        StreamOp::UpdatingAggregate(op) => op.expire.is_some(),
        StreamOp::TopN(op) => op.expire.is_some(),
        _ => false,
    };
    let windowed = |keeps: &str, until: String| match (timed || attached, bounded) {
        (true, _) => StateBound::Watermark { keeps: keeps.into(), until },
        (false, true) => StateBound::Input { keeps: keeps.into() },
        (false, false) => StateBound::Unbounded {
            keeps: keeps.into(),
            remedy: "the time column has no watermark; declare WATERMARK FOR it in CREATE TABLE".into(),
        },
    };
    let later = |lateness: i64| match lateness {
        0 => String::new(),
        l => format!(" by {}", Length(l)),
    };
    match &node.op {
        StreamOp::Source(_)
        | StreamOp::Values(_)
        | StreamOp::Filter(_)
        | StreamOp::Project(_)
        | StreamOp::Union
        | StreamOp::ProcessingTime
        | StreamOp::Number
        | StreamOp::Unnest(_)
        | StreamOp::WindowRows(_) => StateBound::None,
        StreamOp::SessionRows(op) => windowed(
            "every row of an open session",
            format!("the watermark passes window_end by {}", Length(op.window.gap() + op.allowed_lateness)),
        ),
        StreamOp::WindowAggregate(op) => {
            let gap = match &op.window {
                RowWindow::ByTime(w) => w.gap(),
                RowWindow::Attached { .. } => 0,
            };
            windowed(
                "one row of aggregates for each group of an open window",
                format!("the watermark passes window_end{}", later(gap + op.allowed_lateness)),
            )
        }
        StreamOp::Contenders(op) => {
            let which = if op.greatest { "greatest" } else { "least" };
            windowed(
                &format!("the {which} value of each window"),
                "the watermark passes the time of its last row".into(),
            )
        }
        StreamOp::UpdatingAggregate(op) => {
            let also = beside(op, input);
            let each = |of: &str| match op.group.keys.is_empty() {
                true => format!("one row of aggregates{also}"),
                false => format!("one row of aggregates for each group{of}{also}"),
            };
            match (&op.expire, op.emit) {
                (None, Emit::Changes { .. }) if op.ttl.is_some() => StateBound::Watermark {
                    keeps: each(""),
                    until: format!("no row has touched it for {}", Length(op.ttl.unwrap_or(0))),
                },
                (Some(expire), _) => windowed(
                    &each(" of an open window"),
                    format!("the watermark passes window_end{}", later(expire.allowed_lateness)),
                ),
                (None, Emit::AtEnd) => StateBound::Input { keeps: each("") },
                (None, _) if op.group.keys.is_empty() && also.is_empty() => {
                    StateBound::Watermark { keeps: "one row of aggregates".into(), until: "the query ends".into() }
                }
                (None, _) => StateBound::Keys { keeps: each(""), remedy: "group by a window to let groups go".into() },
            }
        }
        StreamOp::TopN(op) => top_n(op, input, &windowed, &later),
        StreamOp::Normalize(op) => StateBound::Watermark {
            keeps: match op.key.is_empty() {
                true => "each row of the table".into(),
                false => "the row of each PRIMARY KEY of the table".into(),
            },
            until: "the table's changes delete it".into(),
        },
        StreamOp::History(_) => crate::history::state(),
        StreamOp::Compact(op) => match op.give {
            Give::GreatestByKey => StateBound::Keys {
                keeps: "the live rows of each PRIMARY KEY of the sink".into(),
                remedy: "group by the sink's PRIMARY KEY, so that the query proves there is one".into(),
            },
            _ => StateBound::None,
        },
        StreamOp::Join(op) => join(plan, node, op),
        StreamOp::AsOfJoin(op) => crate::as_of::state(plan, node, op),
        StreamOp::Over(op) => crate::over::state(op, input),
        StreamOp::HoldBack(op) => match &op.release {
            Release::Every(every) => StateBound::Watermark {
                keeps: "each row that has changed".into(),
                until: format!("it is put out, every {}", Length(*every)),
            },
            Release::Closed { .. } => StateBound::Watermark {
                keeps: "every row of an open window".into(),
                until: "the watermark passes window_end".into(),
            },
        },
        StreamOp::Deduplicate(op) => deduplicate(op),
        StreamOp::TemporalSort(_) => {
            windowed("rows that are ahead of the watermark", "the watermark passes them".into())
        }
        StreamOp::Sink(sink) => match sink.target {
            SinkTarget::Collect => StateBound::Input { keeps: "every row".into() },
            _ => StateBound::None,
        },
    }
}

/// Over insertions alone only rows that may come into the range are kept; otherwise any row may.
fn top_n(
    op: &TopNOp,
    input: Option<&Edge>,
    windowed: &dyn Fn(&str, String) -> StateBound,
    later: &dyn Fn(i64) -> String,
) -> StateBound {
    let append = input.is_none_or(|e| e.changes == ChangeMode::Append);
    let rows = match op.last {
        Some(1) if append => "the first row".to_string(),
        Some(last) if append => format!("the first {last} rows"),
        _ => "every row".to_string(),
    };
    let keeps = match op.partition_by.is_empty() {
        true => rows,
        false => format!("{rows} of each partition"),
    };
    match (&op.expire, op.emit) {
        (Some(expire), _) => {
            windowed(&keeps, format!("the watermark passes window_end{}", later(expire.allowed_lateness)))
        }
        (None, Emit::AtEnd) => StateBound::Input { keeps },
        // As many rows as the query says, however long it runs.
        (None, _) if append && op.last.is_some() && op.partition_by.is_empty() => {
            StateBound::Watermark { keeps, until: "the query ends".into() }
        }
        (None, _) if append && op.last.is_some() => {
            StateBound::Keys { keeps, remedy: "partition by window_start and window_end to let partitions go".into() }
        }
        // As many as its input has: what bounds that bounds this.
        (None, _) if !append => StateBound::Keys { keeps, remedy: "bound the state of what it reads".into() },
        (None, _) => {
            StateBound::Unbounded { keeps, remedy: "say up to which number rows are wanted, as in LIMIT".into() }
        }
    }
}

/// What is kept beside the aggregates where they follow rows.
fn beside(op: &UpdatingAggregateOp, input: Option<&Edge>) -> String {
    if input.is_none_or(|e| !op.follows_rows(&e.changes)) {
        return String::new();
    }
    let append = input.is_some_and(|e| e.changes == ChangeMode::Append);
    let of = |what: Keeps| {
        let names = op.aggregates.iter().filter(|c| Keeps::of(&c.function, append) == what).map(|c| c.function.name());
        names.collect::<Vec<_>>().join(", ")
    };
    let (values, rows) = (of(Keeps::Values), of(Keeps::Rows));
    match (values.is_empty(), rows.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!(", and the values of {values}"),
        (true, false) => format!(", and the rows of {rows}"),
        (false, false) => format!(", the values of {values}, and the rows of {rows}"),
    }
}

/// What bounds the state of a join: the time of both sides, or that both end.
fn join(plan: &StreamPlan, node: &Node, op: &JoinOp) -> StateBound {
    let later = match op.allowed_lateness {
        0 => String::new(),
        l => format!(" by {}", Length(l)),
    };
    let keeps: String = "every row of both sides".into();
    let until_passes = |what: &str| StateBound::Watermark {
        keeps: keeps.clone(),
        until: format!("the watermark passes {what}{later}"),
    };
    let remedy = || "bound it by time (l.ts BETWEEN r.ts - INTERVAL .. AND r.ts), or join windows of both sides".into();
    match &op.bound {
        Some(TimeBound::Window { .. }) => until_passes("window_end"),
        Some(TimeBound::Interval { least: Some(_), most: Some(_), .. }) => until_passes("the time of its last partner"),
        _ if node.inputs.iter().all(|i| plan.node(*i).edge.bounded) => StateBound::Input { keeps },
        Some(TimeBound::Interval { least, .. }) => {
            let side = if least.is_some() { "right" } else { "left" };
            StateBound::Unbounded { keeps: format!("every row of the {side} side"), remedy: remedy() }
        }
        None => StateBound::Unbounded { keeps, remedy: remedy() },
    }
}

fn deduplicate(op: &DeduplicateOp) -> StateBound {
    let keeps = match op.keep {
        Keep::FirstArrived => "each key that has come",
        Keep::LastArrived | Keep::FirstBy(_) => "one row of each key",
    };
    match op.emit {
        Emit::AtEnd => StateBound::Input { keeps: keeps.into() },
        _ => StateBound::Keys {
            keeps: keeps.into(),
            remedy: "make window_start and window_end part of the key to let keys go".into(),
        },
    }
}
