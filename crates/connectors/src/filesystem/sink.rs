//! A table of files, as something to write: which file a row goes to, when a file is full, when it becomes visible.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use tidemill_core::sink::{Accepts, Sink, SinkWriter};
use tidemill_core::table::TableSpec;
use tidemill_core::{Delta, Error, Result};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::columns::partition_indices;
use super::compression::{Codec, Compression};
use super::location::Location;
use super::options::{FileFormat, FileOptions};
use super::part::{Part, PartKind, Pending, Target};
use super::{partition, replaced};
use crate::changelog::{self, Written};
use crate::records::feed::died;

/// Files to write rows to.
#[derive(Debug)]
pub(crate) struct FileSink {
    written: Arc<Written>,
    plan: Arc<Plan>,
    replaces: Replaces,
}

/// Whether what is written takes the place of what was there.
#[derive(Debug)]
enum Replaces {
    Nothing,
    /// Of a table with partitions, in those that rows go to.
    WhatIsWritten,
    /// And in that of this row, whether rows go there or not.
    Partition(RecordBatch),
}

/// What a writer needs to know, made once.
#[derive(Debug)]
struct Plan {
    location: Location,
    kind: PartKind,
    /// The columns of the file, and those of its path, among the columns of the table.
    in_file: Vec<usize>,
    in_path: Vec<(usize, String)>,
    default_partition: String,
    roll_size: u64,
    roll_interval: Duration,
}

impl FileSink {
    /// Checks all options of `table`.
    pub(crate) fn new(table: &TableSpec) -> Result<Self> {
        let options = FileOptions::new(table)?;
        let location = Location::parse(&options.path)?;
        let Some(schema) = table.schema.clone() else {
            return Err(Error::internal(format!("table '{}' was opened without its columns", table.name)));
        };
        let format = match options.format {
            FileFormat::Records(format) => Some(format),
            FileFormat::Parquet | FileFormat::Arrow => None,
        };
        let written = Written::new(table, format)?;
        let in_path = partition_indices(table, &schema)?;
        let in_file: Vec<usize> = (0..schema.fields().len()).filter(|i| !in_path.contains(i)).collect();
        if in_file.is_empty() {
            return Err(Error::statement(format!("table '{}' is partitioned by all its columns", table.name))
                .with_hint("At least one column must be in the files."));
        }
        let codec = match (options.format, options.compression) {
            (FileFormat::Records(_), compression) => compression.of(""),
            // Every reader of Parquet knows zstd, and it is the smallest for its speed.
            (FileFormat::Parquet, Compression::Auto) => Codec::Zstd,
            (FileFormat::Arrow, Compression::As(Codec::Gzip)) => {
                return Err(
                    Error::statement("Arrow files cannot be compressed with gzip").with_hint("Use 'zstd' or 'none'.")
                );
            }
            (_, compression) => compression.of(""),
        };
        let file_schema: SchemaRef = Arc::new(schema.project(&in_file)?);
        if let FileFormat::Records(format) = options.format {
            // An option that is wrong is said now.
            format.encoder(&file_schema, &options.all)?;
        }
        let in_path = in_path.into_iter().map(|i| (i, schema.field(i).name().clone())).collect();
        let changes = written.by_format().then(|| changelog::key_in(table, &file_schema));
        let plan = Plan {
            location,
            kind: PartKind { format: options.format, codec, schema: file_schema, options: options.all, changes },
            in_file,
            in_path,
            default_partition: options.default_partition,
            roll_size: options.roll_size,
            roll_interval: options.roll_interval,
        };
        plan.location.check_directory()?;
        Ok(Self { written: Arc::new(written), plan: Arc::new(plan), replaces: Replaces::Nothing })
    }
}

#[async_trait]
impl Sink for FileSink {
    fn schema(&self) -> SchemaRef {
        self.written.schema.clone()
    }

    fn accepts(&self) -> Accepts {
        self.written.accepts()
    }

    fn key(&self) -> Vec<usize> {
        self.written.key.clone()
    }

    fn overwriting(&self, partition: Option<RecordBatch>) -> Option<Arc<dyn Sink>> {
        let (written, plan) = (self.written.clone(), self.plan.clone());
        let replaces = partition.map_or(Replaces::WhatIsWritten, Replaces::Partition);
        Some(Arc::new(Self { written, plan, replaces }))
    }

