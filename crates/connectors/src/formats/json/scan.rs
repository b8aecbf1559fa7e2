//! Walks over the bytes of one JSON record: white space, literals, numbers, strings, whole values.
//!
//! Knows the grammar and nothing of columns. A position that it hands out is always within the record or at its end.

use std::borrow::Cow;

use super::unescape::unescape;
use crate::formats::fault::{Fault, Read};
use crate::formats::value::needle::Needle;

const QUOTE_OR_BACKSLASH: Needle<2> = Needle::new([b'"', b'\\']);

/// How many readable bytes there must be after the end of a record, so that words can be loaded without looking.
pub(crate) const PADDING: usize = 32;

/// A record: `bytes[..end]`, followed by a newline and more bytes that belong to others.
///
/// The newline ends every walk by itself, since it stands in no number, literal or white space of a record; only in
/// strings the end is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) end: usize,
}

impl<'a> Text<'a> {
    /// The record that ends at `end`, where `bytes` goes on with a newline and has [`PADDING`].
    pub(crate) fn new(bytes: &'a [u8], end: usize) -> Self {
        debug_assert!(
            bytes.len() >= end + PADDING && bytes[end] == b'\n',
            "a record is followed by a newline and padding"
        );
        Self { bytes, end }
    }

    /// The position of the next byte that is not white space.
    #[inline]
    pub(crate) fn space(&self, mut pos: usize) -> usize {
        // Nearly always there is none.
        if self.bytes[pos] <= b' ' {
            while matches!(self.bytes[pos], b' ' | b'\t' | b'\r') {
                pos += 1;
            }
        }
        pos
    }

    /// A fault that says what was expected at `pos`, and what is there.
    #[cold]
    pub(crate) fn unexpected(&self, pos: usize, expected: &str) -> Fault {
        if pos >= self.end {
            return Fault::syntax(format!("not valid JSON: the record ends where {expected} should be"));
        }
        let rest = String::from_utf8_lossy(&self.bytes[pos..self.end.min(pos + 40)]);
        let found: String = rest.chars().take(10).collect();
        Fault::syntax(format!("not valid JSON: expected {expected}, found '{found}'"))
    }

    /// The position after `word`, which begins at `pos`.
    #[inline]
    pub(crate) fn literal(&self, pos: usize, word: &[u8]) -> Read<usize> {
        if self.bytes[pos..].starts_with(word) { Ok(pos + word.len()) } else { Err(self.unexpected(pos, "a value")) }
    }

    /// The position after the number at `pos`.
    #[inline]
    pub(crate) fn number(&self, pos: usize) -> Read<usize> {
        let digits = |mut at: usize| {
            while self.bytes[at].is_ascii_digit() {
                at += 1;
            }
            at
        };
        let first = pos + usize::from(self.bytes[pos] == b'-');
        let mut end = digits(first);
        if end == first || (self.bytes[first] == b'0' && end > first + 1) {
            return Err(self.unexpected(pos, "a number"));
        }
        if self.bytes[end] == b'.' {
            let fraction = end + 1;
            end = digits(fraction);
            if end == fraction {
                return Err(self.unexpected(pos, "a number"));
            }
        }
        if matches!(self.bytes[end], b'e' | b'E') {
            let exponent = end + 1 + usize::from(matches!(self.bytes[end + 1], b'+' | b'-'));
            end = digits(exponent);
            if end == exponent {
                return Err(self.unexpected(pos, "a number"));
            }
        }
        Ok(end)
    }

    /// For the string that opens at `pos`: the position of its closing quote, and whether there are escapes in it.
    /// The escapes are not looked at.
    #[inline]
    pub(crate) fn string(&self, pos: usize) -> Read<(usize, bool)> {
        let mut escaped = false;
        let mut at = pos + 1;
        loop {
            at = QUOTE_OR_BACKSLASH.find(self.bytes, at);
            if at >= self.end {
                return Err(Fault::syntax("not valid JSON: a string is not closed"));
            }
            if self.bytes[at] == b'"' {
                return Ok((at, escaped));
            }
            escaped = true;
            at += 2;
        }
    }

