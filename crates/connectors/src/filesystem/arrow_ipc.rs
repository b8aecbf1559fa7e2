//! Arrow IPC files, of the file and of the stream kind: told apart by their first bytes.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow_ipc::reader::{FileReader, StreamReader};
use tidemill_core::{Error, Result};

use super::adapt::{Adapter, engine_field};
use super::object::Object;
use super::rows::{RowFile, Unit};
use super::source::FileSplit;

/// How a file of the file kind begins, and how one of the stream kind does. Checked first: the reader takes the first
/// bytes of anything else for a length, and makes room for it.
const FILE: &[u8] = b"ARROW1";
const STREAM: &[u8] = &[0xff; 4];

/// A file of either kind.
enum Ipc {
    File(FileReader<BufReader<Seeking>>),
    Stream(StreamReader<BufReader<Box<dyn Read + Send>>>),
}

impl Ipc {
    fn open(object: &Object, name: &str, projection: Option<Vec<usize>>) -> Result<Self> {
        let failed = |e: &dyn std::fmt::Display| Error::data(format!("cannot read '{name}' as Arrow: {e}"));
        let mut magic = Vec::new();
        let begin = object.stream(0).and_then(|s| s.take(FILE.len() as u64).read_to_end(&mut magic));
        begin.map_err(|e| failed(&e).caused_by(e))?;
        if !magic.starts_with(FILE) && !magic.starts_with(STREAM) {
            return Err(failed(&"it begins neither like an Arrow file nor like an Arrow stream"));
        }
        let ipc = if magic == FILE {
            FileReader::try_new(BufReader::new(Seeking::new(object)), projection).map(Self::File)
        } else {
            object
                .stream(0)
                .map_err(Into::into)
                .and_then(|s| StreamReader::try_new(BufReader::new(s), projection))
                .map(Self::Stream)
        };
        ipc.map_err(|e| failed(&e).caused_by(e))
    }

    fn schema(&self) -> SchemaRef {
        match self {
            Self::File(file) => file.schema(),
            Self::Stream(stream) => stream.schema(),
        }
    }
}

impl Iterator for Ipc {
    type Item = std::result::Result<RecordBatch, arrow::error::ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::File(file) => file.next(),
            Self::Stream(stream) => stream.next(),
        }
    }
}

/// The columns of a file, in the types of the engine.
pub(crate) fn schema(object: &Object, name: &str) -> Result<SchemaRef> {
    let schema = Ipc::open(object, name, None)?.schema();
    let fields: Vec<_> = schema.fields().iter().map(|f| engine_field(f)).collect();
    Ok(Arc::new(Schema::new(fields)))
}

/// The file from row `from` on: one unit, as there is little to decode.
pub(crate) fn units(
    split: &FileSplit,
    object: &Object,
    name: &Arc<str>,
    wanted: &[usize],
    from: u64,
    row_file: impl FnOnce(Adapter) -> RowFile,
) -> Result<Vec<Unit>> {
    let schema = Ipc::open(object, name, None)?.schema();
    let adapter =
        Adapter::new(name, &schema, &split.columns.records, wanted, |column| schema.field(column).is_nullable())?;
    let file = row_file(adapter);
    let batch_rows = split.batch_rows.max(1);
    Ok(vec![Box::new(move |outlet| {
        let ipc = Ipc::open(&file.object, &file.name, Some(file.adapter.read.clone()))?;
        let mut row = 0u64;
        for batch in ipc {
            let batch = batch.map_err(|e| Error::data(format!("cannot read '{}': {e}", file.name)).caused_by(e))?;
            let (first, rows) = (row, batch.num_rows());
            row += rows as u64;
            let mut start = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX).min(rows);
            while start < rows {
                let part = batch.slice(start, batch_rows.min(rows - start));
                let bytes =
                    part.columns().iter().map(|c| c.to_data().get_slice_memory_size().unwrap_or(0)).sum::<usize>();
                if !outlet.send(&file, part, first + start as u64, bytes as u64)? {
                    return Ok(());
                }
                start += batch_rows;
            }
        }
        Ok(())
    })])
}

/// An object that can be read from anywhere.
struct Seeking {
    object: Object,
    offset: u64,
    read: Option<Box<dyn Read + Send>>,
}

impl Seeking {
    fn new(object: &Object) -> Self {
        Self { object: object.clone(), offset: 0, read: None }
    }
}

impl Read for Seeking {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = match &mut self.read {
            Some(read) => read,
            none => none.insert(self.object.stream(self.offset)?),
        };
        let n = read.read(out)?;
        self.offset += n as u64;
        Ok(n)
    }
}

impl Seek for Seeking {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        use ::parquet::file::reader::Length;
        let offset = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(by) => self.object.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.offset.checked_add_signed(by),
        };
        let outside = || std::io::Error::new(std::io::ErrorKind::InvalidInput, "seek before the beginning");
        let offset = offset.ok_or_else(outside)?;
        if offset != self.offset {
            self.offset = offset;
            self.read = None;
        }
        Ok(offset)
    }
}