    fn needs_an_end(&self) -> bool {
        !matches!(self.replaces, Replaces::Nothing)
    }

    async fn open(&self) -> Result<Box<dyn SinkWriter>> {
        // Unlike any name that an earlier run gave: nothing is ever overwritten.
        let run = format!("{:016x}", rand::random::<u64>());
        let replaces = match &self.replaces {
            Replaces::Nothing => None,
            Replaces::WhatIsWritten => Some(BTreeSet::new()),
            Replaces::Partition(row) => {
                Some(self.plan.by_partition(row)?.into_iter().map(|(directory, _)| directory).collect())
            }
        };
        Ok(Box::new(FileWriter(Some(Open {
            plan: self.plan.clone(),
            written: self.written.clone(),
            run,
            count: 0,
            parts: HashMap::new(),
            finished: vec![],
            replaces,
            runtime: Handle::current(),
        }))))
    }
}

/// Writes files. Absent while a thread works with it, and after a failure.
struct FileWriter(Option<Open>);

impl FileWriter {
    /// Does `work` on a thread that may block: encoding and writing take their time.
    async fn blocking(&mut self, work: impl FnOnce(&mut Open) -> Result<()> + Send + 'static) -> Result<()> {
        let Some(mut open) = self.0.take() else {
            return Err(Error::internal("a file sink was used after it had failed"));
        };
        let task = tokio::task::spawn_blocking(move || work(&mut open).map(|()| open));
        self.0 = Some(task.await.map_err(died)??);
        Ok(())
    }
}

#[async_trait]
impl SinkWriter for FileWriter {
    async fn write(&mut self, delta: &Delta) -> Result<()> {
        if delta.is_empty() {
            return Ok(());
        }
        // The reading of the clock is taken here, where a test can stop it.
        let (now, delta) = (Instant::now(), delta.clone());
        self.blocking(move |open| open.write(&open.written.records(&delta)?, now)).await
    }

    async fn publish(&mut self) -> Result<()> {
        self.blocking(|open| if open.replaces.is_some() { Ok(()) } else { open.publish() }).await
    }

    async fn close(&mut self) -> Result<()> {
        self.blocking(Open::close).await?;
        self.0 = None;
        Ok(())
    }
}

/// The files that are open and those that wait to be published. Dropped, it leaves none of them behind.
struct Open {
    plan: Arc<Plan>,
    written: Arc<Written>,
    run: String,
    count: usize,
    /// By the directory below the path: `day=2024-01-31/`.
    parts: HashMap<String, (Part, Instant)>,
    finished: Vec<Pending>,
    /// Where what is written takes the place of what was there: the directories that rows went to.
    replaces: Option<BTreeSet<String>>,
    runtime: Handle,
}

impl Open {
    fn write(&mut self, rows: &Delta, now: Instant) -> Result<()> {
        self.roll(now)?;
        let plan = self.plan.clone();
        if plan.in_path.is_empty() {
            return self.write_to("", &plan.in_file_of(rows)?, now);
        }
        for (directory, indices) in plan.by_partition(&rows.batch)? {
            let part = rows.take(&UInt32Array::from(indices))?;
            self.write_to(&directory, &plan.in_file_of(&part)?, now)?;
        }
        Ok(())
    }

    fn write_to(&mut self, directory: &str, rows: &Delta, now: Instant) -> Result<()> {
        if !self.parts.contains_key(directory) {
            if let Some(directories) = &mut self.replaces {
                directories.insert(directory.to_owned());
            }
            let part = Part::create(&self.plan.kind, self.target(directory)?)?;
            self.count += 1;
            self.parts.insert(directory.to_owned(), (part, now));
        }
        let Some((part, _)) = self.parts.get_mut(directory) else {
            return Err(Error::internal("a file that was opened is not open"));
        };
        part.write(rows)?;
        if part.size() >= self.plan.roll_size
            && let Some((part, _)) = self.parts.remove(directory)
        {
            self.finished.push(part.finish()?);
        }
        Ok(())
    }

