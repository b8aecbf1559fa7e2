//! What a running pipeline keeps: the answer to "why does it need so much memory".

use std::collections::HashMap;
use std::fmt;

use tidemill_core::{Micros, Watermark};
use tidemill_dataflow::StateSize;
use tidemill_plan::NodeId;

/// The state of a running pipeline at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateReport {
    /// By operator that keeps something between epochs, in the order of the plan.
    pub operators: Vec<OperatorState>,
}

/// What one operator keeps, over all workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorState {
    /// Its name in `EXPLAIN`, with its number in the plan.
    pub name: String,
    /// What it keeps and what removes it, as `EXPLAIN STATE` says it.
    pub bound: String,
    /// Rows it keeps.
    pub rows: usize,
    /// Bytes it keeps, about.
    pub bytes: usize,
    /// The oldest event time that it keeps something for, where it goes by time.
    pub oldest: Option<Micros>,
    /// The most rows it was seen to keep. It is looked at some times a second, and whenever somebody asks.
    pub most_rows: usize,
    /// The most bytes it was seen to keep.
    pub most_bytes: usize,
}

/// The most that each operator was seen to keep.
#[derive(Debug, Default)]
pub(crate) struct Peaks(HashMap<NodeId, (usize, usize)>);

impl Peaks {
    /// An operator keeps so much now. Returns the most rows and bytes it was seen to keep.
    pub(crate) fn seen(&mut self, node: NodeId, size: StateSize) -> (usize, usize) {
        let most = self.0.entry(node).or_default();
        *most = (most.0.max(size.rows), most.1.max(size.bytes));
        *most
    }
}

impl fmt::Display for StateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.operators.is_empty() {
            return writeln!(f, "no operator keeps anything");
        }
        for o in &self.operators {
            write!(f, "{}: {}, {}", o.name, rows(o.rows), bytes(o.bytes))?;
            if (o.most_rows, o.most_bytes) != (o.rows, o.bytes) {
                write!(f, " (at most {}, {})", rows(o.most_rows), bytes(o.most_bytes))?;
            }
            if let Some(oldest) = o.oldest {
                write!(f, ", oldest {}", Watermark(oldest))?;
            }
            writeln!(f, "; {}", o.bound)?;
        }
        Ok(())
    }
}

fn rows(n: usize) -> String {
    format!("{n} row{}", if n == 1 { "" } else { "s" })
}

fn bytes(n: usize) -> String {
    match n {
        n if n < 10 << 10 => format!("{n} B"),
        n if n < 10 << 20 => format!("{} KiB", n >> 10),
        n => format!("{} MiB", n >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_is_a_line() {
        let state = |rows, bytes, oldest| OperatorState {
            name: "WindowAggregate #2".into(),
            bound: "keeps one row of aggregates for each group of an open window".into(),
            rows,
            bytes,
            oldest,
            most_rows: 3,
            most_bytes: 20 << 20,
        };
        let report = StateReport { operators: vec![state(1, 9_000, Some(60_000_000)), state(3, 20 << 20, None)] };
        let keeps = "keeps one row of aggregates for each group of an open window";
        let expected = format!(
            "WindowAggregate #2: 1 row, 9000 B (at most 3 rows, 20 MiB), oldest 1970-01-01 00:01:00; {keeps}\n\
             WindowAggregate #2: 3 rows, 20 MiB; {keeps}\n"
        );
        assert_eq!(report.to_string(), expected);
        assert_eq!(StateReport::default().to_string(), "no operator keeps anything\n");
    }
}
