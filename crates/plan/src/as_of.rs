//! Joins by time: what they are, what they keep, how they are printed.

use std::fmt::Write;

use crate::graph::{Node, StreamPlan};
use crate::op::Expr;
use crate::state::StateBound;

/// Which right row belongs to a time of the left: `ASOF JOIN`'s `MATCH_CONDITION (left <operator> right)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AsOfMatch {
    /// `left >= right`: the latest one that is not after it.
    AtOrBefore,
    /// `left > right`: the latest one before it.
    Before,
    /// `left <= right`: the earliest one that is not before it.
    AtOrAfter,
    /// `left < right`: the earliest one after it.
    After,
}

impl AsOfMatch {
    /// The comparison, with the left side on its left.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::AtOrBefore => ">=",
            Self::Before => ">",
            Self::AtOrAfter => "<=",
            Self::After => "<",
        }
    }

    /// Whether the right row comes before the left one in time.
    pub fn looks_back(self) -> bool {
        matches!(self, Self::AtOrBefore | Self::Before)
    }
}

/// Each left row with the right row of equal keys that fits its time best: `ASOF JOIN`, and temporal joins
/// (`FOR SYSTEM_TIME AS OF`). Output columns: those of the left input, then those of the right.
///
/// Of several right rows of one time the one that fits best in the order of the whole row is taken: the greatest where the
/// match looks back, else the least. So the answer does not depend on the order in which they came. NULL keys and NULL
/// times fit nothing.
#[derive(Debug, Clone)]
pub struct AsOfJoinOp {
    /// Columns of equal values and types, left and right.
    pub keys: Vec<(usize, usize)>,
    /// The time columns of left and right, of one type.
    pub times: (usize, usize),
    /// Which right row fits.
    pub matching: AsOfMatch,
    /// Whether a left row without a partner is put out with NULLs.
    pub outer: bool,
    /// What else has to be true of the pair, over the output columns. A pair for which it is not true is no pair.
    pub residual: Option<Expr>,
    /// The column of the right input that is true of a row which only says that the one before is over: see
    /// [`GONE`](crate::history::GONE). The residual refuses it; it need not be kept once it is the last of its key.
    pub gone: Option<usize>,
    /// Whether it was written as `FOR SYSTEM_TIME AS OF`: only the name differs.
    pub temporal: bool,
    /// How it is kept up to date.
    pub form: AsOfForm,
}

/// How an [`AsOfJoinOp`] is kept up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOfForm {
    /// A left row waits until the watermark of both inputs has passed its time, and is put out once. Both inputs are append
    /// only. An input whose watermark does not speak of its time column is waited for to its end.
    Settled,
    /// A left row is put out at once, and again with another partner when a better one comes. Takes any changes.
    Updating,
}

/// What it does, in the names of its input columns.
pub(crate) fn detail(plan: &StreamPlan, node: &Node, op: &AsOfJoinOp) -> String {
    let name = |side: usize, column: usize| plan.node(node.inputs[side]).edge.schema.field(column).name().clone();
    let kind = if op.outer { "left" } else { "inner" };
    let mut text = format!("{kind} {} {} {}", name(0, op.times.0), op.matching.symbol(), name(1, op.times.1));
    if !op.keys.is_empty() {
        let keys = op.keys.iter().map(|(l, r)| format!("{} = {}", name(0, *l), name(1, *r)));
        let _ = write!(text, " on=[{}]", keys.collect::<Vec<_>>().join(", "));
    }
    if let Some(residual) = &op.residual {
        let _ = write!(text, " if={residual}");
    }
    text.push_str(match op.form {
        AsOfForm::Settled => " emit=once",
        AsOfForm::Updating => " emit=changes",
    });
    text
}

/// What it keeps.
pub(crate) fn state(plan: &StreamPlan, node: &Node, op: &AsOfJoinOp) -> StateBound {
    let edges: Vec<_> = node.inputs.iter().map(|i| &plan.node(*i).edge).collect();
    let timed = edges.iter().zip([op.times.0, op.times.1]).all(|(e, time)| e.event_time == Some(time));
    let last_of_each = StateBound::Keys {
        keeps: "the last version of each key of the right side, beside what the watermark has not passed".into(),
        remedy: "it is as many rows as the right side has keys".into(),
    };
    match op.form {
        AsOfForm::Settled if timed && op.matching.looks_back() && op.keys.is_empty() => StateBound::Watermark {
            keeps: "left rows, and the rows of the right side from the last one on that may be asked for".into(),
            until: "the watermark passes their time".into(),
        },
        AsOfForm::Settled if timed && op.matching.looks_back() => last_of_each,
        _ if edges.iter().all(|e| e.bounded) => StateBound::Input { keeps: "every row of both sides".into() },
        // One side ends, the other has a watermark.
        AsOfForm::Settled => last_of_each,
        AsOfForm::Updating => StateBound::Unbounded {
            keeps: "every row of both sides".into(),
            remedy: "declare WATERMARK FOR the time columns of both sides in CREATE TABLE, and look back with >= or >"
                .into(),
        },
    }
}
