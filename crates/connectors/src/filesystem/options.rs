//! The options of the filesystem connector, and the table they describe.

use std::time::Duration;

use tidemill_core::format::Format;
use tidemill_core::table::TableSpec;
use tidemill_core::{Error, OptionKind, OptionSpec, OptionValues, Result};

use super::compression::Compression;
use crate::formats;

const PATH: OptionSpec = OptionSpec::required(
    "path",
    OptionKind::Text,
    "A file, a directory (with all below it), a glob like `logs/*.json`, or a URL. A sink writes into the directory.",
);
const FORMAT: OptionSpec = OptionSpec::required(
    "format",
    OptionKind::Text,
    "How the files are written: a format of records, or `parquet` or `arrow` (Arrow IPC, file or stream).",
);
const COMPRESSION: OptionSpec = OptionSpec::new(
    "compression",
    OptionKind::OneOf(&["auto", "none", "gzip", "zstd"]),
    "auto",
    "How files of records are compressed. `auto`: by the ending `.gz` or `.zst` when reading, not at all when writing.",
);
const MONITOR: OptionSpec = OptionSpec::optional(
    "source.monitor-interval",
    OptionKind::Duration,
    "Follow the path: look for new files and appended lines so often. Without it the source ends with the last file.",
);
const SPLITS: OptionSpec = OptionSpec::new(
    "source.splits",
    OptionKind::OneOf(&["path", "file"]),
    "path",
    "`path`: the files, in name order, are one ordered split. `file`: each file is a split with its own watermark; \
     a file that is renamed while nobody follows it is then read again.",
);
const FILE_SIZE: OptionSpec = OptionSpec::new(
    "sink.rolling-policy.file-size",
    OptionKind::Size,
    "128 mb",
    "A file that has reached this size is finished and the next one begun.",
);
const ROLLOVER: OptionSpec = OptionSpec::new(
    "sink.rolling-policy.rollover-interval",
    OptionKind::Duration,
    "30 min",
    "A file that has been open for so long is finished and the next one begun.",
);
const DEFAULT_PARTITION: OptionSpec = OptionSpec::new(
    "partition.default-name",
    OptionKind::Text,
    "__DEFAULT_PARTITION__",
    "The name of the directory for rows whose partition column is NULL or empty.",
);

/// All options, for the reference page.
pub(crate) const OPTIONS: &[OptionSpec] =
    &[PATH, FORMAT, COMPRESSION, MONITOR, SPLITS, FILE_SIZE, ROLLOVER, DEFAULT_PARTITION];

/// How the files are written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FileFormat {
    /// One record after the other.
    Records(&'static dyn Format),
    /// Parquet.
    Parquet,
    /// Arrow IPC, file or stream.
    Arrow,
}

impl FileFormat {
    fn parse(name: &str) -> Result<Self> {
        match name.to_ascii_lowercase().as_str() {
            "parquet" => Ok(Self::Parquet),
            "arrow" => Ok(Self::Arrow),
            lower => match formats::formats().iter().find(|f| f.name() == lower) {
                Some(format) => Ok(Self::Records(*format)),
                None => {
                    let known = formats::formats().iter().map(|f| f.name()).chain(["parquet", "arrow"]);
                    Err(Error::statement(format!("there is no format '{name}'")).with_nearest(name, known))
                }
            },
        }
    }

    /// The ending of its files.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Records(format) => format.name(),
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }
}

/// What `WITH (..)` said, checked.
#[derive(Debug, Clone)]
pub(crate) struct FileOptions {
    pub(crate) path: String,
    pub(crate) format: FileFormat,
    pub(crate) compression: Compression,
    /// How often to look for more; `None` for a bounded source.
    pub(crate) monitor: Option<Duration>,
    /// Whether each file is a split.
    pub(crate) split_by_file: bool,
    pub(crate) roll_size: u64,
    pub(crate) roll_interval: Duration,
    pub(crate) default_partition: String,
    /// Everything, for the format.
    pub(crate) all: OptionValues,
}

impl FileOptions {
    /// Checks all options of `table`.
    pub(crate) fn new(table: &TableSpec) -> Result<Self> {
        let all = &table.options;
        // The format first: which options exist depends on it.
        let format = all.text(&FORMAT).map(FileFormat::parse).transpose()?;
        let of_format = match format {
            Some(FileFormat::Records(format)) => format.options(),
            _ => &[],
        };
        all.check("connector 'filesystem'", &[crate::TABLE_OPTIONS, OPTIONS, of_format])?;
        let (Some(path), Some(format)) = (all.text(&PATH), format) else {
            return Err(Error::internal("required options were checked and are missing"));
        };
        let required =
            |what: &OptionSpec| Error::internal(format!("option '{}' has a default and no value", what.name));
        Ok(Self {
            path: path.to_owned(),
            format,
            compression: Compression::parse(all.one_of(&COMPRESSION)?.unwrap_or("auto")),
            monitor: all.duration(&MONITOR)?.filter(|d| !d.is_zero()),
            split_by_file: all.one_of(&SPLITS)? == Some("file"),
            roll_size: all.size(&FILE_SIZE)?.ok_or_else(|| required(&FILE_SIZE))?,
            roll_interval: all.duration(&ROLLOVER)?.ok_or_else(|| required(&ROLLOVER))?,
            default_partition: all.text(&DEFAULT_PARTITION).unwrap_or_default().to_owned(),
            all: all.clone(),
        })
    }
}
