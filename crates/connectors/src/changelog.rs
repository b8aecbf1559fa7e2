//! What a table says of its changes: how a log of changes is read, and what a sink writes for a change.
//!
//! Which row takes back which is not known here: reading, that is the engine's business; writing, it hands over net changes.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt32Array, new_null_array};
use arrow::compute::{cast, interleave};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tidemill_core::delta::take_rows;
use tidemill_core::format::Format;
use tidemill_core::sink::Accepts;
use tidemill_core::table::{CHANGELOG_MODE, OPERATION_COLUMN, TableSpec};
use tidemill_core::{ChangeMode, Delta, Error, Result};

use crate::changes::{Change, Changes};
use crate::weights;

/// The columns of `PRIMARY KEY` among those of `schema`.
pub(crate) fn key_in(table: &TableSpec, schema: &Schema) -> Vec<usize> {
    table.primary_key.iter().filter_map(|name| schema.index_of(name).ok()).collect()
}

/// Which changes a source of `format` makes.
pub(crate) fn changes_of(format: &dyn Format) -> ChangeMode {
    if format.is_changelog() { ChangeMode::Retract } else { ChangeMode::Append }
}

/// The columns of a table of `format` as they are read: in a log of changes with a key all others may be missing, since a
/// deletion need not know them.
pub(crate) fn read_schema(table: &TableSpec, format: &dyn Format, schema: &SchemaRef) -> SchemaRef {
    if !format.is_changelog() || table.primary_key.is_empty() {
        return schema.clone();
    }
    let relaxed = |f: &Arc<Field>| match table.primary_key.contains(f.name()) {
        true => f.clone(),
        false => Arc::new(f.as_ref().clone().with_nullable(true)),
    };
    Arc::new(Schema::new(schema.fields().iter().map(relaxed).collect::<Vec<_>>()))
}

/// How a sink of records writes changes.
#[derive(Debug)]
pub(crate) struct Written {
    /// The columns of the table, in their order.
    table: SchemaRef,
    /// The columns that a query gives: all but the kind of change.
    pub(crate) schema: SchemaRef,
    /// The key, among the columns of the query and among those of the table.
    pub(crate) key: Vec<usize>,
    table_key: Vec<usize>,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Rows, and nothing else.
    Rows,
    /// The format says what a record does.
    Format,
    /// A column says it; with an upsert there is one record for each key.
    Column { at: usize, upsert: bool },
    /// Rows by key; a deletion is a row with NULL beside its key.
    Tombstones,
}

impl Written {
    /// What `table` says. `format` is that of its records, if they have one.
    pub(crate) fn new(table: &TableSpec, format: Option<&dyn Format>) -> Result<Self> {
        let Some(all) = table.schema.clone() else {
            return Err(Error::internal(format!("table '{}' was opened without its columns", table.name)));
        };
        let wrong =
            |what: &str, hint: &str| Err(Error::statement(format!("table '{}': {what}", table.name)).with_hint(hint));
        let key_hint = "Declare PRIMARY KEY (..) NOT ENFORCED.";
        let itself = format.is_some_and(Format::is_changelog);
        let mode = table.options.one_of(&CHANGELOG_MODE)?;
        let how = match (mode, table.options.text(&OPERATION_COLUMN)) {
            (None, None) if itself => How::Format,
            _ if itself => {
                return wrong(
                    "its format says itself what a record does",
                    "Leave 'changelog.operation-column' and 'changelog.mode' out.",
                );
            }
            (None | Some("append"), None) => How::Rows,
            (Some("append"), Some(_)) => {
                return wrong(
                    "'changelog.operation-column' and 'changelog.mode' = 'append' exclude each other",
                    "Leave one of them out.",
                );
            }
            (Some("upsert"), _) if table.primary_key.is_empty() => {
                return wrong("'changelog.mode' = 'upsert' needs to know which row a record replaces", key_hint);
            }
            (Some("upsert"), None) => How::Tombstones,
            (_, None) => {
                return wrong(
                    "'changelog.mode' = 'retract' does not say where the kind of change is written",
                    "Name a STRING column of the table in 'changelog.operation-column', or use format 'debezium-json'.",
                );
            }
            (mode, Some(name)) => How::Column { at: text_column(table, &all, name)?, upsert: mode == Some("upsert") },
        };
        let table_key = key_in(table, &all);
        if how == How::Tombstones
            && let Some((_, field)) =
                all.fields().iter().enumerate().find(|(i, f)| !table_key.contains(i) && !f.is_nullable())
        {
            return wrong(
                &format!("column '{}' is NOT NULL, so that a deletion cannot be written", field.name()),
                "A deletion is a row with NULL beside its key. Leave NOT NULL out, or name a 'changelog.operation-column'.",
            );
        }
        let given: Vec<usize> = match how {
            How::Column { at, .. } => (0..all.fields().len()).filter(|i| *i != at).collect(),
            _ => (0..all.fields().len()).collect(),
        };
        let schema: SchemaRef = Arc::new(Schema::new(all.project(&given)?.fields().clone()));
        Ok(Self { key: key_in(table, &schema), table: all, schema, table_key, how })
    }

