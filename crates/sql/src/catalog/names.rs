//! How a name finds what it names: exactly, else without regard to case if that is unique.

use tidemill_core::{Error, Result};

/// What a name found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// This one.
    One(&'a str),
    /// More than one that differ only in case.
    Many(Vec<&'a str>),
    /// None.
    None,
}

/// Looks `name` up among `known`.
pub(crate) fn find<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Found<'a> {
    let mut close: Vec<&'a str> = vec![];
    for k in known {
        if k == name {
            return Found::One(k);
        }
        if k.to_lowercase() == name.to_lowercase() && !close.contains(&k) {
            close.push(k);
        }
    }
    match close.as_slice() {
        [] => Found::None,
        [one] => Found::One(one),
        _ => Found::Many(close),
    }
}

/// Looks `name` up, and says what is wrong if it is not there: `what` is `column`, `table`.
pub(crate) fn find_one<'a>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Result<&'a str> {
    match find(name, known.clone()) {
        Found::One(k) => Ok(k),
        Found::Many(close) => Err(ambiguous(what, name, &close)),
        Found::None => Err(Error::statement(format!("there is no {what} '{name}'")).with_nearest(name, known)),
    }
}

/// More than one name fits.
pub(crate) fn ambiguous(what: &str, name: &str, close: &[&str]) -> Error {
    let all: Vec<_> = close.iter().map(|c| format!("'{c}'")).collect();
    Error::statement(format!("{what} '{name}' could be {}", all.join(" or ")))
        .with_hint("Write it exactly as it is declared.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_first_then_without_case() {
        assert_eq!(find("a", ["A", "a"]), Found::One("a"));
        assert_eq!(find("PRICE", ["price", "b"]), Found::One("price"));
        assert_eq!(find("ab", ["AB", "Ab"]), Found::Many(vec!["AB", "Ab"]));
        assert_eq!(find("x", ["AB", "Ab"]), Found::None);
        let e = find_one("column", "ab", ["AB", "Ab"]).unwrap_err();
        assert_eq!(e.message(), "column 'ab' could be 'AB' or 'Ab'");
    }
}
