//! The columns of a table whose statement left them out: from a file's footer, or from the first records.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tidemill_core::format::Format;
use tidemill_core::table::TableSpec;
use tidemill_core::{Error, OptionValues, Result};
use tokio::runtime::Handle;

use super::location::{FoundFile, Location};
use super::object::Object;
use super::options::{FileFormat, FileOptions};
use super::{arrow_ipc, parquet};
use crate::records::feed::died;

/// How much of the first file of records is looked at.
const SAMPLE: u64 = 4 << 20;

/// The columns found in the first file that has any data.
pub(crate) async fn schema(table: &TableSpec) -> Result<SchemaRef> {
    let options = FileOptions::new(table)?;
    let location = Location::parse(&options.path)?;
    let files = location.list_some().await?;
    let runtime = Handle::current();
    let partition_by = table.partition_by.clone();
    let found = tokio::task::spawn_blocking(move || {
        let Some(file) = files.iter().find(|f| f.size > 0).or(files.first()) else {
            return Err(Error::internal("a list of files that was not empty is"));
        };
        let object = Object::new(&location, file, &runtime);
        match options.format {
            FileFormat::Parquet => parquet::schema(&object, &file.name),
            FileFormat::Arrow => arrow_ipc::schema(&object, &file.name),
            FileFormat::Records(format) => records(format, &options, &object, file),
        }
    });
    let found = found.await.map_err(died)??;
    Ok(with_partitions(&found, &partition_by))
}

fn records(format: &dyn Format, options: &FileOptions, object: &Object, file: &FoundFile) -> Result<SchemaRef> {
    let counter = Arc::new(AtomicU64::new(0));
    let mut read = object.decompressed(options.compression.of(&file.name), 0, &file.name, &counter)?;
    let mut sample = Vec::new();
    (&mut read)
        .take(SAMPLE)
        .read_to_end(&mut sample)
        .map_err(|e| Error::external(format!("cannot read '{}': {e}", file.name)).caused_by(e))?;
    let all: &OptionValues = &options.all;
    if sample.len() as u64 == SAMPLE {
        sample.truncate(format.whole_records(&sample, all));
    }
    format.infer_schema(&sample, all).map_err(|e| e.context(format!("file '{}'", file.name)))
}

/// The columns of `PARTITIONED BY` are in the path, not in the file: they are texts unless the statement says more.
fn with_partitions(found: &SchemaRef, partition_by: &[String]) -> SchemaRef {
    let mut fields: Vec<_> = found.fields().iter().cloned().collect();
    for name in partition_by {
        if found.index_of(name).is_err() {
            fields.push(Arc::new(Field::new(name, DataType::Utf8, true)));
        }
    }
    Arc::new(Schema::new(fields))
}
