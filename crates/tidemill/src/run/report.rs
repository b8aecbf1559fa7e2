//! Who holds time back: the answer to "why is there no output".

use std::fmt;

use tidemill_core::Watermark;

/// The watermarks of a running pipeline at one moment.
#[derive(Debug, Clone, Default)]
pub struct WatermarkReport {
    /// By source, in the order of the plan.
    pub sources: Vec<SourceReport>,
    /// By operator that waits for time, in the order of the plan.
    pub operators: Vec<OperatorReport>,
}

/// One source.
#[derive(Debug, Clone)]
pub struct SourceReport {
    /// The table.
    pub name: String,
    /// The least watermark of its splits that are not idle.
    pub watermark: Watermark,
    /// Its splits.
    pub splits: Vec<SplitReport>,
}

/// One split.
#[derive(Debug, Clone)]
pub struct SplitReport {
    /// Its name.
    pub name: String,
    /// Its watermark.
    pub watermark: Watermark,
    /// Rows taken in.
    pub rows: u64,
    /// Whether it has been silent for longer than the idle timeout, and so does not hold time back.
    pub idle: bool,
    /// Whether it has ended.
    pub ended: bool,
}

/// One operator that keeps rows until time has passed.
#[derive(Debug, Clone)]
pub struct OperatorReport {
    /// Its name in `EXPLAIN`, with its number in the plan.
    pub name: String,
    /// The watermark that has reached it.
    pub watermark: Watermark,
    /// `table / split` of the split that holds it back; `None` when nothing does.
    pub held_by: Option<String>,
    /// Rows it keeps.
    pub rows: usize,
    /// Bytes it keeps.
    pub bytes: usize,
}

impl fmt::Display for WatermarkReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for source in &self.sources {
            writeln!(f, "source {}: watermark {}", source.name, source.watermark)?;
            for split in &source.splits {
                let state = match (split.ended, split.idle) {
                    (true, _) => ", ended",
                    (false, true) => ", idle",
                    (false, false) => "",
                };
                writeln!(f, "  split {}: watermark {}, {} rows{state}", split.name, split.watermark, split.rows)?;
            }
        }
        for operator in &self.operators {
            write!(
                f,
                "{}: watermark {}, keeps {} rows ({} bytes)",
                operator.name, operator.watermark, operator.rows, operator.bytes
            )?;
            match &operator.held_by {
                Some(split) => writeln!(f, ", held back by {split}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}
