//! Partitions in a path, as Hive and Flink write them: `day=2024-01-31/carrier=AA`.
//!
//! Values are percent-escaped where a path could not hold them; NULL and the empty text are a name of their own.

use std::borrow::Cow;

/// Characters that Hive escapes in the name of a partition's directory.
const SPECIAL: &str = "\"#%'*/:=?\\{[]^";

/// `value` as a part of a path.
pub(crate) fn escape(value: &str) -> Cow<'_, str> {
    let special = |c: char| c.is_ascii_control() || SPECIAL.contains(c);
    if !value.contains(special) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len() + 8);
    for c in value.chars() {
        // All special characters are ASCII: one byte each.
        if special(c) { out.push_str(&format!("%{:02X}", c as u32)) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Undoes [`escape`]. A `%` that is not followed by two hexadecimal digits stays, and so does what is not UTF-8 then.
pub(crate) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let digits = (bytes[i] == b'%').then(|| text.get(i + 1..i + 3)).flatten();
        match digits.and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// The value of partition `column` in the path of a file, unescaped.
pub(crate) fn value_in_path(path: &str, column: &str) -> Option<String> {
    path.split('/').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        (unescape(name) == column).then(|| unescape(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_path() {
        for (value, part) in [("a", "a"), ("a/b", "a%2Fb"), ("100%", "100%25"), ("x=y", "x%3Dy"), ("ü €", "ü €")]
        {
            assert_eq!(escape(value), part);
            assert_eq!(unescape(part), value);
        }
        assert_eq!(unescape("5% off %zz"), "5% off %zz");
        assert_eq!(value_in_path("out/day=2024-01-31/c=a%2Fb/part-0.json", "c").as_deref(), Some("a/b"));
        assert_eq!(value_in_path("out/day=2024-01-31/part-0.json", "c"), None);
    }
}
