//! What `SHOW` and `DESCRIBE` print, as rows.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use tidemill_core::{EpochClock, Result};

use super::{Catalog, ColumnKind, Table};
use crate::parser::types::type_name;
use crate::session::Planner;
use crate::settings::Settings;

/// One column of names.
pub(super) fn names(title: &str, names: Vec<String>) -> Result<RecordBatch> {
    rows(&[title], names.into_iter().map(|n| vec![Some(n)]).collect())
}

/// One column of those names that `like` fits, in which `%` is any text and `_` any character.
pub(super) fn names_like(title: &str, mut names: Vec<String>, like: Option<&str>) -> Result<RecordBatch> {
    if let Some(like) = like {
        let pattern: Vec<char> = like.chars().collect();
        names.retain(|name| fits(&pattern, &name.chars().collect::<Vec<_>>()));
    }
    self::names(title, names)
}

fn fits(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['%', rest @ ..] => (0..=name.len()).any(|n| fits(rest, &name[n..])),
        [c, rest @ ..] => name.first().is_some_and(|n| (n == c || *c == '_') && fits(rest, &name[1..])),
    }
}

/// `SET`.
pub(super) fn changed_settings(settings: &Settings) -> Result<RecordBatch> {
    rows(&["key", "value"], settings.changed().into_iter().map(|(k, v)| vec![Some(k), Some(v)]).collect())
}

/// `SHOW SETTINGS`.
pub(super) fn settings(settings: &Settings) -> Result<RecordBatch> {
    let all = settings.all().into_iter().map(|(k, v, doc)| vec![Some(k.to_string()), Some(v), Some(doc.to_string())]);
    rows(&["key", "value", "meaning"], all.collect())
}

/// `SHOW FUNCTIONS`.
pub(super) fn functions(catalog: &Catalog) -> Result<RecordBatch> {
    let planner = Planner::new(catalog, EpochClock::default())?;
    let state = planner.state();
    let kinds = [
        ("scalar", state.scalar_functions().keys().collect::<Vec<_>>()),
        ("aggregate", state.aggregate_functions().keys().collect()),
        ("window", state.window_functions().keys().collect()),
    ];
    let mut all: Vec<_> = kinds
        .into_iter()
        .flat_map(|(kind, names)| names.into_iter().map(move |n| vec![Some(n.clone()), Some(kind.to_string())]))
        .collect();
    all.sort();
    rows(&["function name", "kind"], all)
}

/// `DESCRIBE` of a table: Flink's columns.
pub(super) fn table(table: &Table) -> Result<RecordBatch> {
    let mut all = vec![];
    for (i, column) in table.columns.iter().enumerate() {
        let time = table.event_time.as_ref().filter(|t| t.column == i);
        let extra = match &column.kind {
            ColumnKind::Physical => None,
            ColumnKind::Metadata { key, is_virtual } => {
                Some(format!("METADATA FROM '{key}'{}", if *is_virtual { " VIRTUAL" } else { "" }))
            }
            ColumnKind::Computed { text, .. } => Some(format!("AS {text}")),
        };
        all.push(vec![
            Some(column.field.name().clone()),
            Some(type_name(column.field.data_type())),
            Some(column.field.is_nullable().to_string()),
            table.primary_key.contains(&i).then(|| "PRI".to_string()),
            extra,
            time.map(|t| t.text.clone()),
            column.comment.clone(),
        ]);
    }
    rows(&["name", "type", "null", "key", "extras", "watermark", "comment"], all)
}

/// `DESCRIBE` of what has columns alone.
pub(super) fn columns_of(schema: &Schema) -> Result<RecordBatch> {
    let all = schema
        .fields()
        .iter()
        .map(|f| vec![Some(f.name().clone()), Some(type_name(f.data_type())), Some(f.is_nullable().to_string())]);
    rows(&["name", "type", "null"], all.collect())
}

fn rows(titles: &[&str], rows: Vec<Vec<Option<String>>>) -> Result<RecordBatch> {
    let fields: Vec<Field> = titles.iter().map(|t| Field::new(*t, DataType::Utf8, true)).collect();
    let column = |i: usize| Arc::new(rows.iter().map(|row| row[i].clone()).collect::<StringArray>()) as ArrayRef;
    let columns = (0..titles.len()).map(column).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
