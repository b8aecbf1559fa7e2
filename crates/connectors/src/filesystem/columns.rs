//! Columns that are the same for all records of a file: metadata (`file.path`, ...) and partitions (`day=2024-01-31/`).

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMillisecondArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use tidemill_core::table::TableSpec;
use tidemill_core::{Error, Result};

use super::location::FoundFile;
use super::partition;
use crate::changelog;
use crate::formats::sql_type;
use crate::records::layout::Place;

/// The metadata columns of files: name and type, as in Flink.
pub(crate) fn metadata() -> Vec<Field> {
    vec![
        Field::new("file.path", DataType::Utf8, false),
        Field::new("file.name", DataType::Utf8, false),
        Field::new("file.size", DataType::Int64, false),
        Field::new("file.modification-time", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), false),
    ]
}

/// A column whose value the file gives.
#[derive(Debug, Clone)]
enum FileColumn {
    Path,
    Name,
    Size,
    Modified,
    Partition(Field, String),
}

/// The columns of a table of files, and where each comes from.
#[derive(Debug)]
pub(crate) struct FileColumns {
    /// All columns: the physical ones, then the metadata.
    pub(crate) schema: SchemaRef,
    /// The columns that a record holds.
    pub(crate) records: SchemaRef,
    /// The key, among the columns of a record.
    pub(crate) key: Vec<usize>,
    /// Where each column of `schema` is.
    pub(crate) places: Vec<Place>,
    constants: Vec<FileColumn>,
}

impl FileColumns {
    /// The columns of `table`.
    pub(crate) fn new(table: &TableSpec, default_partition: &str) -> Result<Self> {
        let Some(physical) = &table.schema else {
            return Err(Error::internal(format!("table '{}' was opened without its columns", table.name)));
        };
        partition_indices(table, physical)?;
        let (mut fields, mut records, mut places, mut constants) = (vec![], vec![], vec![], vec![]);
        for field in physical.fields() {
            if table.partition_by.contains(field.name()) {
                places.push(Place::Constant(constants.len()));
                constants.push(FileColumn::Partition((**field).clone(), default_partition.to_owned()));
            } else {
                places.push(Place::Record(records.len()));
                records.push(field.clone());
            }
            fields.push(field.clone());
        }
        for column in &table.metadata {
            let known = metadata();
            let Some(i) = known.iter().position(|f| *f.name() == column.key) else {
                return Err(Error::statement(format!("connector 'filesystem' has no metadata '{}'", column.key))
                    .with_nearest(&column.key, known.iter().map(|f| f.name().as_str())));
            };
            fields.push(Arc::new(known[i].clone().with_name(&column.name)));
            places.push(Place::Constant(constants.len()));
            constants.push([FileColumn::Path, FileColumn::Name, FileColumn::Size, FileColumn::Modified][i].clone());
        }
        let records: SchemaRef = Arc::new(Schema::new(records));
        let key = changelog::key_in(table, &records);
        Ok(Self { schema: Arc::new(Schema::new(fields)), records, key, places, constants })
    }

    /// The values of the constants `wanted` in `file`, as arrays of one value.
    pub(crate) fn values(&self, wanted: &[usize], file: &FoundFile) -> Result<Arc<[ArrayRef]>> {
        wanted.iter().map(|i| self.constants[*i].value(file)).collect()
    }
}

impl FileColumn {
    fn value(&self, file: &FoundFile) -> Result<ArrayRef> {
        let text = |s: &str| -> ArrayRef { Arc::new(StringArray::from(vec![s])) };
        Ok(match self {
            Self::Path => text(&file.full),
            Self::Name => text(file.name.rsplit('/').next().unwrap_or(&file.name)),
            Self::Size => Arc::new(Int64Array::from(vec![file.size.cast_signed()])),
            Self::Modified => {
                Arc::new(TimestampMillisecondArray::from(vec![file.modified.timestamp_millis()]).with_timezone("UTC"))
            }
            Self::Partition(field, default) => {
                let value = partition::value_in_path(&file.full, field.name()).filter(|v| v != default);
                match value {
                    Some(value) => cast_text(text(&value), field, &value, file)?,
                    None if field.is_nullable() => new_null_array(field.data_type(), 1),
                    None => {
                        let name = field.name();
                        let message = format!("file '{}' has no value for partition column '{name}'", file.name);
                        return Err(Error::data(message).with_hint(format!(
                            "It is NOT NULL, so the path must hold '{name}=VALUE', or leave NOT NULL out."
                        )));
                    }
                }
            }
        })
    }
}

fn cast_text(text: ArrayRef, field: &Field, value: &str, file: &FoundFile) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&text, field.data_type(), &options).map_err(|e| {
        let name = field.name();
        Error::data(format!("file '{}': partition '{name}={value}' is no {}", file.name, sql_type(field.data_type())))
            .caused_by(e)
    })
}

/// Where the columns of `PARTITIONED BY` are among the physical ones, in the order of the clause.
pub(crate) fn partition_indices(table: &TableSpec, physical: &Schema) -> Result<Vec<usize>> {
    (table.partition_by.iter())
        .map(|name| {
            physical.index_of(name).map_err(|_| {
                let known = physical.fields().iter().map(|f| f.name().as_str());
                Error::statement(format!("table '{}' is partitioned by '{name}', which is not a column", table.name))
                    .with_nearest(name, known)
            })
        })
        .collect()
}
