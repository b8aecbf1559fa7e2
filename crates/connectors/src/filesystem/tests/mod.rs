//! Tables of files, read and written in temporary directories. Nothing here sleeps.

mod bad_records;
mod changes;
mod columnar;
mod following;
mod records;
mod writing;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::pretty::pretty_format_batches;
use tempfile::TempDir;
use tidemill_core::source::{Connector, Piece, Position, ReadRequest};
use tidemill_core::table::{MetadataColumn, TableSpec};
use tidemill_core::{Delta, OptionValues, Result};

use super::Filesystem;

/// A directory with these files.
fn directory(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, bytes)| put(dir.path(), name, bytes));
    dir
}

fn put(dir: &Path, name: &str, bytes: &[u8]) {
    let file = dir.join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    if file.exists() {
        return std::fs::write(file, bytes).unwrap();
    }
    // A new file is there whole: who follows the directory would else read it before it is written.
    let hidden = file.with_file_name(format!(".{}.new", file.file_name().unwrap().to_str().unwrap()));
    std::fs::write(&hidden, bytes).unwrap();
    std::fs::rename(hidden, file).unwrap();
}

/// A table of the files at `path`, with these columns and options.
fn table(path: &Path, fields: Vec<Field>, options: &[(&str, &str)]) -> TableSpec {
    let mut options = OptionValues::from_pairs(options.iter().copied());
    options.0.insert("connector".into(), "filesystem".into());
    options.0.insert("path".into(), path.to_str().unwrap().to_owned());
    let schema = (!fields.is_empty()).then(|| Arc::new(Schema::new(fields)));
    TableSpec { name: "t".into(), schema, metadata: vec![], partition_by: vec![], primary_key: vec![], options }
}

fn int(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

/// How a test reads.
struct Read<'a> {
    projection: Vec<usize>,
    batch_rows: usize,
    threads: usize,
    from: Option<&'a Position>,
}

impl Default for Read<'_> {
    fn default() -> Self {
        Self { projection: vec![], batch_rows: 1_000, threads: 4, from: None }
    }
}

/// All pieces of all splits, one split after the other.
async fn read(table: &TableSpec, read: Read<'_>) -> Result<Vec<Piece>> {
    let source = Filesystem.source(table)?;
    let projection = match read.projection.is_empty() {
        true => (0..source.schema().fields().len()).collect(),
        false => read.projection,
    };
    let request = ReadRequest { projection, batch_rows: read.batch_rows, decode_threads: read.threads };
    let mut pieces = vec![];
    for split in source.splits().await?.splits {
        let mut reader = source.open(&split, read.from, &request).await?;
        while let Some(piece) = reader.next().await? {
            pieces.push(piece);
        }
    }
    Ok(pieces)
}

fn all(pieces: &[Piece]) -> RecordBatch {
    concat_batches(&pieces[0].batch.schema(), pieces.iter().map(|p| &p.batch)).unwrap()
}

fn show(batch: &RecordBatch) -> String {
    pretty_format_batches(std::slice::from_ref(batch)).unwrap().to_string()
}

/// The numbers in the first column.
fn numbers(pieces: &[Piece]) -> Vec<i64> {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    pieces.iter().flat_map(|p| p.batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    RecordBatch::try_from_iter(columns.iter().cloned()).unwrap()
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// The names of all files below `dir`, hidden ones included.
fn names(dir: &Path) -> Vec<String> {
    let mut names = vec![];
    let mut directories = vec![dir.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                names.push(path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    names.sort();
    names
}

/// Lines `{"n":0}` and so on.
fn lines(numbers: std::ops::Range<i64>) -> String {
    numbers.map(|n| format!("{{\"n\":{n},\"text\":\"row number {n}\"}}\n")).collect()
}
