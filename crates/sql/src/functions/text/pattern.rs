//! Java's regular expressions, compiled by Rust's.
//!
//! The two agree but for a few letters, which are rewritten here. Look-around and back-references do not exist in
//! Rust's, which in exchange takes linear time for every text; a pattern with them is an error.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use datafusion::common::{Result, exec_err};
use regex::Regex;

/// So many compiled patterns are kept on a thread. Patterns from a column may be more, and then begin anew.
const KEPT: usize = 64;

thread_local! {
    static COMPILED: RefCell<HashMap<String, Rc<Regex>>> = RefCell::default();
}

/// Compiles a pattern as Java means it. A function is called once for every epoch, however few rows it has, and to compile
/// takes as long as a thousand rows do: what was compiled is kept, with what it has found out about texts.
pub(super) fn compile(pattern: &str) -> Result<Rc<Regex>> {
    if let Some(regex) = COMPILED.with_borrow(|kept| kept.get(pattern).map(Rc::clone)) {
        return Ok(regex);
    }
    let regex = Rc::new(compile_anew(pattern)?);
    COMPILED.with_borrow_mut(|kept| {
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(pattern.to_string(), Rc::clone(&regex));
    });
    Ok(regex)
}

fn compile_anew(pattern: &str) -> Result<Regex> {
    match Regex::new(&translate(pattern)) {
        Ok(regex) => Ok(regex),
        Err(error) => {
            // The first lines draw the pattern; the last says what is wrong.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or("").trim_start_matches("error: ");
            exec_err!("the regular expression '{pattern}' does not work here: {reason}")
        }
    }
}

/// What Java means by a class that Rust reads otherwise: Java's know only ASCII.
const CLASSES: &[(char, &str)] = &[
    ('d', "[0-9]"),
    ('D', "[^0-9]"),
    ('w', "[a-zA-Z_0-9]"),
    ('W', "[^a-zA-Z_0-9]"),
    ('s', r"[ \t\n\x0B\f\r]"),
    ('S', r"[^ \t\n\x0B\f\r]"),
    ('h', r"[ \t\xA0\u{1680}\u{180e}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}]"),
    ('R', r"(?:\r\n|[\n\x0B\f\r\u{85}\u{2028}\u{2029}])"),
    ('Z', r"(?:\n?\z)"),
    ('e', r"\x1B"),
];

/// Java's names of ASCII classes.
const NAMED: &[(&str, &str)] = &[
    ("Lower", "a-z"),
    ("Upper", "A-Z"),
    ("ASCII", r"\x00-\x7F"),
    ("Alpha", "a-zA-Z"),
    ("Digit", "0-9"),
    ("Alnum", "a-zA-Z0-9"),
    ("Punct", r"!-/:-@\[-`{-~"),
    ("Graph", "!-~"),
    ("Print", " -~"),
    ("Blank", r" \t"),
    ("Cntrl", r"\x00-\x1F\x7F"),
    ("XDigit", "0-9a-fA-F"),
    ("Space", r" \t\n\x0B\f\r"),
    ("IsAlphabetic", r"\p{Alphabetic}"),
    ("IsDigit", r"\p{Nd}"),
    ("IsLetter", r"\p{L}"),
];

fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(letter) = rest.chars().next() else {
            out.push('\\');
            break;
        };
        let after = &rest[letter.len_utf8()..];
        if let Some((_, class)) = CLASSES.iter().find(|(known, _)| *known == letter) {
            out.push_str(class);
            rest = after;
        } else if letter == 'Q' {
            let (quoted, unquoted) = after.split_once("\\E").unwrap_or((after, ""));
            out.push_str(&regex::escape(quoted));
            rest = unquoted;
        } else if let Some((class, after)) = named_class(letter, after) {
            out.push_str(&class);
            rest = after;
        } else {
            // Java lets every other character be escaped; Rust only some.
            if !letter.is_ascii() || (letter.is_ascii_punctuation() && regex_syntax_has_no_escape(letter)) {
                out.push(letter);
            } else {
                out.push('\\');
                out.push(letter);
            }
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// `\p{Alpha}` and `\P{Alpha}`.
fn named_class(letter: char, after: &str) -> Option<(String, &str)> {
    let (name, left) = after.strip_prefix('{')?.split_once('}')?;
    let (_, class) = NAMED.iter().find(|(known, _)| *known == name)?;
    match letter {
        'p' => Some((format!("[{class}]"), left)),
        'P' => Some((format!("[^{class}]"), left)),
        _ => None,
    }
}

/// `<` and `>` escaped are the ends of words for Rust, and themselves for Java.
fn regex_syntax_has_no_escape(letter: char) -> bool {
    matches!(letter, '<' | '>')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, expected: &str) {
        assert_eq!(translate(pattern), expected);
    }

    #[test]
    fn classes_are_those_of_ascii() {
        check(r"\d+[\w.]", "[0-9]+[[a-zA-Z_0-9].]");
        check(r"\p{Alpha}\P{Digit}\p{Lu}", r"[a-zA-Z][^0-9]\p{Lu}");
    }

    #[test]
    fn a_pattern_is_compiled_once() {
        let first = compile("a+").expect("a pattern");
        assert!(Rc::ptr_eq(&first, &compile("a+").expect("the same")));
        for n in 0..2 * KEPT {
            compile(&format!("a{{{n}}}")).expect("a pattern");
        }
        assert!(COMPILED.with_borrow(HashMap::len) <= KEPT);
        assert!(compile("(").is_err());
    }

    #[test]
    fn a_quote_is_escaped() {
        check(r"\Qa.b\E.\Q(", r"a\.b.\(");
        check(r"\\d\.\<", r"\\d\.<");
    }
}
