//! Answers as sets of lines, so that two of them can be compared and told apart.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use tidemill_core::Result;

/// The rows of an answer as text, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rows(Vec<String>);

impl Rows {
    pub(super) fn of(batch: &RecordBatch) -> Result<Self> {
        let columns = batch.columns().iter().map(column).collect::<Result<Vec<_>>>()?;
        let line = |row: usize| columns.iter().map(|c| c[row].as_str()).collect::<Vec<_>>().join(" | ");
        let mut rows: Vec<String> = (0..batch.num_rows()).map(line).collect();
        rows.sort_unstable();
        Ok(Self(rows))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The rows that only one of the two has.
    pub(super) fn differences(&self, stream: &Self) -> String {
        let (mut a, mut b) = (self.0.iter().peekable(), stream.0.iter().peekable());
        let mut lines = vec![];
        loop {
            match (a.peek(), b.peek()) {
                (None, None) => return lines.join("\n"),
                (Some(x), Some(y)) if x == y => {
                    a.next();
                    b.next();
                }
                (Some(x), y) if y.is_none_or(|y| x < y) => {
                    lines.push(format!("only in batch:  {x}"));
                    a.next();
                }
                _ => lines.extend(b.next().map(|y| format!("only in stream: {y}"))),
            }
        }
    }
}

fn column(array: &ArrayRef) -> Result<Vec<String>> {
    if array.data_type().is_floating() {
        let floats = cast(array, &DataType::Float64)?;
        return Ok(floats.as_primitive::<Float64Type>().iter().map(|v| v.map_or("NULL".into(), rounded)).collect());
    }
    let options = FormatOptions::default().with_null("NULL");
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options)?;
    (0..array.len()).map(|row| Ok(formatter.value(row).try_to_string()?)).collect()
}

/// To nine digits: the last ones of a sum depend on its order. What is nearly zero is zero, and zero has no sign.
fn rounded(v: f64) -> String {
    let v = if v.abs() < 1e-9 { 0.0 } else { v };
    let digits: f64 = format!("{v:.8e}").parse().unwrap_or(v);
    digits.to_string()
}
