//! A table of files, as something to read: its splits and their readers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use tidemill_core::source::{Position, ReadRequest, Source, SplitId, SplitReader, Splits};
use tidemill_core::table::TableSpec;
use tidemill_core::{ChangeMode, Error, Result};
use tokio::runtime::Handle;

use super::archive::Archive;
use super::columns::FileColumns;
use super::compression::Compression;
use super::file_splits::FileSplits;
use super::location::{FoundFile, Location};
use super::new_files::NewFiles;
use super::options::{FileFormat, FileOptions};
use super::rows::{KnownFiles, RowReader};
use super::tail::Tail;
use crate::changelog;
use crate::records::cut::Cutting;
use crate::records::feed::Feed;
use crate::records::layout::Layout;
use crate::records::pipe::Pipe;

/// Files to read rows from.
#[derive(Debug)]
pub(crate) struct FileSource {
    table: TableSpec,
    options: FileOptions,
    location: Location,
    columns: Arc<FileColumns>,
    file_splits: FileSplits,
}

/// One split that is being read: what its files have in common.
#[derive(Debug)]
pub(crate) struct FileSplit {
    pub(crate) location: Location,
    /// The only file wanted of those at the location, where each file is a split.
    pub(crate) only: Option<Arc<str>>,
    pub(crate) format: FileFormat,
    pub(crate) compression: Compression,
    pub(crate) columns: Arc<FileColumns>,
    /// The wanted constants.
    pub(crate) constants: Vec<usize>,
    pub(crate) batch_rows: usize,
    /// How often to look for more.
    pub(crate) interval: Duration,
    /// For what a store does asynchronously, on threads that may block.
    pub(crate) runtime: Handle,
}

impl FileSource {
    /// Checks all options of `table`.
    pub(crate) fn new(table: &TableSpec) -> Result<Self> {
        let options = FileOptions::new(table)?;
        let location = Location::parse(&options.path)?;
        Self::at(table, options, location)
    }

    /// The same, at a location that is given.
    pub(crate) fn at(table: &TableSpec, options: FileOptions, location: Location) -> Result<Self> {
        let mut columns = FileColumns::new(table, &options.default_partition)?;
        if let FileFormat::Records(format) = options.format {
            columns.schema = changelog::read_schema(table, format, &columns.schema);
        }
        let columns = Arc::new(columns);
        Ok(Self { table: table.clone(), options, location, columns, file_splits: FileSplits::default() })
    }

    /// The files of a bounded split from `from` on, each with where to begin in it.
    async fn files(&self, split: &FileSplit, from: Option<&Position>) -> Result<VecDeque<(FoundFile, u64)>> {
        let files = split.location.list_some().await?;
        let of_split = files.into_iter().filter(|f| split.only.as_ref().is_none_or(|only| *only == f.name));
        let Some(from) = from else { return Ok(of_split.map(|f| (f, 0)).collect()) };
        let (name, offset) = parse_position(from)?;
        Ok(of_split.filter(|f| *f.name >= *name).map(|f| if *f.name == *name { (f, offset) } else { (f, 0) }).collect())
    }
}

/// Name and offset of `file:offset`.
pub(crate) fn parse_position(position: &Position) -> Result<(&str, u64)> {
    let parts = position.0.rsplit_once(':').and_then(|(name, offset)| Some((name, offset.parse().ok()?)));
    parts.ok_or_else(|| {
        Error::external(format!("position '{position}' is not one of connector 'filesystem'"))
            .with_hint("It looks like 'logs/a.json:1048576'.")
    })
}

#[async_trait]
impl Source for FileSource {
    fn schema(&self) -> SchemaRef {
        self.columns.schema.clone()
    }

    fn changes(&self) -> ChangeMode {
        match self.options.format {
            FileFormat::Records(format) => changelog::changes_of(format),
            FileFormat::Parquet | FileFormat::Arrow => ChangeMode::Append,
        }
    }

    fn bounded(&self) -> bool {
        self.options.monitor.is_none()
    }

    fn narrowed(&self, schema: SchemaRef) -> Option<Arc<dyn Source>> {
        let FileFormat::Records(format) = self.options.format else { return None };
        let physical = self.table.schema.as_ref()?.fields().len();
        let schema = Arc::new(Schema::new(schema.fields().get(..physical)?.to_vec()));
        let table = TableSpec { schema: Some(schema), ..self.table.clone() };
        let narrow = Self::at(&table, self.options.clone(), self.location.clone()).ok()?;
        format.finds_fields_by_name().then(|| Arc::new(narrow) as _)
    }

    async fn version(&self) -> Result<Option<String>> {
        let files = self.location.list_some().await?;
        let one = |f: &FoundFile| format!("{} {} {}", f.name, f.size, f.modified.timestamp_micros());
        Ok(Some(files.iter().map(one).collect::<Vec<_>>().join("\n")))
    }

    async fn splits(&self) -> Result<Splits> {
        let follow = self.options.monitor.is_some();
        let files = if follow { self.location.list().await? } else { self.location.list_some().await? };
        if self.options.split_by_file {
            let splits = self.file_splits.add(files).into_iter().map(SplitId).collect();
            return Ok(Splits { splits, more_later: follow });
        }
        Ok(Splits { splits: vec![SplitId(self.location.written.clone())], more_later: false })
    }

    async fn open(
        &self,
        split: &SplitId,
        from: Option<&Position>,
        request: &ReadRequest,
    ) -> Result<Box<dyn SplitReader>> {
        let layout = Layout::new(&self.columns.schema, &self.columns.places, &request.projection);
        let split = Arc::new(FileSplit {
            location: self.location.clone(),
            only: self.options.split_by_file.then(|| split.0.clone()),
            format: self.options.format,
            compression: self.options.compression,
            columns: self.columns.clone(),
            constants: layout.constants.clone(),
            batch_rows: request.batch_rows.max(1),
            interval: self.options.monitor.unwrap_or_default(),
            runtime: Handle::current(),
        });
        let follow = self.options.monitor.is_some();
        let threads = request.decode_threads;
        let FileFormat::Records(format) = split.format else {
            return Ok(if follow {
                let files = NewFiles::new(split.clone(), from)?;
                Box::new(RowReader::new(split, layout, files, threads))
            } else {
                let files = KnownFiles(self.files(&split, from).await?);
                Box::new(RowReader::new(split, layout, files, threads))
            });
        };
        let cutting = Arc::new(Cutting {
            format,
            options: self.options.all.clone(),
            schema: self.columns.records.clone(),
            key: self.columns.key.clone(),
            batch_rows: split.batch_rows,
            eager: false,
        });
        let interval = split.interval;
        let blocks = if follow {
            Feed::pull(Tail::new(split, cutting.clone(), from)?, interval)
        } else {
            let files = self.files(&split, from).await?;
            Feed::pull(Archive::new(split, cutting.clone(), files), interval)
        };
        Ok(Box::new(Pipe::new(blocks, cutting, layout, threads)?))
    }
}
