//! Rows as text, in an order of their own, so that two answers can be compared.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Each row as a line, sorted. Floats are rounded to nine digits: some aggregates depend on the order of their rows there.
pub fn rows_as_text(batch: &RecordBatch) -> Vec<String> {
    let columns: Vec<Vec<String>> = batch.columns().iter().map(column).collect();
    let line = |row: usize| columns.iter().map(|c| c[row].as_str()).collect::<Vec<_>>().join(" | ");
    let mut rows: Vec<String> = (0..batch.num_rows()).map(line).collect();
    rows.sort();
    rows
}

fn column(array: &ArrayRef) -> Vec<String> {
    if array.data_type() == &DataType::Float64 {
        let floats = array.as_primitive::<Float64Type>();
        return floats.iter().map(|v| v.map_or("NULL".into(), rounded)).collect();
    }
    let options = FormatOptions::default().with_null("NULL");
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options).expect("every type can be displayed");
    (0..array.len()).map(|row| formatter.value(row).to_string()).collect()
}

/// Rounding must not tell zero from minus zero, nor from the dust that a variance leaves.
fn rounded(v: f64) -> String {
    let v = if v.abs() < 1e-9 { 0.0 } else { v };
    format!("{v:.9e}")
}
