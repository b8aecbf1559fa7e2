//! Printing results: whole tables, and changes as they come.

use std::io::Write;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow::csv;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow::util::pretty::pretty_format_batches_with_options;
use std::sync::Arc;
use tidemill::core::json::{INSTANT, TIMESTAMP, printed};
use tidemill::{Changes, Error, Result};

use crate::args::Format;

/// Where results go.
pub(crate) type Out<'a> = &'a mut dyn Write;

/// How values read.
fn options() -> FormatOptions<'static> {
    FormatOptions::default()
        .with_null("NULL")
        .with_timestamp_format(Some(TIMESTAMP))
        .with_timestamp_tz_format(Some(INSTANT))
        .with_datetime_format(Some(TIMESTAMP))
}

/// Prints final rows, all at once.
pub(crate) fn table(out: Out<'_>, format: Format, rows: &RecordBatch) -> Result<()> {
    match format {
        Format::Table => {
            writeln!(out, "{}", pretty_format_batches_with_options(std::slice::from_ref(rows), &options())?)?;
            writeln!(out, "{} row{}", rows.num_rows(), if rows.num_rows() == 1 { "" } else { "s" })?;
        }
        Format::Vertical => vertical(out, rows, 0)?,
        Format::Json => json(out, rows)?,
        Format::Csv => csv_rows(out, rows, true)?,
    }
    flush(out)
}

/// Prints changes one delta after the other.
pub(crate) struct ChangePrinter {
    format: Format,
    /// Whether rows may be taken back: then each has a column `op`.
    retracts: bool,
    printed: usize,
    widths: Vec<usize>,
}

impl ChangePrinter {
    /// For a result that takes rows back, or not.
    pub(crate) fn new(format: Format, retracts: bool) -> Self {
        Self { format, retracts, printed: 0, widths: vec![] }
    }

    /// Prints one delta.
    pub(crate) fn print(&mut self, out: Out<'_>, changes: &Changes) -> Result<()> {
        let rows = if self.retracts { with_op(changes)? } else { changes.batch.clone() };
        match self.format {
            Format::Table => self.lines(out, &rows)?,
            Format::Vertical => vertical(out, &rows, self.printed)?,
            Format::Json => json(out, &rows)?,
            Format::Csv => csv_rows(out, &rows, self.printed == 0)?,
        }
        self.printed += rows.num_rows();
        flush(out)
    }

    /// Lines of a table that grows: no frame around it, since nobody knows where it ends.
    fn lines(&mut self, out: Out<'_>, rows: &RecordBatch) -> Result<()> {
        let schema = rows.schema();
        let options = options();
        let formatters: Vec<ArrayFormatter<'_>> =
            rows.columns().iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options)).collect::<Result<_, _>>()?;
        let cells: Vec<Vec<String>> =
            (0..rows.num_rows()).map(|r| formatters.iter().map(|f| f.value(r).to_string()).collect()).collect();
        let first = self.widths.is_empty();
        if first {
            self.widths = schema.fields().iter().map(|f| f.name().chars().count()).collect();
        }
        for row in &cells {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |cells: &[String], widths: &[usize]| {
            let padded: Vec<String> = cells.iter().zip(widths).map(|(c, w)| format!("{c:w$}")).collect();
            padded.join(" | ").trim_end().to_string()
        };
        if first {
            let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
            writeln!(out, "{}", line(&names, &self.widths))?;
            let rule: Vec<String> = self.widths.iter().map(|w| "-".repeat(*w)).collect();
            writeln!(out, "{}", rule.join("-+-"))?;
        }
        for row in &cells {
            writeln!(out, "{}", line(row, &self.widths))?;
        }
        Ok(())
    }
}