    /// Finishes the files that have been open for long enough.
    fn roll(&mut self, now: Instant) -> Result<()> {
        let interval = self.plan.roll_interval;
        for (_, (part, _)) in self.parts.extract_if(|_, (_, opened)| now.duration_since(*opened) >= interval) {
            self.finished.push(part.finish()?);
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<()> {
        for (_, (part, _)) in self.parts.drain() {
            self.finished.push(part.finish()?);
        }
        // All are complete before the first becomes visible, so that little can go wrong in between.
        self.finished.drain(..).try_for_each(Pending::publish)
    }

    fn close(&mut self) -> Result<()> {
        let Some(directories) = self.replaces.take() else { return self.publish() };
        let location = self.plan.location.clone();
        let by_partition = !self.plan.in_path.is_empty();
        let old = replaced::files(&location, by_partition.then_some(&directories), &self.runtime)?;
        self.publish()?;
        replaced::remove(&location, &old, &self.runtime)
    }

    fn target(&self, directory: &str) -> Result<Target> {
        let PartKind { format, codec, .. } = &self.plan.kind;
        let packed = if matches!(format, FileFormat::Records(_)) { codec.extension() } else { "" };
        // Files are read in the order of their names, and so in the order in which they were written.
        let name = format!("part-{}-{:08}.{}{packed}", self.run, self.count, format.extension());
        let location = &self.plan.location;
        Ok(match location.directory()? {
            Some(local) => Target::Local(local.join(directory), name),
            None => {
                let path = format!("{}/{directory}{name}", location.base);
                let path = object_store::path::Path::parse(&path)
                    .map_err(|e| Error::external(format!("cannot write '{path}': {e}")).caused_by(e))?;
                Target::Stored(location.store.clone(), path, self.runtime.clone())
            }
        })
    }
}

impl Plan {
    /// The columns that go into the file.
    fn in_file_of(&self, rows: &Delta) -> Result<Delta> {
        let columns = self.in_file.iter().map(|i| rows.batch.column(*i).clone()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let batch = RecordBatch::try_new_with_options(self.kind.schema.clone(), columns, &options);
        let batch =
            batch.map_err(|e| Error::data(format!("cannot write to '{}': {e}", self.location.written)).caused_by(e))?;
        Ok(rows.with_batch(batch))
    }

    /// The rows of each partition: directory and row numbers, in the order of their first rows.
    fn by_partition(&self, rows: &RecordBatch) -> Result<Vec<(String, Vec<u32>)>> {
        let texts = (self.in_path.iter())
            .map(|(i, name)| Ok((name.as_str(), cast(rows.column(*i), &DataType::Utf8)?)))
            .collect::<Result<Vec<(&str, ArrayRef)>>>()?;
        let mut groups: Vec<(String, Vec<u32>)> = Vec::new();
        let mut by_directory: HashMap<String, usize> = HashMap::new();
        let mut directory = String::new();
        let mut group = 0;
        for row in 0..rows.num_rows() {
            // Neighbours mostly belong together.
            if row == 0 || texts.iter().any(|(_, column)| !same(column, row - 1, row)) {
                self.directory_of(&texts, row, &mut directory);
                group = match by_directory.get(&directory) {
                    Some(group) => *group,
                    None => {
                        by_directory.insert(directory.clone(), groups.len());
                        groups.push((directory.clone(), vec![]));
                        groups.len() - 1
                    }
                };
            }
            groups[group].1.push(row as u32);
        }
        Ok(groups)
    }

    fn directory_of(&self, texts: &[(&str, ArrayRef)], row: usize, out: &mut String) {
        out.clear();
        for (name, column) in texts {
            let column = column.as_string::<i32>();
            let value = if column.is_null(row) { "" } else { column.value(row) };
            out.push_str(&partition::escape(name));
            out.push('=');
            out.push_str(&if value.is_empty() {
                self.default_partition.as_str().into()
            } else {
                partition::escape(value)
            });
            out.push('/');
        }
    }
}

fn same(column: &ArrayRef, a: usize, b: usize) -> bool {
    let column = column.as_string::<i32>();
    column.is_null(a) == column.is_null(b) && (column.is_null(a) || column.value(a) == column.value(b))
}
