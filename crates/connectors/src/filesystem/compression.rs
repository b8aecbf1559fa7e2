//! gzip and zstd: which file is compressed how, and the readers and writers.

use std::io::{self, BufReader, Read, Write};

/// The option `compression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// By the file's ending.
    Auto,
    /// Known.
    As(Codec),
}

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// One of the words of the option.
    pub(crate) fn parse(word: &str) -> Self {
        match word {
            "none" => Self::As(Codec::None),
            "gzip" => Self::As(Codec::Gzip),
            "zstd" => Self::As(Codec::Zstd),
            _ => Self::Auto,
        }
    }

    /// How the file `name` is compressed.
    pub(crate) fn of(self, name: &str) -> Codec {
        match self {
            Self::As(codec) => codec,
            Self::Auto if name.ends_with(".gz") || name.ends_with(".gzip") => Codec::Gzip,
            Self::Auto if name.ends_with(".zst") || name.ends_with(".zstd") => Codec::Zstd,
            Self::Auto => Codec::None,
        }
    }
}

impl Codec {
    /// What is added to a file's name.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    /// The decompressed bytes of `read`. Files that were put together from several compressed ones are read to the end.
    pub(crate) fn reader(self, read: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::None => read,
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(1 << 18, read))),
            Self::Zstd => Box::new(zstd::Decoder::new(read)?),
        })
    }

    /// Compresses what is written and passes it on to `write`.
    pub(crate) fn writer(self, write: Box<dyn Write + Send>) -> io::Result<Compressor> {
        Ok(match self {
            Self::None => Compressor::None(write),
            Self::Gzip => Compressor::Gzip(flate2::write::GzEncoder::new(write, flate2::Compression::default())),
            Self::Zstd => Compressor::Zstd(zstd::Encoder::new(write, 0)?),
        })
    }
}

/// A writer that compresses.
pub(crate) enum Compressor {
    None(Box<dyn Write + Send>),
    Gzip(flate2::write::GzEncoder<Box<dyn Write + Send>>),
    Zstd(zstd::Encoder<'static, Box<dyn Write + Send>>),
}

impl Compressor {
    /// Writes the end of the compressed stream.
    pub(crate) fn finish(self) -> io::Result<()> {
        let mut write = match self {
            Self::None(write) => write,
            Self::Gzip(write) => write.finish()?,
            Self::Zstd(write) => write.finish()?,
        };
        write.flush()
    }
}

impl Write for Compressor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(write) => write.write(bytes),
            Self::Gzip(write) => write.write(bytes),
            Self::Zstd(write) => write.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(write) => write.flush(),
            Self::Gzip(write) => write.flush(),
            Self::Zstd(write) => write.flush(),
        }
    }
}
