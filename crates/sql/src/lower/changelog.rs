//! Tables whose records are changes: what the table's options, its key and its source say together.
//!
//! Above such a table stands a normalization, so that all other operators see exact insertions and retractions. Nothing here
//! reads a record.

use datafusion::arrow::datatypes::{DataType, Schema};
use tidemill_core::table::{CHANGELOG_MODE, OPERATION_COLUMN};
use tidemill_core::{ChangeMode, Error, Result};
use tidemill_plan::op::{ChangeKind, Changelog};

use crate::catalog::names::find_one;
use crate::catalog::{ColumnKind, StreamScan, Table};

/// How the records of a table change it, over all columns of its source. `None`: each is a row.
///
/// # Errors
/// If the options of the table contradict each other, or its source.
pub fn table_changelog(scan: &StreamScan) -> Result<Option<Changelog>> {
    let (table, options) = (&scan.table, &scan.table.spec.options);
    let all = scan.source.schema();
    let says_itself = scan.source.changes() != ChangeMode::Append;
    let operation = options.text(&OPERATION_COLUMN);
    let mode = match options.one_of(&CHANGELOG_MODE)? {
        Some(mode) => mode,
        None if says_itself || operation.is_some() => "retract",
        None => return Ok(None),
    };
    let wrong =
        |what: &str, hint: &str| Err(Error::statement(format!("table '{}': {what}", table.name)).with_hint(hint));
    if says_itself && (operation.is_some() || mode == "append") {
        return wrong(
            "its records say themselves what they do",
            "Leave 'changelog.operation-column' and 'changelog.mode' out.",
        );
    }
    let key = key_of(table, &all)?;
    let kind = match (mode, operation) {
        ("append", None) => return Ok(None),
        ("append", Some(_)) => {
            return wrong(
                "'changelog.operation-column' and 'changelog.mode' = 'append' exclude each other",
                "Leave one of them out.",
            );
        }
        ("upsert", _) if key.is_empty() => {
            return wrong(
                "'changelog.mode' = 'upsert' needs to know whose row a record replaces",
                "Declare PRIMARY KEY (..) NOT ENFORCED.",
            );
        }
        _ if says_itself => ChangeKind::Weights,
        (_, Some(name)) => ChangeKind::Operation(operation_column(name, &all)?),
        ("upsert", None) => ChangeKind::Tombstone((0..physical(table)).filter(|i| !key.contains(i)).collect()),
        (_, None) => {
            return wrong(
                "'changelog.mode' = 'retract' does not say which record takes a row back",
                "Name a column of the table in 'changelog.operation-column', or use a format of changes ('debezium-json').",
            );
        }
    };
    Ok(Some(Changelog { key, kind }))
}

/// How many columns of the source come out of the record: the first ones.
fn physical(table: &Table) -> usize {
    table.spec.schema.as_ref().map_or(0, |s| s.fields().len())
}

/// The columns that every query has to read of such a table, whatever it asks for: what becomes of a record does not depend
/// on the query. `wanted` are those that it asks for.
pub(super) fn needed(
    changelog: &Changelog,
    scan: &StreamScan,
    wanted: impl Iterator<Item = usize>,
) -> Result<Vec<usize>> {
    let mut needed = changelog.key.clone();
    match &changelog.kind {
        ChangeKind::Operation(column) => needed.push(*column),
        ChangeKind::Tombstone(values) => needed.extend(values),
        ChangeKind::Weights => {}
    }
    if !changelog.key.is_empty() {
        return Ok(needed);
    }
    let physical = physical(&scan.table);
    needed.extend(0..physical);
    // Where a record stood is not a part of the row: what takes it back stands somewhere else.
    let all = scan.source.schema();
    let mut metadata = wanted.filter(|c| *c >= physical && *c < all.fields().len() && !needed.contains(c));
    if let Some(column) = metadata.next() {
        return Err(Error::statement(format!(
            "metadata column '{}' of table '{}' cannot be read: without a PRIMARY KEY the changes of the table are told apart by \
             their fields alone",
            all.field(column).name(),
            scan.table.name
        ))
        .with_hint("Declare PRIMARY KEY (..) NOT ENFORCED."));
    }
    Ok(needed)
}

/// The same with its columns as they stand among those that are decoded.
pub(super) fn projected(changelog: &Changelog, projection: &[usize]) -> Result<Changelog> {
    let place = |column: &usize| {
        let found = projection.iter().position(|p| p == column);
        found.ok_or_else(|| Error::internal("a column that changes are told by is not decoded"))
    };
    let places = |columns: &[usize]| columns.iter().map(place).collect::<Result<Vec<_>>>();
    Ok(Changelog {
        key: places(&changelog.key)?,
        kind: match &changelog.kind {
            ChangeKind::Weights => ChangeKind::Weights,
            ChangeKind::Operation(column) => ChangeKind::Operation(place(column)?),
            ChangeKind::Tombstone(values) => ChangeKind::Tombstone(places(values)?),
        },
    })
}

fn key_of(table: &Table, all: &Schema) -> Result<Vec<usize>> {
    let column = |i: &usize| {
        let column = &table.columns[*i];
        let name = column.field.name();
        if let ColumnKind::Computed { .. } = column.kind {
            return Err(Error::statement(format!(
                "table '{}': its PRIMARY KEY has the computed column '{name}', which a deletion does not know",
                table.name
            ))
            .with_hint("Make a column of the records the key."));
        }
        all.index_of(name).map_err(|_| Error::internal(format!("no column '{name}' to decode")))
    };
    table.primary_key.iter().map(column).collect()
}

fn operation_column(name: &str, all: &Schema) -> Result<usize> {
    let found = find_one("column", name, all.fields().iter().map(|f| f.name().as_str()))?;
    let place = all.index_of(found)?;
    match all.field(place).data_type() {
        DataType::Utf8 => Ok(place),
        _ => Err(Error::statement(format!("column '{found}' of 'changelog.operation-column' is not a STRING"))
            .with_hint("It holds '+I', '-U', '+U' or '-D'.")),
    }
}
