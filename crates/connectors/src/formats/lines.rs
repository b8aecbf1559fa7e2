//! The raw records of a block: which bytes are behind a row, and what to say of a record that is rejected.

use std::sync::Arc;

use bytes::Bytes;
use tidemill_core::format::Origin;
use tidemill_core::source::RawRows;
use tidemill_core::{Error, Position, RejectedRow, Result};

use super::fault::Fault;

/// Collects, for one block, where its good records stand, and the bad ones whole.
#[derive(Debug)]
pub(crate) struct Records {
    block: Bytes,
    name: Arc<str>,
    offset: u64,
    /// Begin and length of each good record.
    good: Vec<(u32, u32)>,
    pub(crate) rejected: Vec<RejectedRow>,
}

impl Records {
    /// For the records of `block`.
    pub(crate) fn new(block: &Bytes, origin: &Origin, expected: usize) -> Result<Self> {
        // Columns of strings are addressed with 32 bits, and so are the records here.
        if block.len() >= i32::MAX as usize {
            return Err(Error::internal(format!("a block of {} bytes is too large to decode", block.len())));
        }
        Ok(Self {
            block: block.clone(),
            name: origin.name.clone(),
            offset: origin.offset,
            good: Vec::with_capacity(expected),
            rejected: vec![],
        })
    }

    /// The record from `start` to `end` has become the next row.
    #[inline]
    pub(crate) fn good(&mut self, start: usize, end: usize) {
        self.good.push((start as u32, (end - start) as u32));
    }

    /// The record from `start` to `end` is rejected.
    #[cold]
    pub(crate) fn bad(&mut self, start: usize, end: usize, fault: &Fault) {
        self.rejected.push(RejectedRow {
            raw: self.block.slice(start..end),
            position: position(&self.name, self.offset + start as u64),
            reason: fault.to_string(),
        });
    }

    /// How many good records there are so far.
    pub(crate) fn rows(&self) -> usize {
        self.good.len()
    }

    /// The rejected records, and what finds the others again.
    pub(crate) fn finish(self) -> (Vec<RejectedRow>, Arc<dyn RawRows>) {
        let rows = BlockRows { block: self.block, name: self.name, offset: self.offset, rows: self.good };
        (self.rejected, Arc::new(rows))
    }
}

/// The end of the record's own bytes in `line`, which may end in a carriage return.
pub(crate) fn without_carriage_return(block: &[u8], start: usize, end: usize) -> usize {
    if end > start && block[end - 1] == b'\r' { end - 1 } else { end }
}

fn position(name: &str, offset: u64) -> Position {
    Position(format!("{name}:{offset}").into())
}

#[derive(Debug)]
struct BlockRows {
    block: Bytes,
    name: Arc<str>,
    offset: u64,
    rows: Vec<(u32, u32)>,
}

impl RawRows for BlockRows {
    fn record(&self, row: usize) -> (Bytes, Position) {
        let (start, len) = self.rows[row];
        let start = start as usize;
        (self.block.slice(start..start + len as usize), position(&self.name, self.offset + start as u64))
    }
}
