//! One file that is being written: hidden until it is complete and published.
//!
//! On this machine it is written to `.part-..-0.json.inprogress` and renamed; what goes into a store is held in memory (never
//! more than a rolled file) and put there whole. A part that is dropped leaves nothing behind.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression as ParquetCompression;
use ::parquet::file::properties::WriterProperties;
use arrow::datatypes::SchemaRef;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tidemill_core::format::Encoder;
use tidemill_core::{Delta, Error, OptionValues, Result};
use tokio::runtime::Handle;

use super::compression::{Codec, Compressor};
use super::options::FileFormat;

/// What all parts of a sink have in common.
#[derive(Debug, Clone)]
pub(crate) struct PartKind {
    pub(crate) format: FileFormat,
    pub(crate) codec: Codec,
    /// The columns in the file.
    pub(crate) schema: SchemaRef,
    pub(crate) options: OptionValues,
    /// For a format of changes: the key, among the columns in the file.
    pub(crate) changes: Option<Vec<usize>>,
}

/// Where a part is to appear.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A file of this machine: its directory and name.
    Local(PathBuf, String),
    /// An object.
    Stored(Arc<dyn ObjectStore>, Path, Handle),
}

/// A file that is being written.
pub(crate) struct Part {
    encode: Encode,
    changes: Option<Vec<usize>>,
    written: Arc<AtomicU64>,
    pending: Pending,
}

#[allow(clippy::large_enum_variant, reason = "one for each open file")]
enum Encode {
    Records { encoder: Box<dyn Encoder>, text: Vec<u8>, write: Compressor },
    Parquet(Box<ArrowWriter<Box<dyn Write + Send>>>),
    Arrow(Box<FileWriter<Box<dyn Write + Send>>>),
}

/// A complete file that nobody sees yet.
pub(crate) enum Pending {
    Local { hidden: PathBuf, target: PathBuf, published: bool },
    Stored { store: Arc<dyn ObjectStore>, path: Path, runtime: Handle, bytes: Shared },
}

impl Part {
    /// Begins a file.
    pub(crate) fn create(kind: &PartKind, target: Target) -> Result<Self> {
        let (write, pending): (Box<dyn Write + Send>, _) = match target {
            Target::Local(dir, name) => {
                let hidden = dir.join(format!(".{name}.inprogress"));
                let file = std::fs::create_dir_all(&dir).and_then(|()| File::create_new(&hidden));
                let file = file.map_err(|e| cannot("write", &hidden, e))?;
                let pending = Pending::Local { hidden, target: dir.join(name), published: false };
                (Box::new(BufWriter::with_capacity(1 << 16, file)), pending)
            }
            Target::Stored(store, path, runtime) => {
                let bytes = Shared::default();
                (Box::new(bytes.clone()), Pending::Stored { store, path, runtime, bytes })
            }
        };
        let written = Arc::new(AtomicU64::new(0));
        let write = Box::new(Counted { write, bytes: written.clone() });
        Ok(Self { encode: Encode::new(kind, write)?, changes: kind.changes.clone(), written, pending })
    }

    /// Adds rows.
    pub(crate) fn write(&mut self, rows: &Delta) -> Result<()> {
        let batch = &rows.batch;
        match &mut self.encode {
            Encode::Records { encoder, text, write } => {
                text.clear();
                match &self.changes {
                    Some(key) => encoder.encode_changes(rows, key, text)?,
                    None => encoder.encode(batch, text)?,
                }
                Ok(write.write_all(text)?)
            }
            Encode::Parquet(writer) => writer.write(batch).map_err(parquet),
            Encode::Arrow(writer) => Ok(writer.write(batch)?),
        }
    }

    /// About how large the file is by now.
    pub(crate) fn size(&self) -> u64 {
        let unflushed = match &self.encode {
            Encode::Parquet(writer) => writer.in_progress_size() as u64,
            _ => 0,
        };
        self.written.load(Ordering::Relaxed) + unflushed
    }

    /// Writes the end of the file. It stays hidden.
    pub(crate) fn finish(self) -> Result<Pending> {
        match self.encode {
            Encode::Records { write, .. } => write.finish()?,
            Encode::Parquet(writer) => writer.into_inner().map_err(parquet)?.flush()?,
            Encode::Arrow(mut writer) => {
                writer.finish()?;
                writer.into_inner()?.flush()?;
            }
        }
        Ok(self.pending)
    }
}

impl Encode {
    fn new(kind: &PartKind, write: Box<dyn Write + Send>) -> Result<Self> {
        Ok(match kind.format {
            FileFormat::Records(format) => {
                let encoder = format.encoder(&kind.schema, &kind.options)?;
                let mut text = Vec::new();
                encoder.header(&mut text);
                let mut write = kind.codec.writer(write)?;
                write.write_all(&text)?;
                Self::Records { encoder, text, write }
            }
            FileFormat::Parquet => {
                let compression = match kind.codec {
                    Codec::None => ParquetCompression::UNCOMPRESSED,
                    Codec::Gzip => ParquetCompression::GZIP(Default::default()),
                    Codec::Zstd => ParquetCompression::ZSTD(Default::default()),
                };
                let properties = WriterProperties::builder().set_compression(compression).build();
                Self::Parquet(Box::new(
                    ArrowWriter::try_new(write, kind.schema.clone(), Some(properties)).map_err(parquet)?,
                ))
            }
            FileFormat::Arrow => {
                let zstd = (kind.codec == Codec::Zstd).then_some(CompressionType::ZSTD);
                let options = IpcWriteOptions::default().try_with_compression(zstd)?;
                Self::Arrow(Box::new(FileWriter::try_new_with_options(write, &kind.schema, options)?))
            }
        })
    }
}

impl Pending {
    /// Makes the file visible.
    pub(crate) fn publish(mut self) -> Result<()> {
        match &mut self {
            Self::Local { hidden, target, published } => {
                // On disk before it has its name: a name that is there after a power cut stands for the whole file.
                let moved =
                    File::open(&*hidden).and_then(|f| f.sync_all()).and_then(|()| std::fs::rename(&*hidden, &*target));
                moved.map_err(|e| cannot("publish", target, e))?;
                *published = true;
            }
            Self::Stored { store, path, runtime, bytes } => {
                let bytes = std::mem::take(&mut *bytes.0.lock().unwrap_or_else(PoisonError::into_inner));
                runtime
                    .block_on(store.put(path, bytes.into()))
                    .map_err(|e| Error::external(format!("cannot write '{path}': {e}")).caused_by(e))?;
            }
        }
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Self::Local { hidden, published: false, .. } = self {
            // Nobody sees it; if it cannot be removed there is nobody to tell.
            drop(std::fs::remove_file(hidden));
        }
    }
}

fn cannot(what: &str, path: &std::path::Path, e: io::Error) -> Error {
    Error::external(format!("cannot {what} '{}': {e}", path.display())).caused_by(e)
}

fn parquet(e: ::parquet::errors::ParquetError) -> Error {
    Error::external(format!("cannot write Parquet: {e}")).caused_by(e)
}

/// Counts what goes through.
struct Counted {
    write: Box<dyn Write + Send>,
    bytes: Arc<AtomicU64>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.write.write(bytes)?;
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write.flush()
    }
}

/// Bytes that two hold: who writes them and who will put them into the store.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
