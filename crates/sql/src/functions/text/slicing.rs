//! Parts of strings: `SUBSTR`, `LEFT`, `RIGHT`, `LPAD`, `RPAD`, `OVERLAY`.

use std::collections::HashMap;

use arrow::datatypes::DataType;

use super::super::declaration::{Function, Kind, takes};

/// How many characters a text has.
fn length(text: &str) -> i64 {
    if text.is_ascii() { text.len() as i64 } else { text.chars().count() as i64 }
}

/// The characters from `start` (counted from 0) up to `end`; what lies outside of the text is left out.
fn slice(text: &str, start: i64, end: i64) -> &str {
    let (start, end) = (start.max(0) as usize, end.max(0) as usize);
    if end <= start {
        return "";
    }
    if text.is_ascii() {
        return text.get(start.min(text.len())..end.min(text.len())).unwrap_or("");
    }
    let mut places = text.char_indices().map(|(at, _)| at).skip(start);
    let Some(from) = places.next() else { return "" };
    let to = places.nth(end - start - 1).unwrap_or(text.len());
    &text[from..to]
}

pub(in super::super) static SUBSTRING: Function = Function {
    names: &["substring", "substr"],
    usage: "SUBSTRING(string, start[, length]), SUBSTRING(string FROM start [FOR length])",
    about: "The characters from `start` on, at most `length`. A negative start counts from the end, and before the \
            beginning there is nothing; 0 is the same as 1. NULL if the length is negative.",
    examples: &[
        ("substring('Tidemill', 5)", "mill"),
        ("substring('Tidemill', 1, 4)", "Tide"),
        ("substring('Tidemill', -4, 3)", "mil"),
        ("substring('Tidemill', 0, 4)", "Tide"),
        ("substring('Tidemill', -9, 4)", ""),
        ("substring('Tidemill', 9)", ""),
        ("substring('Tidemill', 2, -1)", "NULL"),
        ("substring('Mühle über Ebbe', 2, 4)", "ühle"),
        ("substr('Tidemill', 2, 9223372036854775807)", "idemill"),
        ("substring(CAST(NULL AS STRING), 2)", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Int, Kind::Int], 2, DataType::Utf8),
    compute: |call| {
        let (text, start) = (call.text(0)?, call.int(1)?);
        let size = if call.len() > 2 { Some(call.int(2)?) } else { None };
        call.pieces(|row| {
            let (Some(text), Some(start)) = (text.at(row), start.at(row)) else { return Ok(None) };
            let size = match &size {
                None => i64::MAX,
                Some(size) => match size.at(row) {
                    Some(size) if size >= 0 => size,
                    _ => return Ok(None),
                },
            };
            let from = match start {
                1.. => start - 1,
                0 => 0,
                _ => match length(text).saturating_add(start) {
                    from @ 0.. => from,
                    _ => return Ok(Some("")),
                },
            };
            Ok(Some(slice(text, from, from.saturating_add(size))))
        })
    },
    ..Function::PLAIN
};

pub(in super::super) static LEFT: Function = Function {
    names: &["left"],
    usage: "LEFT(string, count)",
    about: "The first characters; none if the count is negative.",
    examples: &[("left('Tidemill', 4)", "Tide"), ("left('Tidemill', -1)", ""), ("left('Mühle', 2)", "Mü")],
    types: |args| takes(args, &[Kind::Text, Kind::Int], 2, DataType::Utf8),
    compute: |call| {
        let (text, count) = (call.text(0)?, call.int(1)?);
        call.pieces(|row| Ok(text.at(row).zip(count.at(row)).map(|(text, count)| slice(text, 0, count))))
    },
    ..Function::PLAIN
};

pub(in super::super) static RIGHT: Function = Function {
    names: &["right"],
    usage: "RIGHT(string, count)",
    about: "The last characters; none if the count is negative.",
    examples: &[("right('Tidemill', 4)", "mill"), ("right('Tidemill', 99)", "Tidemill"), ("right('Tidemill', -1)", "")],
    types: |args| takes(args, &[Kind::Text, Kind::Int], 2, DataType::Utf8),
    compute: |call| {
        let (text, count) = (call.text(0)?, call.int(1)?);
        call.pieces(|row| {
            Ok(text.at(row).zip(count.at(row)).map(|(text, count)| {
                let end = length(text);
                slice(text, end.saturating_sub(count.max(0)), end)
            }))
        })
    },
    ..Function::PLAIN
};

/// The longest text that a function makes up, so that a wrong length in one record does not take all memory.
const LONGEST: i64 = 64 << 20;

fn pad(text: &str, length_wanted: i64, padding: &str, at_left: bool, out: &mut String) -> Option<()> {
    if !(0..=LONGEST).contains(&length_wanted) || padding.is_empty() {
        return None;
    }
    let missing = length_wanted - length(text);
    let fill = padding.chars().cycle().take(missing.max(0) as usize);
    if at_left {
        out.extend(fill);
        out.push_str(slice(text, 0, length_wanted));
    } else {
        out.push_str(slice(text, 0, length_wanted));
        out.extend(fill);
    }
    Some(())
}

