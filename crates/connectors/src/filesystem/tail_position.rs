//! The position of a split that follows files: how far each of them has been read, and what tells it from others.
//!
//! One line a file, the one that was read last at the end: `logs/a.log:1048576@81726.256.9f3c2a5511d0e8b4` is 1048576 bytes of
//! the file with inode 81726 whose first 256 bytes have that hash. `data/a.parquet:end` is all of a file.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use tidemill_core::source::Position;
use tidemill_core::{Error, Result};

/// How many bytes at the beginning of a file tell it from others.
const HEAD: u64 = 256;

/// How far one file has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    /// Offset of the next byte (or number of the next row); `None` where the file was read to its end.
    pub(crate) offset: Option<u64>,
    pub(crate) inode: Option<u64>,
    pub(crate) fingerprint: Fingerprint,
}

/// How a file begins: the number of bytes, at most 256, and their hash. The empty one matches any file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    len: u64,
    hash: u64,
}

impl Fingerprint {
    /// How the file at `path` begins now; what cannot be read matches anything.
    pub(crate) fn of(path: &Path) -> Self {
        Self::of_first(path, HEAD).unwrap_or_default()
    }

    /// Whether the file at `path` begins so.
    pub(crate) fn matches(self, path: &Path) -> bool {
        self.len == 0 || Self::of_first(path, self.len) == Some(self)
    }

    fn of_first(path: &Path, len: u64) -> Option<Self> {
        let mut bytes = Vec::new();
        File::open(path).ok()?.take(len).read_to_end(&mut bytes).ok()?;
        // FNV-1a: stands in positions, so it must never change.
        let hash =
            bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
        Some(Self { len: bytes.len() as u64, hash })
    }
}

impl Entry {
    /// A file that is known by its name alone.
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self { name, offset: None, inode: None, fingerprint: Fingerprint::default() }
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.rsplit_once(':')?;
        if rest == "end" {
            return Some(Self::new(name.into()));
        }
        let Some((offset, mark)) = rest.split_once('@') else {
            return Some(Self { offset: Some(rest.parse().ok()?), ..Self::new(name.into()) });
        };
        let mut mark = mark.splitn(3, '.');
        let inode = mark.next()?;
        let inode = if inode.is_empty() { None } else { Some(inode.parse().ok()?) };
        let len = mark.next()?.parse().ok()?;
        let hash = u64::from_str_radix(mark.next()?, 16).ok()?;
        Some(Self {
            name: name.into(),
            offset: Some(offset.parse().ok()?),
            inode,
            fingerprint: Fingerprint { len, hash },
        })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(offset) = self.offset else { return write!(f, "{}:end", self.name) };
        write!(f, "{}:{offset}@", self.name)?;
        if let Some(inode) = self.inode {
            write!(f, "{inode}")?;
        }
        write!(f, ".{}.{:x}", self.fingerprint.len, self.fingerprint.hash)
    }
}

/// Lines, each with its newline.
pub(crate) fn join(entries: impl Iterator<Item = Entry>) -> String {
    entries.map(|e| format!("{e}\n")).collect()
}

/// Reads a position.
pub(crate) fn parse(position: &Position) -> Result<Vec<Entry>> {
    let entries: Option<Vec<Entry>> = position.0.lines().map(Entry::parse).collect();
    entries.ok_or_else(|| {
        Error::external(format!("position '{position}' is not one of connector 'filesystem'"))
            .with_hint("It looks like 'logs/a.json:1048576'.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_they_were_written() {
        let fingerprint = Fingerprint { len: 256, hash: 0x9f3c };
        let a = Entry { name: "a:1@2.log".into(), offset: Some(10), inode: Some(7), fingerprint };
        let b = Entry { inode: None, ..a.clone() };
        let c = Entry::new("c.parquet".into());
        let text = join([a.clone(), b.clone(), c.clone()].into_iter());
        assert_eq!(text, "a:1@2.log:10@7.256.9f3c\na:1@2.log:10@.256.9f3c\nc.parquet:end\n");
        assert_eq!(parse(&Position::from(text)).unwrap(), [a, b, c]);
        assert_eq!(parse(&Position::from("a.log:5".to_owned())).unwrap()[0].offset, Some(5));
        assert!(parse(&Position::from("nonsense".to_owned())).is_err());
    }
}
