//! Reads files that hold their own structure (Parquet, Arrow): several parts at a time, rows handed over in order.
//!
//! A file is opened into [`Unit`]s, runs of rows that a thread decodes alone (a row group). A unit is at most two batches
//! ahead of its reader, so memory stays bounded however large a row group is.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use async_trait::async_trait;
use tidemill_core::Result;
use tidemill_core::source::{Piece, Position, SplitReader};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::adapt::Adapter;
use super::archive::position;
use super::location::FoundFile;
use super::object::Object;
use super::options::FileFormat;
use super::source::FileSplit;
use super::{arrow_ipc, parquet};
use crate::records::feed::{Feed, Pull, Pulled, died};
use crate::records::layout::Layout;

/// Decodes a run of rows and sends them; ends early when nobody listens any more.
pub(crate) type Unit = Box<dyn FnOnce(&Outlet) -> Result<()> + Send>;

/// How many batches a unit may be ahead.
const AHEAD: usize = 2;

/// Where a unit puts its rows.
pub(crate) struct Outlet {
    pieces: mpsc::Sender<Piece>,
    layout: Arc<Layout>,
}

/// What the rows of a file have in common.
#[derive(Clone)]
pub(crate) struct RowFile {
    pub(crate) name: Arc<str>,
    pub(crate) object: Object,
    pub(crate) adapter: Arc<Adapter>,
    pub(crate) constants: Arc<[ArrayRef]>,
    /// The text of a position before the row's number, if it is not the file's name alone.
    pub(crate) done_before: Option<Arc<str>>,
}

impl Outlet {
    /// Sends rows that begin at row number `row` of `file` and are `bytes` of it; false if nobody listens.
    pub(crate) fn send(&self, file: &RowFile, batch: RecordBatch, row: u64, bytes: u64) -> Result<bool> {
        let end = row + batch.num_rows() as u64;
        let (batch, rejected, raw) = file.adapter.adapt(batch, row)?;
        let batch = self.layout.assemble(&batch, &file.constants)?;
        let piece = Piece { batch, weights: None, rejected, position: file.position(end), bytes, raw: Some(raw) };
        Ok(self.pieces.blocking_send(piece).is_ok())
    }
}

impl RowFile {
    fn position(&self, row: u64) -> Position {
        match &self.done_before {
            None => position(&self.name, row),
            Some(before) => format!("{before}{}:{row}", self.name).into(),
        }
    }
}

/// A file to read, and from where.
pub(crate) struct FileFrom {
    pub(crate) file: FoundFile,
    /// How many of its rows to skip.
    pub(crate) row: u64,
    /// What stands before its name in positions.
    pub(crate) done_before: Option<Arc<str>>,
}

/// Which file to read next.
pub(crate) trait NextFile: Send + 'static {
    /// The next file.
    fn next_file(&mut self) -> Result<Pulled<FileFrom>>;
}

/// Files that are known from the beginning.
pub(crate) struct KnownFiles(pub(crate) VecDeque<(FoundFile, u64)>);

impl NextFile for KnownFiles {
    fn next_file(&mut self) -> Result<Pulled<FileFrom>> {
        let next = self.0.pop_front();
        Ok(next.map_or(Pulled::End, |(file, row)| Pulled::Item(FileFrom { file, row, done_before: None })))
    }
}

/// Opens files into units.
struct Open<N> {
    split: Arc<FileSplit>,
    layout: Arc<Layout>,
    files: N,
}

impl<N: NextFile> Pull for Open<N> {
    type Item = Vec<Unit>;

    fn pull(&mut self) -> Result<Pulled<Vec<Unit>>> {
        let FileFrom { file, row, done_before } = match self.files.next_file()? {
            Pulled::Item(next) => next,
            Pulled::Wait => return Ok(Pulled::Wait),
            Pulled::End => return Ok(Pulled::End),
        };
        tracing::debug!(file = %file.name, row, "reading");
        let object = Object::new(&self.split.location, &file, &self.split.runtime);
        let constants = self.split.columns.values(&self.split.constants, &file)?;
        let row_file = |adapter: Adapter| RowFile {
            name: file.name.clone(),
            object: object.clone(),
            adapter: Arc::new(adapter),
            constants: constants.clone(),
            done_before: done_before.clone(),
        };
        let wanted = &self.layout.records;
        let units = match self.split.format {
            FileFormat::Parquet => parquet::units(&self.split, &object, &file.name, wanted, row, row_file)?,
            _ => arrow_ipc::units(&self.split, &object, &file.name, wanted, row, row_file)?,
        };
        Ok(Pulled::Item(units))
    }
}

/// Reads a split of such files.
pub(crate) struct RowReader {
    files: Feed<Vec<Unit>>,
    ended: bool,
    layout: Arc<Layout>,
    /// Units that have not begun.
    waiting: VecDeque<Unit>,
    /// Units that are being decoded, in their order.
    running: VecDeque<Running>,
    threads: usize,
}

struct Running {
    pieces: mpsc::Receiver<Piece>,
    task: JoinHandle<Result<()>>,
}

impl RowReader {
    /// Reads the files that `files` names, on at most `threads` threads.
    pub(crate) fn new(split: Arc<FileSplit>, layout: Layout, files: impl NextFile, threads: usize) -> Self {
        let layout = Arc::new(layout);
        let interval = split.interval;
        let open = Open { split, layout: layout.clone(), files };
        Self {
            files: Feed::pull(open, interval),
            ended: false,
            layout,
            waiting: VecDeque::new(),
            running: VecDeque::new(),
            threads: threads.max(1),
        }
    }

    fn start(&mut self, unit: Unit) {
        let (sender, pieces) = mpsc::channel(AHEAD);
        let outlet = Outlet { pieces: sender, layout: self.layout.clone() };
        let task = tokio::task::spawn_blocking(move || unit(&outlet));
        self.running.push_back(Running { pieces, task });
    }
}

#[async_trait]
impl SplitReader for RowReader {
    async fn next(&mut self) -> Result<Option<Piece>> {
        let piece = self.piece().await;
        if piece.is_err() {
            // What comes after an error would be rows with a hole before them.
            self.ended = true;
            self.waiting.clear();
            self.running.clear();
        }
        piece
    }
}

impl RowReader {
    async fn piece(&mut self) -> Result<Option<Piece>> {
        loop {
            while self.running.len() < self.threads
                && let Some(unit) = self.waiting.pop_front()
            {
                self.start(unit);
            }
            let room = !self.ended && self.running.len() < self.threads;
            tokio::select! {
                biased;
                units = self.files.next(), if room => match units? {
                    Some(units) => self.waiting.extend(units),
                    None => self.ended = true,
                },
                piece = front(&mut self.running), if !self.running.is_empty() => {
                    if let Some(piece) = piece? {
                        return Ok(Some(piece));
                    }
                    self.running.pop_front();
                }
                else => return Ok(None),
            }
        }
    }
}

/// The next piece of the first unit; `None` when it has ended well. May be dropped while it waits.
async fn front(running: &mut VecDeque<Running>) -> Result<Option<Piece>> {
    let Some(first) = running.front_mut() else { return Ok(None) };
    if let Some(piece) = first.pieces.recv().await {
        return Ok(Some(piece));
    }
    // The sender is gone: because the unit is done, failed or panicked.
    (&mut first.task).await.map_err(died)??;
    Ok(None)
}
