//! A stream of bytes, cut into blocks of whole records. Knows a format's cut and head, and nothing of where bytes come from.

use std::io::Read;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use tidemill_core::format::{Format, Origin};
use tidemill_core::{Error, OptionValues, Result};

/// The first block, before anything is known about the length of records.
const FIRST_BLOCK: usize = 64 << 10;
/// Blocks are at least so long (where there is so much), or the fixed cost of a block shows.
const MIN_BLOCK: usize = 16 << 10;
/// Blocks are not made longer for the sake of many rows; a single record may be longer.
const MAX_BLOCK: usize = 8 << 20;
/// A single record may not be longer: a file that is not text at all would otherwise be read into memory whole.
const MAX_RECORD: usize = 256 << 20;

/// How a split's bytes are cut: the same for all its files.
#[derive(Debug)]
pub(crate) struct Cutting {
    /// The format of the records.
    pub(crate) format: &'static dyn Format,
    /// The options of the table.
    pub(crate) options: OptionValues,
    /// The columns that a record holds.
    pub(crate) schema: SchemaRef,
    /// The columns of a record that are the table's key.
    pub(crate) key: Vec<usize>,
    /// About how many records a block should have.
    pub(crate) batch_rows: usize,
    /// Whether to give what there is (a terminal, a pipe) instead of waiting for a block's worth.
    pub(crate) eager: bool,
}

/// Whole records, and where they stand.
#[derive(Debug)]
pub(crate) struct Cut {
    /// The records.
    pub(crate) bytes: Bytes,
    /// Where they begin.
    pub(crate) origin: Origin,
    /// Offset of the byte after them.
    pub(crate) end: u64,
}

/// What to do with bytes after the last whole record when the stream has no more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// They are a record: nothing will follow.
    IsRecord,
    /// They wait for what will be appended.
    Waits,
}

/// Cuts one file (or other stream) into blocks.
pub(crate) struct Cutter {
    cutting: Arc<Cutting>,
    read: Box<dyn Read + Send>,
    name: Arc<str>,
    /// What stands before the first record; `None` until enough was read to tell.
    head: Option<Bytes>,
    /// Bytes that were read and not yet given out.
    buffer: Vec<u8>,
    /// Offset of the first byte of `buffer`.
    offset: u64,
    /// Newlines and bytes seen, from which the length of a record is estimated.
    lines: usize,
    bytes: usize,
}

impl Cutter {
    /// Cuts what `open` gives, a function that opens the stream at an offset, from offset `from` on.
    pub(crate) fn open(
        cutting: Arc<Cutting>,
        name: Arc<str>,
        from: u64,
        open: impl Fn(u64) -> Result<Box<dyn Read + Send>>,
    ) -> Result<Self> {
        let mut cutter =
            Self { cutting, read: open(0)?, name, head: None, buffer: Vec::new(), offset: 0, lines: 0, bytes: 0 };
        if from > 0 {
            // The head is needed also in the middle of the file; what was read to find it is not.
            cutter.find_head(Rest::IsRecord)?;
            cutter.offset = from.max(cutter.offset);
            cutter.buffer.clear();
            cutter.read = open(cutter.offset)?;
        }
        Ok(cutter)
    }

    /// Offset of the next record.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Offset of the first byte that was not yet looked at.
    pub(crate) fn seen(&self) -> u64 {
        self.offset + self.buffer.len() as u64
    }

    /// The next block; `None` where the stream has no whole record more (at the moment, with [`Rest::Waits`]).
    pub(crate) fn next(&mut self, rest: Rest) -> Result<Option<Cut>> {
        if self.head.is_none() && !self.find_head(rest)? {
            return Ok(None);
        }
        let mut target = self.target();
        loop {
            let at_end = self.fill(target)?;
            let len = match rest {
                Rest::IsRecord if at_end => self.buffer.len(),
                _ => self.cutting.format.whole_records(&self.buffer, &self.cutting.options),
            };
            if len > 0 {
                return Ok(Some(self.cut(len)));
            }
            if at_end {
                return Ok(None);
            }
            if self.buffer.len() >= MAX_RECORD {
                return Err(Error::data(format!("the record at {}:{} is longer than 256 MB", self.name, self.offset))
                    .with_hint(format!("Is it a file of format '{}'?", self.cutting.format.name())));
            }
            target = self.buffer.len().max(target) * 2;
        }
    }

    /// What was read after the last whole record, as a record: there will be no more of it.
    pub(crate) fn take_rest(&mut self) -> Option<Cut> {
        (!self.buffer.is_empty()).then(|| self.cut(self.buffer.len()))
    }

    /// Reads until the format can tell where the first record begins; false if it cannot yet.
    fn find_head(&mut self, rest: Rest) -> Result<bool> {
        let len = loop {
            let Cutting { format, options, schema, .. } = &*self.cutting;
            if let Some(len) = format.head_len(&self.buffer, schema, options) {
                break len;
            }
            if self.fill(self.buffer.len() + FIRST_BLOCK)? && self.head_is_unknown() {
                if rest == Rest::Waits {
                    return Ok(false);
                }
                break 0;
            }
        };
        let rest = self.buffer.split_off(len);
        self.offset += len as u64;
        self.head = Some(Bytes::from(std::mem::replace(&mut self.buffer, rest)));
        Ok(true)
    }

    fn head_is_unknown(&self) -> bool {
        let Cutting { format, options, schema, .. } = &*self.cutting;
        format.head_len(&self.buffer, schema, options).is_none()
    }

    fn cut(&mut self, len: usize) -> Cut {
        let rest = self.buffer.split_off(len);
        let bytes = Bytes::from(std::mem::replace(&mut self.buffer, rest));
        self.lines += memchr::memchr_iter(b'\n', &bytes).count();
        self.bytes += len;
        let head = self.head.clone().unwrap_or_default();
        let origin = Origin::new(self.name.clone(), self.offset).with_head(head);
        self.offset += len as u64;
        Cut { bytes, origin, end: self.offset }
    }

    /// How long a block should be. Depends on the bytes alone, so that the same file is cut in the same places again.
    fn target(&self) -> usize {
        if self.lines == 0 {
            return FIRST_BLOCK;
        }
        (self.cutting.batch_rows.saturating_mul(self.bytes / self.lines)).clamp(MIN_BLOCK, MAX_BLOCK)
    }

    /// Reads until `buffer` has `target` bytes; true if the stream ended before.
    fn fill(&mut self, target: usize) -> Result<bool> {
        let missing = target.saturating_sub(self.buffer.len());
        let read = if self.cutting.eager {
            let len = self.buffer.len();
            self.buffer.resize(len + missing, 0);
            let read = loop {
                match self.read.read(&mut self.buffer[len..]) {
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            self.buffer.truncate(len + *read.as_ref().unwrap_or(&0));
            read.map(|n| if n > 0 { missing } else { 0 })
        } else {
            self.buffer.reserve(missing);
            (&mut self.read).take(missing as u64).read_to_end(&mut self.buffer)
        };
        let read = read.map_err(|e| {
            let at = self.offset + self.buffer.len() as u64;
            Error::external(format!("cannot read '{}' at byte {at}: {e}", self.name)).caused_by(e)
        })?;
        Ok(read < missing)
    }
}