    /// The characters of the string from its quote at `pos` to its quote at `close`.
    pub(crate) fn unescaped(&self, pos: usize, close: usize) -> Read<Cow<'a, [u8]>> {
        let raw = &self.bytes[pos + 1..close];
        if memchr::memchr(b'\\', raw).is_none() {
            return Ok(Cow::Borrowed(raw));
        }
        let mut out = Vec::with_capacity(raw.len());
        self.unescape(pos, close, &mut out)?;
        Ok(Cow::Owned(out))
    }

    /// Appends the characters of the string from its quote at `pos` to its quote at `close`.
    pub(crate) fn unescape(&self, pos: usize, close: usize, out: &mut Vec<u8>) -> Read<()> {
        unescape(&self.bytes[pos + 1..close], out).map_err(Fault::syntax)
    }

    /// A value's text for a message: strings without their quotes.
    pub(crate) fn unquoted(&self, pos: usize, end: usize) -> &'a [u8] {
        match &self.bytes[pos..end] {
            [b'"', inner @ .., b'"'] => inner,
            other => other,
        }
    }

    /// The position after the value at `pos`, whatever it is. Its whole grammar is checked, and its escapes.
    pub(crate) fn skip(&self, pos: usize) -> Read<usize> {
        match self.bytes[pos] {
            b'{' | b'[' => self.skip_nested(pos),
            _ => self.skip_flat(pos),
        }
    }

    /// The position after a value without parts.
    fn skip_flat(&self, pos: usize) -> Read<usize> {
        match self.bytes[pos] {
            b'"' => {
                let (close, escaped) = self.string(pos)?;
                if escaped {
                    self.unescaped(pos, close)?;
                }
                Ok(close + 1)
            }
            b'-' | b'0'..=b'9' => self.number(pos),
            b't' => self.literal(pos, b"true"),
            b'f' => self.literal(pos, b"false"),
            b'n' => self.literal(pos, b"null"),
            _ => Err(self.unexpected(pos, "a value")),
        }
    }

    /// The position after an object or array. Not recursive, so that no depth can overflow the stack.
    fn skip_nested(&self, mut pos: usize) -> Read<usize> {
        // Whether each open level is an object.
        let mut open: Vec<bool> = vec![];
        loop {
            // At a value.
            match self.bytes[pos] {
                b'{' => {
                    pos = self.space(pos + 1);
                    if self.bytes[pos] == b'}' {
                        pos += 1;
                    } else {
                        open.push(true);
                        pos = self.skip_name(pos)?;
                        continue;
                    }
                }
                b'[' => {
                    pos = self.space(pos + 1);
                    if self.bytes[pos] == b']' {
                        pos += 1;
                    } else {
                        open.push(false);
                        continue;
                    }
                }
                _ => pos = self.skip_flat(pos)?,
            }
            // After a value.
            loop {
                let Some(object) = open.last() else { return Ok(pos) };
                pos = self.space(pos);
                match (self.bytes[pos], object) {
                    (b',', true) => {
                        pos = self.skip_name(self.space(pos + 1))?;
                        break;
                    }
                    (b',', false) => {
                        pos = self.space(pos + 1);
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        open.pop();
                        pos += 1;
                    }
                    (_, true) => return Err(self.unexpected(pos, "',' or '}'")),
                    (_, false) => return Err(self.unexpected(pos, "',' or ']'")),
                }
            }
        }
    }

    /// From a field's name to its value.
    fn skip_name(&self, pos: usize) -> Read<usize> {
        if self.bytes[pos] != b'"' {
            return Err(self.unexpected(pos, "a field name"));
        }
        self.colon(self.skip_flat(pos)?)
    }

    /// From the end of a field's name to its value.
    #[inline]
    pub(crate) fn colon(&self, pos: usize) -> Read<usize> {
        let pos = self.space(pos);
        if self.bytes[pos] != b':' {
            return Err(self.unexpected(pos, "':'"));
        }
        Ok(self.space(pos + 1))
    }

    /// Appends the text of a value without the white space outside its strings.
    pub(crate) fn compact(&self, pos: usize, end: usize, out: &mut Vec<u8>) {
        let value = &self.bytes[pos..end];
        if !value.iter().any(|b| matches!(b, b' ' | b'\t' | b'\r')) {
            return out.extend_from_slice(value);
        }
        let (mut string, mut escape) = (false, false);
        for b in value {
            if string {
                string = escape || *b != b'"';
                escape = !escape && *b == b'\\';
            } else if matches!(b, b' ' | b'\t' | b'\r') {
                continue;
            } else {
                string = *b == b'"';
            }
            out.push(*b);
        }
    }
}