    /// An error where the options ask for something that a connector does not write.
    pub(crate) fn plain(table: &TableSpec, connector: &str) -> Result<()> {
        for spec in [CHANGELOG_MODE, OPERATION_COLUMN] {
            if table.options.text(&spec).is_some() {
                return Err(Error::statement(format!(
                    "table '{}': connector '{connector}' does not write '{}'",
                    table.name, spec.name
                ))
                .with_hint("Leave it out: the connector takes all changes."));
            }
        }
        Ok(())
    }

    /// Which changes there is a way to write.
    pub(crate) fn accepts(&self) -> Accepts {
        match self.how {
            How::Rows => Accepts::Append,
            How::Format | How::Column { upsert: false, .. } => Accepts::Retract,
            How::Column { upsert: true, .. } | How::Tombstones => Accepts::Upsert,
        }
    }

    /// Whether records are written with [`Encoder::encode_changes`](tidemill_core::format::Encoder::encode_changes).
    pub(crate) fn by_format(&self) -> bool {
        self.how == How::Format
    }

    /// `delta` as what is written: rows of the table, or changes for a format of changes.
    pub(crate) fn records(&self, delta: &Delta) -> Result<Delta> {
        let named = |rows: RecordBatch, schema: &SchemaRef| {
            RecordBatch::try_new(schema.clone(), rows.columns().to_vec())
                .map_err(|e| Error::data(format!("a row does not fit the table: {e}")).caused_by(e))
        };
        match self.how {
            How::Rows => Ok(Delta::insert(named(weights::expand(delta)?, &self.table)?)),
            How::Format => Ok(delta.with_batch(named(delta.batch.clone(), &self.table)?)),
            How::Column { at, upsert } => self.with_kinds(delta, at, upsert),
            How::Tombstones => {
                let Some(weights) = &delta.weights else {
                    return Ok(Delta::insert(named(delta.batch.clone(), &self.table)?));
                };
                let picks: Vec<_> =
                    weights.values().iter().enumerate().map(|(i, w)| (usize::from(*w < 0), i)).collect();
                let column = |(i, c): (usize, &ArrayRef)| match self.table_key.contains(&i) {
                    true => Ok(c.clone()),
                    false => {
                        let null = new_null_array(c.data_type(), c.len());
                        Ok(interleave(&[c.as_ref(), null.as_ref()], &picks)?)
                    }
                };
                let columns = delta.batch.columns().iter().enumerate().map(column).collect::<Result<_>>()?;
                Ok(Delta::insert(RecordBatch::try_new(self.table.clone(), columns)?))
            }
        }
    }

    /// The rows with the kind of change in column `at`.
    fn with_kinds(&self, delta: &Delta, at: usize, upsert: bool) -> Result<Delta> {
        let (mut rows, mut kinds) = (vec![], vec![]);
        let mut push = |row: usize, kind: &'static str| {
            rows.push(row as u32);
            kinds.push(kind);
        };
        for change in Changes::by_key(delta, &self.key)? {
            match change {
                Change::Insert(row) => push(row, if upsert { "+U" } else { "+I" }),
                Change::Delete(row) => push(row, "-D"),
                Change::Update { before, after } => {
                    push(before, "-U");
                    push(after, "+U");
                }
            }
        }
        let rows = take_rows(&delta.batch, &UInt32Array::from(rows))?;
        let kinds: ArrayRef = Arc::new(StringArray::from_iter_values(kinds));
        let mut columns = rows.columns().to_vec();
        columns.insert(at, cast(&kinds, self.table.field(at).data_type())?);
        Ok(Delta::insert(RecordBatch::try_new(self.table.clone(), columns)?))
    }
}

fn text_column(table: &TableSpec, all: &Schema, name: &str) -> Result<usize> {
    let exact = all.fields().iter().position(|f| f.name() == name);
    let found = exact.or_else(|| all.fields().iter().position(|f| f.name().eq_ignore_ascii_case(name)));
    let Some(at) = found else {
        let known = all.fields().iter().map(|f| f.name().as_str());
        return Err(Error::statement(format!(
            "table '{}' has no column '{name}' to write the kind of change to",
            table.name
        ))
        .with_nearest(name, known));
    };
    match all.field(at).data_type() {
        DataType::Utf8 => Ok(at),
        _ => Err(Error::statement(format!("column '{name}' of 'changelog.operation-column' is not a STRING"))
            .with_hint("It holds '+I', '-U', '+U' or '-D'.")),
    }
}