/// The rows with a first column `op`: `+` inserted, `-` taken back. A row with a weight of 2 comes twice.
fn with_op(changes: &Changes) -> Result<RecordBatch> {
    let weights: Vec<i64> = match &changes.weights {
        Some(weights) => weights.values().to_vec(),
        None => vec![1; changes.num_rows()],
    };
    let mut ops = vec![];
    let mut indices = vec![];
    for (row, weight) in weights.iter().enumerate() {
        for _ in 0..weight.unsigned_abs() {
            ops.push(if *weight > 0 { "+" } else { "-" });
            indices.push(u32::try_from(row).map_err(|_| Error::internal("a delta of more than 4 billion rows"))?);
        }
    }
    let rows = tidemill::core::delta::take_rows(&changes.batch, &UInt32Array::from(indices))?;
    let mut fields = vec![Arc::new(Field::new("op", DataType::Utf8, false))];
    fields.extend(rows.schema().fields().iter().cloned());
    let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(ops))];
    columns.extend(rows.columns().iter().cloned());
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn vertical(out: Out<'_>, rows: &RecordBatch, before: usize) -> Result<()> {
    let schema = rows.schema();
    let width = schema.fields().iter().map(|f| f.name().chars().count()).max().unwrap_or(0);
    let options = options();
    for row in 0..rows.num_rows() {
        writeln!(out, "-[ {} ]-", before + row + 1)?;
        for (field, column) in schema.fields().iter().zip(rows.columns()) {
            let value = ArrayFormatter::try_new(column.as_ref(), &options)?;
            writeln!(out, "{:width$} | {}", field.name(), value.value(row))?;
        }
    }
    Ok(())
}

/// The rows with a name of its own for each column: the second `x` is `x_2`, since an object has each key once.
fn with_own_names(rows: &RecordBatch) -> Result<RecordBatch> {
    let mut names: Vec<String> = vec![];
    let mut fields = vec![];
    for field in rows.schema().fields() {
        let taken = |name: &String| names.contains(name);
        let mut name = field.name().clone();
        let mut nth = 1;
        while taken(&name) || (nth > 1 && rows.schema().column_with_name(&name).is_some()) {
            nth += 1;
            name = format!("{}_{nth}", field.name());
        }
        names.push(name.clone());
        fields.push(Arc::new(field.as_ref().clone().with_name(name)));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), rows.columns().to_vec())?)
}

fn json(out: Out<'_>, rows: &RecordBatch) -> Result<()> {
    let rows = &with_own_names(rows)?;
    let mut writer = printed(out);
    writer.write(rows)?;
    writer.finish()?;
    Ok(())
}

fn csv_rows(out: Out<'_>, rows: &RecordBatch, header: bool) -> Result<()> {
    // Nested values have no form in CSV; they are written as they are displayed.
    let options = options();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(rows.num_columns());
    let mut fields = vec![];
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        if column.data_type().is_nested() {
            let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
            let texts = (0..column.len()).map(|i| column.is_valid(i).then(|| formatter.value(i).to_string()));
            columns.push(Arc::new(texts.collect::<StringArray>()));
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
        } else {
            columns.push(Arc::clone(column));
            fields.push(Arc::clone(field));
        }
    }
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let mut writer = csv::WriterBuilder::new()
        .with_header(header)
        .with_timestamp_format(TIMESTAMP.into())
        .with_timestamp_tz_format(INSTANT.into())
        .with_datetime_format(TIMESTAMP.into())
        .build(out);
    writer.write(&rows)?;
    Ok(())
}

fn flush(out: Out<'_>) -> Result<()> {
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    #[test]
    fn an_object_has_each_key_once() {
        let column = |n: i64| Arc::new(Int64Array::from(vec![n])) as ArrayRef;
        let names = ["x", "x", "x_2", "x"];
        let fields: Vec<_> = names.iter().map(|n| Field::new(*n, DataType::Int64, false)).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), (1..5).map(column).collect()).unwrap();
        let mut out = vec![];
        table(&mut out, Format::Json, &batch).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "{\"x\":1,\"x_3\":2,\"x_2\":3,\"x_4\":4}\n");
    }

    #[test]
    fn a_result_that_takes_rows_back_says_so() {
        let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 20])) as ArrayRef)]).unwrap();
        let changes = Changes::weighted(batch, Int64Array::from(vec![-1, 2]));
        let mut out = vec![];
        ChangePrinter::new(Format::Table, true).print(&mut out, &changes).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "op | n\n---+---\n-  | 1\n+  | 20\n+  | 20\n");
    }
}
