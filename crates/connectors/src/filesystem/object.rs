//! The bytes of one file: from an offset on as a stream, or any range of them. For threads that may block.
//!
//! A file of this machine is read as such; what a store holds is asked for in ranges, a few megabytes ahead.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::{Buf, Bytes};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tidemill_core::{Error, Result};
use tokio::runtime::Handle;

use super::compression::Codec;
use super::location::{FoundFile, Location};

/// How much is asked of a store at a time.
const AHEAD: u64 = 4 << 20;

/// One file whose bytes can be read.
#[derive(Debug, Clone)]
pub(crate) enum Object {
    /// On this machine.
    Local { path: PathBuf, size: u64 },
    /// Elsewhere.
    Stored { store: Arc<dyn ObjectStore>, path: Path, size: u64, runtime: Handle },
}

impl Object {
    /// The bytes of `file`, which was found at `location`. To be called within a runtime.
    pub(crate) fn new(location: &Location, file: &FoundFile, runtime: &Handle) -> Self {
        match &file.local {
            Some(path) => Self::Local { path: path.clone(), size: file.size },
            None => Self::Stored {
                store: location.store.clone(),
                path: file.path.clone(),
                size: file.size,
                runtime: runtime.clone(),
            },
        }
    }

    /// All bytes from `offset` on.
    pub(crate) fn stream(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::Local { path, .. } => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(offset))?;
                Ok(Box::new(file))
            }
            Self::Stored { .. } => Ok(Box::new(Ranges { object: self.clone(), offset, ahead: Bytes::new() })),
        }
    }

    /// All decompressed bytes from decompressed `offset` on.
    ///
    /// `read` counts the bytes that are read before decompression.
    pub(crate) fn decompressed(
        &self,
        codec: Codec,
        offset: u64,
        name: &str,
        read: &Arc<AtomicU64>,
    ) -> Result<Box<dyn Read + Send>> {
        let counted = |stream| Box::new(Counted { read: stream, bytes: read.clone() });
        let open = || -> io::Result<Box<dyn Read + Send>> {
            if codec == Codec::None {
                return Ok(counted(self.stream(offset)?));
            }
            let mut read = codec.reader(counted(self.stream(0)?))?;
            io::copy(&mut (&mut read).take(offset), &mut io::sink())?;
            Ok(read)
        };
        open().map_err(|e| Error::external(format!("cannot read '{name}': {e}")).caused_by(e))
    }

    /// Exactly `len` bytes from `offset` on.
    fn range(&self, offset: u64, len: u64) -> io::Result<Bytes> {
        match self {
            Self::Local { .. } => {
                let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
                self.stream(offset)?.read_exact(&mut bytes)?;
                Ok(bytes.into())
            }
            Self::Stored { store, path, runtime, .. } => {
                runtime.block_on(store.get_range(path, offset..offset + len)).map_err(io::Error::other)
            }
        }
    }
}

/// Counts what goes through.
struct Counted {
    read: Box<dyn Read + Send>,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.read.read(out)?;
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Reads an object of a store range by range.
struct Ranges {
    object: Object,
    offset: u64,
    ahead: Bytes,
}

impl Read for Ranges {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            let len = AHEAD.min(self.object.len().saturating_sub(self.offset));
            if len == 0 {
                return Ok(0);
            }
            self.ahead = self.object.range(self.offset, len)?;
            self.offset += len;
        }
        let len = out.len().min(self.ahead.len());
        self.ahead.copy_to_slice(&mut out[..len]);
        Ok(len)
    }
}

impl Length for Object {
    fn len(&self) -> u64 {
        match self {
            Self::Local { size, .. } | Self::Stored { size, .. } => *size,
        }
    }
}

impl ChunkReader for Object {
    type T = BufReader<Box<dyn Read + Send>>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(BufReader::new(self.stream(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.range(start, length as u64).map_err(|e| ParquetError::External(Box::new(e)))
    }
}
