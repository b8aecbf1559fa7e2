//! Follows files as they grow, appear, and are rotated. Nothing here sleeps: [`Tail`] is asked again from time to time.
//!
//! A file is known by its inode and a fingerprint of its first bytes, not by its name. So a file that is renamed goes on
//! where it was, a new file under the old name begins at 0, a file that was emptied and written anew is a new file, and an
//! inode that was used again is not mistaken for the old file. What is no longer at the path is read on through the open
//! handle until it has been silent for a few rounds.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::ArrayRef;
use tidemill_core::source::Position;
use tidemill_core::{Error, Result};

use super::compression::Codec;
use super::location::FoundFile;
use super::object::Object;
use super::source::FileSplit;
use super::tail_position::{Entry, Fingerprint, join, parse};
use crate::records::cut::{Cut, Cutter, Cutting, Rest};
use crate::records::feed::{Pull, Pulled};
use crate::records::pipe::Block;

/// A file that is gone from the path and silent for so many rounds is let go.
const ROUNDS_AFTER_GONE: u32 = 3;
/// Files kept open at a time; those that were read longest ago are closed and opened again when they grow.
const OPEN_FILES: usize = 128;

/// Reads what is new in the files of a split, again and again.
pub(crate) struct Tail {
    split: Arc<FileSplit>,
    cutting: Arc<Cutting>,
    files: Vec<Followed>,
    /// What is left to read of this round: ids of files.
    round: VecDeque<u64>,
    /// The file that is being read, and the positions of all others as text.
    current: Option<(u64, Arc<str>)>,
    /// Whether the path was looked at since the last wait, and whether anything was read since.
    looked: bool,
    news: bool,
    next_id: u64,
}

/// One file.
struct Followed {
    id: u64,
    file: FoundFile,
    inode: Option<u64>,
    fingerprint: Fingerprint,
    /// Offset of the next record.
    offset: u64,
    /// How far the bytes have been looked at: an unfinished last line is seen, but not yet read.
    seen: u64,
    open: Option<Opened>,
    /// Rounds since it was last at the path.
    gone: u32,
    /// Whether it was emptied: what was read of its last line is all there will be.
    emptied: bool,
}

struct Opened {
    cutter: Cutter,
    constants: Arc<[ArrayRef]>,
}

impl Tail {
    /// Follows the files of `split`, from `from` on.
    pub(crate) fn new(split: Arc<FileSplit>, cutting: Arc<Cutting>, from: Option<&Position>) -> Result<Self> {
        let (files, round) = (vec![], VecDeque::new());
        let mut tail = Self { split, cutting, files, round, current: None, looked: false, news: false, next_id: 0 };
        for Entry { name, offset, inode, fingerprint } in from.map(parse).transpose()?.unwrap_or_default() {
            let Some(offset) = offset else { continue };
            // Only the name is known of it until it is found again.
            let file = FoundFile {
                full: String::new(),
                path: object_store::path::Path::default(),
                local: None,
                size: 0,
                modified: chrono::DateTime::UNIX_EPOCH,
                name,
            };
            tail.add(file, inode, fingerprint, offset);
        }
        Ok(tail)
    }

