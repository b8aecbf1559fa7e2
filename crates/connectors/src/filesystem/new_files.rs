//! Follows a path for files with a structure of their own (Parquet, Arrow): complete when they appear, never appended to.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tidemill_core::Result;
use tidemill_core::source::Position;

use super::location::FoundFile;
use super::rows::{FileFrom, NextFile};
use super::source::FileSplit;
use super::tail_position::{Entry, join, parse};
use crate::records::feed::Pulled;

/// Files as they appear.
pub(crate) struct NewFiles {
    split: Arc<FileSplit>,
    /// Files that were read, and how many rows of them; all, if absent.
    read: Vec<Entry>,
    /// Names of files that were handed out.
    opened: HashSet<Arc<str>>,
    round: VecDeque<FoundFile>,
}

impl NewFiles {
    /// Goes on after `from`.
    pub(crate) fn new(split: Arc<FileSplit>, from: Option<&Position>) -> Result<Self> {
        let read = from.map(parse).transpose()?.unwrap_or_default();
        let opened = read.iter().filter(|e| e.offset.is_none()).map(|e| e.name.clone()).collect();
        Ok(Self { split, read, opened, round: VecDeque::new() })
    }
}

impl NextFile for NewFiles {
    fn next_file(&mut self) -> Result<Pulled<FileFrom>> {
        if self.round.is_empty() {
            let listed = self.split.runtime.block_on(self.split.location.list())?;
            let wanted = |f: &FoundFile| self.split.only.as_ref().is_none_or(|only| *only == f.name);
            self.round = listed.into_iter().filter(|f| wanted(f) && !self.opened.contains(&f.name)).collect();
        }
        let Some(file) = self.round.pop_front() else { return Ok(Pulled::Wait) };
        self.opened.insert(file.name.clone());
        let partly = self.read.iter().position(|e| e.name == file.name).map(|i| self.read.swap_remove(i));
        let row = partly.and_then(|e| e.offset).unwrap_or(0);
        let before: Arc<str> = join(self.read.iter().cloned()).into();
        self.read.push(Entry { offset: None, ..Entry::new(file.name.clone()) });
        Ok(Pulled::Item(FileFrom { file, row, done_before: Some(before) }))
    }
}
