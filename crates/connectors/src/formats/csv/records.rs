//! Where fields and records end.
//!
//! A quote counts only at the beginning of a field; within quotes, newlines and delimiters are text. One broken quote
//! must not swallow the records after it. So a quoted field whose closing quote is not followed by the end of the field,
//! or does not come within [`MOST_QUOTED`] bytes, is broken: then the line on which its record begins is rejected, alone,
//! and reading goes on with the next line. What is decided depends on the bytes only, never on where blocks were cut.

use std::borrow::Cow;

use arrow::datatypes::{Schema, SchemaRef};

use crate::formats::value::needle::{Marks, Needle};

/// The longest field in quotes.
pub(super) const MOST_QUOTED: usize = 1 << 20;

/// Whether a file begins with the names of its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    Yes,
    No,
    Auto,
}

/// What the options say.
#[derive(Debug, Clone)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    pub(super) escape: Option<u8>,
    pub(super) comments: bool,
    pub(super) null_literal: Option<Vec<u8>>,
    pub(super) ignore_errors: bool,
    pub(super) header: Header,
}

/// A field as it stands in a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The field's text, without quotes.
    pub(super) start: usize,
    pub(super) end: usize,
    /// The delimiter, newline or end of the bytes behind it.
    pub(super) next: usize,
    /// What is behind it is not a delimiter: the record ends too.
    pub(super) last: bool,
    pub(super) quoted: bool,
    /// There are doubled quotes or escapes in the text.
    pub(super) escaped: bool,
}

impl Place {
    /// The field's text.
    #[inline]
    pub(super) fn text<'a>(&self, bytes: &'a [u8], dialect: &Dialect) -> Cow<'a, [u8]> {
        let raw = &bytes[self.start..self.end];
        if !self.escaped {
            return Cow::Borrowed(raw);
        }
        let mut out = Vec::with_capacity(raw.len());
        let mut rest = raw.iter();
        while let Some(b) = rest.next() {
            let special = Some(*b) == dialect.escape || (self.quoted && Some(*b) == dialect.quote);
            out.push(if special { *rest.next().unwrap_or(b) } else { *b });
        }
        Cow::Owned(out)
    }
}

/// Where fields may end: at delimiters, newlines and escapes.
pub(super) type Ends = Marks<3>;

/// What stands at a quote that opens a field.
enum Quoted {
    /// Its closing quote, and whether there are quotes or escapes to resolve.
    Closed {
        at: usize,
        escaped: bool,
    },
    /// The bytes end before it can be told.
    Open,
    Broken,
}

impl Dialect {
    /// Where fields may end, from `at` on.
    #[inline]
    pub(super) fn ends(&self, bytes: &[u8], at: usize) -> Ends {
        Marks::new(Needle::new([self.delimiter, b'\n', self.escape.unwrap_or(b'\n')]), bytes, at)
    }

    /// The field at `pos`; `None` if its quotes are broken. The end of `bytes` is the end of the record. `ends` is at `pos`
    /// too, and goes on to the next field.
    #[inline(always)]
    pub(super) fn field(&self, bytes: &[u8], pos: usize, ends: &mut Ends) -> Option<Place> {
        let Some(first) = bytes.get(pos) else {
            return Some(Place { start: pos, end: pos, next: pos, last: true, quoted: false, escaped: false });
        };
        if Some(*first) == self.quote {
            let place = self.quoted_field(bytes, pos)?;
            ends.go_to(bytes, place.next + 1);
            return Some(place);
        }
        let next = ends.next(bytes);
        if next < bytes.len() && bytes[next] == self.delimiter {
            return Some(Place { start: pos, end: next, next, last: false, quoted: false, escaped: false });
        }
        Some(self.rest_of_field(bytes, pos, next, ends))
    }

    /// The field at `pos` without quotes that goes on at least to `next`: to a newline, an escape or the end.
    #[inline(never)]
    fn rest_of_field(&self, bytes: &[u8], pos: usize, mut next: usize, ends: &mut Ends) -> Place {
        let mut escaped = false;
        loop {
            let found = bytes.get(next);
            if found.is_some() && found.copied() == self.escape {
                // Nothing but quotes keeps a newline from ending the record.
                let before_newline = bytes.get(next + 1) == Some(&b'\n');
                escaped |= !before_newline;
                ends.go_to(bytes, if before_newline { next + 1 } else { next + 2 });
                next = ends.next(bytes);
                continue;
            }
            let last = found.is_none_or(|b| *b == b'\n');
            let end = if last && next > pos && bytes[next - 1] == b'\r' { next - 1 } else { next };
            return Place { start: pos, end, next, last, quoted: false, escaped };
        }
    }