    fn add(&mut self, file: FoundFile, inode: Option<u64>, fingerprint: Fingerprint, offset: u64) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let (open, gone, emptied) = (None, 0, false);
        self.files.push(Followed { id, file, inode, fingerprint, offset, seen: offset, open, gone, emptied });
        id
    }

    /// Looks at the path and makes a round of the files that have something new.
    fn look(&mut self) -> Result<()> {
        let listed = self.split.runtime.block_on(self.split.location.list())?;
        self.files.iter_mut().for_each(|f| f.gone += 1);
        let mut known = VecDeque::new();
        let mut new = VecDeque::new();
        for mut file in listed {
            // A fresher look than the list: the size decides what is read.
            let inode = match &file.local {
                None => None,
                Some(path) => match std::fs::metadata(path) {
                    Ok(meta) => {
                        file.size = meta.len();
                        inode(&meta)
                    }
                    Err(_) => continue,
                },
            };
            if let Some(i) = self.find(&file, inode) {
                let followed = &mut self.files[i];
                followed.gone = 0;
                followed.inode = inode;
                if file.size > followed.seen {
                    known.push_back(followed.id);
                }
                followed.file = file;
                continue;
            }
            // The same inode with other bytes: what the open handle would read belongs to the new file.
            for emptied in self.files.iter_mut().filter(|f| f.gone > 0 && f.inode.is_some() && f.inode == inode) {
                emptied.emptied = true;
            }
            if self.split.only.as_ref().is_none_or(|only| *only == file.name) {
                let has_data = file.size > 0;
                let id = self.add(file, inode, Fingerprint::default(), 0);
                if has_data {
                    new.push_back(id);
                }
            }
        }
        // What was rotated away comes before what took its place.
        self.round = self.files.iter().filter(|f| f.gone > 0).map(|f| f.id).collect();
        self.round.append(&mut known);
        self.round.append(&mut new);
        Ok(())
    }

    /// Which of the followed files `file` is: the one of this name before others of the same inode.
    fn find(&self, file: &FoundFile, inode: Option<u64>) -> Option<usize> {
        let is = |f: &Followed| -> bool {
            let known = match (f.inode, inode) {
                (Some(a), Some(b)) => a == b,
                _ => f.file.name == file.name,
            };
            known && f.gone > 0 && f.is_continued_by(file, self.is_compressed(file))
        };
        let candidates = || (0..self.files.len()).filter(|i| is(&self.files[*i]));
        candidates().find(|i| self.files[*i].file.name == file.name).or_else(|| candidates().next())
    }

    /// The next block of file `id`; `None` where it has no more at the moment.
    fn read(&mut self, id: u64) -> Result<Option<Cut>> {
        let Some(i) = self.files.iter().position(|f| f.id == id) else { return Ok(None) };
        if self.files[i].open.is_none() {
            self.close_oldest();
            if !self.files[i].open(&self.split, &self.cutting)? {
                // Not there (any more): the next look at the path will tell.
                if self.files[i].gone > 0 {
                    self.files.swap_remove(i);
                }
                return Ok(None);
            }
        }
        // Nobody appends to a compressed file or to an object of a store: such a file is complete when it is there.
        let complete = self.is_compressed(&self.files[i].file) || self.files[i].file.local.is_none();
        let followed = &mut self.files[i];
        let let_go = followed.emptied || followed.gone >= ROUNDS_AFTER_GONE;
        let Some(opened) = &mut followed.open else { return Ok(None) };
        let cut = match (followed.emptied, complete || let_go) {
            (true, _) => opened.cutter.take_rest(),
            (false, true) => opened.cutter.next(Rest::IsRecord)?,
            (false, false) => opened.cutter.next(Rest::Waits)?,
        };
        followed.offset = opened.cutter.offset();
        if cut.is_some() {
            // As long as it grows it is not let go.
            followed.gone = followed.gone.min(1);
            return Ok(cut);
        }
        followed.seen = if complete { followed.file.size } else { opened.cutter.seen() };
        if let_go {
            self.files.swap_remove(i);
        } else if complete {
            followed.open = None;
        }
        Ok(None)
    }

    fn is_compressed(&self, file: &FoundFile) -> bool {
        self.split.compression.of(&file.name) != Codec::None
    }

    fn close_oldest(&mut self) {
        let open = self.files.iter().filter(|f| f.open.is_some() && f.gone == 0);
        if open.count() >= OPEN_FILES
            && let Some(oldest) = self.files.iter_mut().filter(|f| f.open.is_some() && f.gone == 0).min_by_key(|f| f.id)
        {
            oldest.open = None;
            oldest.seen = oldest.offset;
        }
    }

    fn entries(&self, but: u64) -> Arc<str> {
        join(self.files.iter().filter(|f| f.id != but).map(Followed::entry)).into()
    }

    fn block(&self, id: u64, others: &str, cut: Cut) -> Result<Block> {
        let file = self.files.iter().find(|f| f.id == id);
        let Some((file, opened)) = file.and_then(|f| Some((f, f.open.as_ref()?))) else {
            return Err(Error::internal("a block was read from a file that is not open"));
        };
        Ok(Block {
            position: format!("{others}{}", file.entry()).into(),
            input_bytes: cut.bytes.len() as u64,
            constants: opened.constants.clone(),
            cut,
        })
    }
}