pub(in super::super) static LPAD: Function = Function {
    names: &["lpad"],
    usage: "LPAD(string, length[, padding])",
    about: "The text, filled at its left to a length (with spaces, if nothing else is said), or cut to it. NULL if the \
            length is negative or the padding is empty.",
    examples: &[
        ("lpad('hi', 4, '?!')", "?!hi"),
        ("lpad('hi', 1, '?')", "h"),
        ("lpad('7', 3, '0')", "007"),
        ("lpad('hi', -1, '?')", "NULL"),
        ("lpad('hi', 4, '')", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Int, Kind::Text], 2, DataType::Utf8),
    compute: |call| padded(call, true),
    ..Function::PLAIN
};

pub(in super::super) static RPAD: Function = Function {
    names: &["rpad"],
    usage: "RPAD(string, length[, padding])",
    about: "The text, filled at its right to a length, or cut to it. As LPAD in all else.",
    examples: &[("rpad('hi', 5, '?!')", "hi?!?"), ("rpad('hi', 1, '?')", "h"), ("rpad('hi', 4)", "hi  ")],
    types: |args| takes(args, &[Kind::Text, Kind::Int, Kind::Text], 2, DataType::Utf8),
    compute: |call| padded(call, false),
    ..Function::PLAIN
};

fn padded(call: &super::super::call::Call, at_left: bool) -> datafusion::common::Result<arrow::array::ArrayRef> {
    let (text, size) = (call.text(0)?, call.int(1)?);
    let padding = if call.len() > 2 { Some(call.text(2)?) } else { None };
    call.written(|row, out| {
        let padding = match &padding {
            None => Some(" "),
            Some(padding) => padding.at(row),
        };
        let (Some(text), Some(size), Some(padding)) = (text.at(row), size.at(row), padding) else { return Ok(None) };
        Ok(pad(text, size, padding, at_left, out))
    })
}

pub(in super::super) static OVERLAY: Function = Function {
    names: &["overlay"],
    usage: "OVERLAY(string PLACING new FROM start [FOR length])",
    about: "The text with `length` of its characters (as many as `new` has, if nothing else is said) replaced from \
            `start` on. The text itself if the start lies outside of it.",
    examples: &[
        ("overlay('xxxxxtest' PLACING 'xxxx' FROM 6)", "xxxxxxxxx"),
        ("overlay('xxxxxtest' PLACING 'xxxx' FROM 6 FOR 2)", "xxxxxxxxxst"),
        ("overlay('test' PLACING 'x' FROM 0)", "test"),
        ("overlay('test' PLACING 'x' FROM 5)", "test"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text, Kind::Int, Kind::Int], 3, DataType::Utf8),
    compute: |call| {
        let (text, new, start) = (call.text(0)?, call.text(1)?, call.int(2)?);
        let size = if call.len() > 3 { Some(call.int(3)?) } else { None };
        call.written(|row, out| {
            let (Some(text), Some(new), Some(start)) = (text.at(row), new.at(row), start.at(row)) else {
                return Ok(None);
            };
            let size = match &size {
                None => length(new),
                Some(size) => match size.at(row) {
                    Some(size) => size,
                    None => return Ok(None),
                },
            };
            if start <= 0 || start > length(text) {
                out.push_str(text);
            } else {
                out.push_str(slice(text, 0, start - 1));
                out.push_str(new);
                if size > 0 {
                    out.push_str(slice(text, (start - 1).saturating_add(size), i64::MAX));
                }
            }
            Ok(Some(()))
        })
    },
    ..Function::PLAIN
};

pub(in super::super) static TRANSLATE: Function = Function {
    names: &["translate", "translate3"],
    usage: "TRANSLATE(string, from, to)",
    about: "The text with each character of `from` replaced by the one at the same place in `to`, or left away if `to` has none there. \
            Of a character that is in `from` twice the first place counts. If `from` is NULL it is the text itself, and a `to` that is NULL is empty.",
    examples: &[
        ("translate('www.apache.org', 'abc', '123')", "www.1p13he.org"),
        ("translate('www.apache.org', 'abcae', '12345')", "www.1p13h5.org"),
        ("translate('www.apache.org', 'abc', CAST(NULL AS STRING))", "www.phe.org"),
        ("translate('www.apache.org', CAST(NULL AS STRING), '123')", "www.apache.org"),
        ("translate(CAST(NULL AS STRING), 'a', 'b')", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text; 3], 3, DataType::Utf8),
    compute: |call| {
        let (text, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
        let mut known: Option<(String, String, HashMap<char, Option<char>>)> = None;
        call.written(|row, out| {
            let Some(text) = text.at(row) else { return Ok(None) };
            let (from, to) = (from.at(row).unwrap_or(""), to.at(row).unwrap_or(""));
            // The characters are mostly constants.
            if known.as_ref().is_none_or(|(f, t, _)| f != from || t != to) {
                let mut others = to.chars();
                let mut map = HashMap::new();
                for character in from.chars() {
                    let other = others.next();
                    map.entry(character).or_insert(other);
                }
                known = Some((from.to_string(), to.to_string(), map));
            }
            let Some((_, _, map)) = &known else { return Ok(None) };
            out.extend(text.chars().filter_map(|c| map.get(&c).copied().unwrap_or(Some(c))));
            Ok(Some(()))
        })
    },
    ..Function::PLAIN
};
