//! Finding values in the text of JSON without building them.
//!
//! The text is checked once, by [`is_json`]; what follows trusts it, and finds nothing rather than panic where it
//! should be wrong. Numbers keep their text, so nothing passes through a float.

use serde::de::IgnoredAny;

use super::path::Step;

/// How deep values may be nested: a limit for the stack, and none for data.
const DEEPEST: usize = 256;

/// Whether the text is JSON.
pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The first value of a text: where it ends.
fn end_of_value(text: &str) -> usize {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'"') => end_of_string(bytes),
        Some(b'{' | b'[') => {
            let (mut at, mut depth) = (0, 0_usize);
            while let Some(byte) = bytes.get(at) {
                match byte {
                    b'"' => {
                        at += end_of_string(&bytes[at..]);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            return at + 1;
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
            bytes.len()
        }
        _ => bytes.iter().position(|b| b",]} \t\r\n".contains(b)).unwrap_or(bytes.len()),
    }
}

/// Where the string ends that the bytes begin with, after its closing quote.
fn end_of_string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The next value of an object or an array: what is left after it, its key with quotes, and the value.
struct Contents<'t> {
    rest: &'t str,
    keyed: bool,
}

/// What an object or an array contains; nothing for other values.
fn contents(value: &str) -> Contents<'_> {
    match value.as_bytes().first() {
        Some(b'{') => Contents { rest: &value[1..], keyed: true },
        Some(b'[') => Contents { rest: &value[1..], keyed: false },
        _ => Contents { rest: "", keyed: false },
    }
}

impl<'t> Iterator for Contents<'t> {
    type Item = (&'t str, &'t str);

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.rest.trim_start().trim_start_matches(',').trim_start();
        if rest.is_empty() || rest.starts_with([']', '}']) {
            return None;
        }
        let mut key = "";
        if self.keyed {
            let end = end_of_value(rest);
            (key, rest) = (rest.get(..end)?, rest.get(end..)?);
            rest = rest.trim_start().strip_prefix(':')?.trim_start();
        }
        let end = end_of_value(rest);
        let value = rest.get(..end)?;
        self.rest = rest.get(end..)?;
        Some((key, value))
    }
}

/// The elements of an array.
pub(super) fn elements(array: &str) -> impl Iterator<Item = &str> {
    contents(array).map(|(_, element)| element)
}

/// Hands every value that the steps lead to, in the order of the text, to `found`.
pub(super) fn find<'t>(value: &'t str, steps: &[Step], found: &mut impl FnMut(&'t str)) {
    find_at(value, steps, 0, found);
}

fn find_at<'t>(value: &'t str, steps: &[Step], depth: usize, found: &mut impl FnMut(&'t str)) {
    let Some((step, rest)) = steps.split_first() else { return found(value) };
    if depth > DEEPEST {
        return;
    }
    match step {
        Step::Member(name) if value.starts_with('{') => {
            // Of a key that comes twice the last counts.
            if let Some((_, member)) = contents(value).filter(|(key, _)| is_key(key, name)).last() {
                find_at(member, rest, depth + 1, found);
            }
        }
        Step::Index(index) if value.starts_with('[') => {
            let element = match usize::try_from(*index) {
                Ok(index) => contents(value).nth(index),
                Err(_) => {
                    let from_end = contents(value).count().checked_sub(index.unsigned_abs() as usize);
                    from_end.and_then(|index| contents(value).nth(index))
                }
            };
            if let Some((_, element)) = element {
                find_at(element, rest, depth + 1, found);
            }
        }
        Step::Member(_) | Step::Index(_) => {}
        Step::All => contents(value).for_each(|(_, inner)| find_at(inner, rest, depth + 1, found)),
        Step::Descend => {
            find_at(value, rest, depth + 1, found);
            contents(value).for_each(|(_, inner)| find_at(inner, steps, depth + 1, found));
        }
    }
}

fn is_key(quoted: &str, name: &str) -> bool {
    match quoted.get(1..quoted.len().saturating_sub(1)) {
        Some(raw) if !raw.contains('\\') => raw == name,
        _ => unquoted(quoted).is_some_and(|key| key == name),
    }
}

/// The text that a JSON string stands for.
pub(super) fn unquoted(string: &str) -> Option<String> {
    serde_json::from_str(string).ok()
}

/// How many values an object or array contains; 1 for other values.
pub(super) fn length(value: &str) -> i32 {
    if value.starts_with(['{', '[']) { contents(value).count() as i32 } else { 1 }
}

/// Writes the value without white space and with the keys of objects in order, or gives nothing where it is nested
/// too deep.
pub(super) fn write_compact(value: &str, out: &mut String) -> Option<()> {
    write_at(value, 0, out)
}

/// Writes JSON that was made of values as all JSON is written, compact and with the keys of objects in order. Where a
/// text in it only claims to be JSON, it stays as it is.
pub(super) fn write_made(value: &str, out: &mut String) {
    let before = out.len();
    if !is_json(value) || write_compact(value, out).is_none() {
        out.truncate(before);
        out.push_str(value);
    }
}

fn write_at(value: &str, depth: usize, out: &mut String) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    match value.as_bytes().first() {
        Some(b'{') => {
            // Later keys replace earlier ones.
            let members: std::collections::BTreeMap<String, &str> =
                contents(value).map(|(key, member)| Some((unquoted(key)?, member))).collect::<Option<_>>()?;
            out.push('{');
            for (i, (key, member)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                quote(&key, out);
                out.push(':');
                write_at(member, depth + 1, out)?;
            }
            out.push('}');
        }
        Some(b'[') => {
            out.push('[');
            for (i, (_, element)) in contents(value).enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_at(element, depth + 1, out)?;
            }
            out.push(']');
        }
        Some(b'"') if value.contains('\\') => quote(&unquoted(value)?, out),
        _ => out.push_str(value),
    }
    Some(())
}

/// Writes the text as a JSON string.
pub(super) fn quote(text: &str, out: &mut String) {
    // A string can always be written.
    if let Ok(quoted) = serde_json::to_string(text) {
        out.push_str(&quoted);
    }
}