    /// The end of the record at `start`, and how many fields it has. Where the quotes of one are broken, the end of the line.
    pub(super) fn record_end(&self, bytes: &[u8], start: usize) -> (usize, Option<usize>) {
        let mut ends = self.ends(bytes, start);
        let (mut pos, mut count) = (start, 0);
        while let Some(place) = self.field(bytes, pos, &mut ends) {
            count += 1;
            if place.last {
                return (place.next, Some(count));
            }
            pos = place.next + 1;
        }
        (memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |i| start + i), None)
    }

    #[cold]
    fn quoted_field(&self, bytes: &[u8], pos: usize) -> Option<Place> {
        let Quoted::Closed { at, escaped } = self.close(bytes, pos, true) else { return None };
        let next = if bytes.get(at + 1) == Some(&b'\r') { at + 2 } else { at + 1 };
        let last = bytes.get(next).is_none_or(|b| *b == b'\n');
        Some(Place { start: pos + 1, end: at, next, last, quoted: true, escaped })
    }

    /// The end of the quoted field that opens at `open`. `last`: no bytes will follow.
    fn close(&self, bytes: &[u8], open: usize, last: bool) -> Quoted {
        let Some(quote) = self.quote else { return Quoted::Broken };
        let limit = bytes.len().min(open + 1 + MOST_QUOTED);
        let mut escaped = false;
        let mut at = open + 1;
        loop {
            let found = match self.escape {
                Some(escape) => memchr::memchr2(quote, escape, &bytes[at.min(limit)..limit]),
                None => memchr::memchr(quote, &bytes[at.min(limit)..limit]),
            };
            let Some(found) = found else {
                let may_come = !last && limit == bytes.len() && limit - open <= MOST_QUOTED;
                return if may_come { Quoted::Open } else { Quoted::Broken };
            };
            at += found;
            // The escape is looked at first where it is the quote itself, or both mean the same.
            let doubled = bytes[at] == quote && bytes.get(at + 1) == Some(&quote);
            if doubled || bytes[at] != quote {
                escaped = true;
                at += 2;
                continue;
            }
            return match (bytes.get(at + 1), bytes.get(at + 2)) {
                (Some(b), _) if *b == self.delimiter || *b == b'\n' => Quoted::Closed { at, escaped },
                (Some(b'\r'), Some(b'\n')) => Quoted::Closed { at, escaped },
                (None, _) | (Some(b'\r'), None) if last => Quoted::Closed { at, escaped },
                (None, _) | (Some(b'\r'), None) => Quoted::Open,
                _ => Quoted::Broken,
            };
        }
    }

    /// The length of the prefix of `bytes` that is whole records.
    pub(super) fn whole_records(&self, bytes: &[u8]) -> usize {
        let newline_after = |from: usize| memchr::memchr(b'\n', &bytes[from..]).map(|i| from + i);
        if self.escape.is_some() {
            return self.whole_records_slowly(bytes);
        }
        // Where the record begins that `pos` is in.
        let mut record = 0;
        let mut pos = 0;
        loop {
            let found = self.quote.and_then(|quote| memchr::memchr(quote, &bytes[pos..]));
            let outside = &bytes[pos..found.map_or(bytes.len(), |i| pos + i)];
            if let Some(newline) = memchr::memrchr(b'\n', outside) {
                record = pos + newline + 1;
            }
            let Some(quote) = found.map(|i| pos + i) else { return record };
            if self.comments && bytes[record] == b'#' {
                match newline_after(quote) {
                    Some(newline) => (pos, record) = (newline + 1, newline + 1),
                    None => return record,
                }
                continue;
            }
            if quote != record && bytes[quote - 1] != self.delimiter {
                pos = quote + 1;
                continue;
            }
            match self.close(bytes, quote, false) {
                Quoted::Closed { at, .. } => pos = at + 1,
                Quoted::Open => return record,
                Quoted::Broken => match newline_after(record) {
                    Some(newline) => (pos, record) = (newline + 1, newline + 1),
                    None => return record,
                },
            }
        }
    }

    /// The same where an escape may stand before any character, field by field.
    fn whole_records_slowly(&self, bytes: &[u8]) -> usize {
        let mut record = 0;
        'records: loop {
            let line = memchr::memchr(b'\n', &bytes[record..]).map(|i| record + i + 1);
            if self.comments && bytes.get(record) == Some(&b'#') {
                match line {
                    Some(next) => record = next,
                    None => return record,
                }
                continue;
            }
            let mut pos = record;
            let mut ends = self.ends(bytes, record);
            loop {
                if self.quote.is_some()
                    && bytes.get(pos).copied() == self.quote
                    && matches!(self.close(bytes, pos, false), Quoted::Open)
                {
                    return record;
                }
                match (self.field(bytes, pos, &mut ends), line) {
                    (Some(place), _) if place.next >= bytes.len() => return record,
                    (Some(place), _) if bytes[place.next] == b'\n' => {
                        record = place.next + 1;
                        continue 'records;
                    }
                    (Some(place), _) => pos = place.next + 1,
                    (None, Some(next)) => {
                        record = next;
                        continue 'records;
                    }
                    (None, None) => return record,
                }
            }
        }
    }

    /// The length of the header, with what is before it; `None` where more bytes are needed. `last`: there are no more.
    pub(super) fn head_len(&self, bytes: &[u8], schema: &Schema, last: bool) -> Option<usize> {
        if self.header == Header::No {
            return Some(0);
        }
        match self.first_record(bytes, last) {
            First::None => last.then_some(0),
            First::Fields(names, end) => {
                let named = self.header == Header::Yes
                    || names
                        .iter()
                        .enumerate()
                        .all(|(i, name)| column_named(schema, name).is_some() && !names[..i].iter().any(|n| n == name));
                Some(if named { end } else { 0 })
            }
            First::Broken => Some(0),
        }
    }

    /// The names in a header.
    pub(super) fn names(&self, head: &[u8]) -> Vec<String> {
        match self.first_record(head, true) {
            First::Fields(names, _) => names,
            First::None | First::Broken => vec![],
        }
    }

    /// The fields of the first record that is neither blank nor a comment.
    pub(super) fn first_record(&self, bytes: &[u8], last: bool) -> First {
        let mut pos = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        loop {
            if pos >= bytes.len() {
                return First::None;
            }
            let line = memchr::memchr(b'\n', &bytes[pos..]).map(|i| pos + i);
            if self.skips(bytes, pos) {
                match line {
                    Some(newline) => pos = newline + 1,
                    None => return First::None,
                }
                continue;
            }
            if !last && self.whole_records(&bytes[pos..]) == 0 {
                return First::None;
            }
            let mut names = vec![];
            let mut ends = self.ends(bytes, pos);
            loop {
                let Some(place) = self.field(bytes, pos, &mut ends) else { return First::Broken };
                names.push(String::from_utf8_lossy(&place.text(bytes, self)).trim().to_owned());
                pos = (place.next + 1).min(bytes.len());
                if bytes.get(place.next).is_none_or(|b| *b == b'\n') {
                    return First::Fields(names, pos);
                }
            }
        }
    }

    /// Whether the line at `pos` is blank or a comment.
    #[inline]
    pub(super) fn skips(&self, bytes: &[u8], pos: usize) -> bool {
        match bytes[pos] {
            b'\n' => true,
            b'\r' => bytes.get(pos + 1).is_none_or(|b| *b == b'\n'),
            b'#' => self.comments,
            _ => false,
        }
    }
}

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The first record of a file.
pub(super) enum First {
    /// There is none, or not all of it.
    None,
    /// Its fields, and the position after it.
    Fields(Vec<String>, usize),
    /// Its quotes are broken.
    Broken,
}

/// The column of this name: the same, or the only one that differs in the case of its letters alone.
pub(super) fn column_named(schema: &Schema, name: &str) -> Option<usize> {
    let fields = schema.fields();
    fields.iter().position(|f| f.name() == name).or_else(|| {
        let mut alike = fields.iter().enumerate().filter(|(_, f)| f.name().eq_ignore_ascii_case(name));
        alike.next().filter(|_| alike.next().is_none()).map(|(i, _)| i)
    })
}

/// Which column each field of a record belongs to: by the names in `head`, or by place.
pub(super) fn columns_of(schema: &SchemaRef, names: &[String]) -> Vec<Option<usize>> {
    if names.is_empty() {
        return (0..schema.fields().len()).map(Some).collect();
    }
    let mut taken = vec![false; schema.fields().len()];
    let columns = names.iter().map(|n| column_named(schema, n).filter(|c| !std::mem::replace(&mut taken[*c], true)));
    columns.collect()
}
