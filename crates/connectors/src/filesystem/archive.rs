//! The files of a bounded split, one after the other, each to its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::ArrayRef;
use tidemill_core::Result;
use tidemill_core::source::Position;

use super::location::FoundFile;
use super::object::Object;
use super::source::FileSplit;
use crate::records::cut::{Cutter, Cutting, Rest};
use crate::records::feed::{Pull, Pulled};
use crate::records::pipe::Block;

/// Reads files of records to their end.
pub(crate) struct Archive {
    split: Arc<FileSplit>,
    cutting: Arc<Cutting>,
    /// The files to read, and the offset to begin at.
    files: VecDeque<(FoundFile, u64)>,
    current: Option<Current>,
}

struct Current {
    cutter: Cutter,
    name: Arc<str>,
    constants: Arc<[ArrayRef]>,
    input: Arc<AtomicU64>,
}

impl Archive {
    /// Reads `files` in their order, each from its offset on.
    pub(crate) fn new(split: Arc<FileSplit>, cutting: Arc<Cutting>, files: VecDeque<(FoundFile, u64)>) -> Self {
        Self { split, cutting, files, current: None }
    }

    fn open(&self, file: &FoundFile, from: u64) -> Result<Current> {
        let object = Object::new(&self.split.location, file, &self.split.runtime);
        let codec = self.split.compression.of(&file.name);
        let input = Arc::new(AtomicU64::new(0));
        let cutter = Cutter::open(self.cutting.clone(), file.name.clone(), from, |offset| {
            object.decompressed(codec, offset, &file.name, &input)
        })?;
        let constants = self.split.columns.values(&self.split.constants, file)?;
        Ok(Current { cutter, name: file.name.clone(), constants, input })
    }
}

impl Pull for Archive {
    type Item = Block;

    fn pull(&mut self) -> Result<Pulled<Block>> {
        loop {
            if let Some(current) = &mut self.current {
                if let Some(cut) = current.cutter.next(Rest::IsRecord)? {
                    return Ok(Pulled::Item(Block {
                        position: position(&current.name, cut.end),
                        input_bytes: current.input.swap(0, Ordering::Relaxed),
                        constants: current.constants.clone(),
                        cut,
                    }));
                }
                self.current = None;
            }
            let Some((file, from)) = self.files.pop_front() else { return Ok(Pulled::End) };
            tracing::debug!(file = %file.name, from, "reading");
            self.current = Some(self.open(&file, from)?);
        }
    }
}

/// `file:offset`.
pub(crate) fn position(name: &str, offset: u64) -> Position {
    format!("{name}:{offset}").into()
}
