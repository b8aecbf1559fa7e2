//! Rows as the text that stands in the files.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sqllogictest::DefaultColumnType;

use super::Failure;

/// Digits of a floating-point number that are shown: sums depend on their order in the last ones.
const DIGITS: usize = 10;

/// Each row, each value.
///
/// # Errors
/// If a type cannot be shown.
pub fn rows(batch: &RecordBatch) -> Result<Vec<Vec<String>>, Failure> {
    let columns = batch.columns().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    Ok((0..batch.num_rows()).map(|row| columns.iter().map(|c| c[row].clone()).collect()).collect())
}

/// The types, as the files name them.
pub fn types(batch: &RecordBatch) -> Vec<DefaultColumnType> {
    let of = |t: &DataType| match t {
        t if t.is_integer() => DefaultColumnType::Integer,
        t if t.is_floating() || t.is_decimal() => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Text,
    };
    batch.schema().fields().iter().map(|f| of(f.data_type())).collect()
}

fn column(array: &ArrayRef) -> Result<Vec<String>, Failure> {
    if array.data_type().is_floating() {
        let floats = cast(array, &DataType::Float64)?;
        let floats = floats.as_primitive::<Float64Type>();
        return Ok(floats.iter().map(|v| v.map_or("NULL".into(), float)).collect());
    }
    let options = FormatOptions::default().with_null("NULL");
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options)?;
    let value = |row: usize| match formatter.value(row).try_to_string()? {
        // An empty value cannot be seen in a file.
        text if text.is_empty() => Ok("(empty)".to_string()),
        text => Ok(text.replace('\n', "\\n")),
    };
    (0..array.len()).map(value).collect()
}

/// The shortest text of the number that is left when it is rounded to [`DIGITS`].
fn float(v: f64) -> String {
    let rounded: f64 = format!("{v:.*e}", DIGITS - 1).parse().expect("a number was just written");
    // Zero has no sign here.
    format!("{}", if rounded == 0.0 { 0.0 } else { rounded })
}
