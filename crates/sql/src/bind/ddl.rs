//! A table as the statement that makes it.

use crate::catalog::{ColumnKind, Table};
use crate::parser::types::{quoted, type_name};

/// `CREATE TABLE` as it would be written now: with everything that `LIKE` brought in and the columns that were found.
pub(crate) fn create_table(table: &Table, options: &[(String, String)]) -> String {
    let mut lines = vec![];
    for column in &table.columns {
        let (name, data_type) = (quoted(column.field.name()), type_name(column.field.data_type()));
        let not_null = if column.field.is_nullable() { "" } else { " NOT NULL" };
        let what = match &column.kind {
            ColumnKind::Physical => format!("{data_type}{not_null}"),
            ColumnKind::Metadata { key, is_virtual } => {
                let from = if key == column.field.name() { String::new() } else { format!(" FROM {}", text(key)) };
                let is_virtual = if *is_virtual { " VIRTUAL" } else { "" };
                format!("{data_type}{not_null} METADATA{from}{is_virtual}")
            }
            ColumnKind::Computed { text, .. } => format!("AS {text}"),
        };
        let comment = column.comment.as_ref().map(|c| format!(" COMMENT {}", text(c))).unwrap_or_default();
        lines.push(format!("{name} {what}{comment}"));
    }
    if let Some(time) = &table.event_time {
        lines.push(format!("WATERMARK FOR {} AS {}", quoted(table.columns[time.column].field.name()), time.text));
    }
    let names = |names: &[String]| names.iter().map(|n| quoted(n)).collect::<Vec<_>>().join(", ");
    if !table.spec.primary_key.is_empty() {
        lines.push(format!("PRIMARY KEY ({}) NOT ENFORCED", names(&table.spec.primary_key)));
    }
    let mut out = format!("CREATE TABLE {} (\n  {}\n)", quoted(&table.name), lines.join(",\n  "));
    if !table.spec.partition_by.is_empty() {
        out += &format!(" PARTITIONED BY ({})", names(&table.spec.partition_by));
    }
    if !options.is_empty() {
        let options: Vec<_> = options.iter().map(|(k, v)| format!("{} = {}", text(k), text(v))).collect();
        out += &format!(" WITH (\n  {}\n)", options.join(",\n  "));
    }
    out
}

/// A text as it is to be written.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}