impl Pull for Tail {
    type Item = Block;

    fn pull(&mut self) -> Result<Pulled<Block>> {
        loop {
            if let Some((id, others)) = self.current.take() {
                if let Some(cut) = self.read(id)? {
                    let block = self.block(id, &others, cut)?;
                    self.current = Some((id, others));
                    self.news = true;
                    return Ok(Pulled::Item(block));
                }
            } else if let Some(id) = self.round.pop_front() {
                self.current = Some((id, self.entries(id)));
            } else if self.looked && !self.news {
                self.looked = false;
                return Ok(Pulled::Wait);
            } else {
                self.look()?;
                (self.looked, self.news) = (true, false);
            }
        }
    }
}

impl Followed {
    /// Whether `file`, which has its inode or name, is the same file, perhaps longer.
    fn is_continued_by(&self, file: &FoundFile, compressed: bool) -> bool {
        if file.size < self.offset && !compressed {
            return false;
        }
        // Nothing happened since the last look.
        if file.size == self.file.size && file.name == self.file.name && file.modified == self.file.modified {
            return true;
        }
        file.local.as_deref().is_none_or(|path| self.fingerprint.matches(path))
    }

    /// Opens the file where it is to be read on; false if it is no longer there.
    fn open(&mut self, split: &FileSplit, cutting: &Arc<Cutting>) -> Result<bool> {
        let constants = split.columns.values(&split.constants, &self.file)?;
        let name = self.file.name.clone();
        let codec = split.compression.of(&name);
        let cutter = match &self.file.local {
            Some(path) if codec == Codec::None => {
                let Some(file) = open_same(path, self.inode)? else { return Ok(false) };
                Cutter::open(cutting.clone(), name.clone(), self.offset, |offset| {
                    let seek = file.try_clone().and_then(|mut f| f.seek(SeekFrom::Start(offset)).map(|_| f));
                    let file = seek.map_err(|e| Error::external(format!("cannot read '{name}': {e}")).caused_by(e))?;
                    Ok(Box::new(file))
                })?
            }
            None if self.file.full.is_empty() => return Ok(false),
            _ => {
                let object = Object::new(&split.location, &self.file, &split.runtime);
                let counter = Arc::new(AtomicU64::new(0));
                Cutter::open(cutting.clone(), name.clone(), self.offset, |offset| {
                    object.decompressed(codec, offset, &name, &counter)
                })?
            }
        };
        if let Some(path) = &self.file.local {
            self.fingerprint = Fingerprint::of(path);
        }
        self.open = Some(Opened { cutter, constants });
        Ok(true)
    }

    fn entry(&self) -> Entry {
        let (name, inode, fingerprint) = (self.file.name.clone(), self.inode, self.fingerprint);
        Entry { name, offset: Some(self.offset), inode, fingerprint }
    }
}

/// Opens the file at `path` if it is still the one with this inode.
fn open_same(path: &Path, expected: Option<u64>) -> Result<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::external(format!("cannot read '{}': {e}", path.display())).caused_by(e)),
    };
    let same = expected.is_none() || file.metadata().is_ok_and(|m| inode(&m) == expected);
    Ok(same.then_some(file))
}

/// The inode of the file at `path`, where there are such things.
pub(crate) fn inode_at(path: &Path) -> Option<u64> {
    inode(&std::fs::metadata(path).ok()?)
}

#[cfg(unix)]
fn inode(meta: &std::fs::Metadata) -> Option<u64> {
    Some(std::os::unix::fs::MetadataExt::ino(meta))
}

/// Elsewhere a file is known by its name and its first bytes.
#[cfg(not(unix))]
fn inode(_meta: &std::fs::Metadata) -> Option<u64> {
    None
}
