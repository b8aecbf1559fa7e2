//! Java's patterns of dates and times: `yyyy-MM-dd'T'HH:mm:ss.SSS`.
//!
//! The letters are those of `java.time.format.DateTimeFormatter`, names in English. Reading is a little more patient
//! than Java's: a field that is not followed directly by another may have fewer digits than letters (`2024-1-5` by
//! `yyyy-MM-dd`), and names are read in any case.

mod format;
mod parse;
mod postgres;

use datafusion::common::{Result, exec_err};

pub(super) use parse::{Parsed, Rest, parse_standard};
pub(super) use postgres::Template;

/// A pattern, taken apart.
#[derive(Debug)]
pub(super) struct Pattern {
    items: Vec<Item>,
}

#[derive(Debug)]
enum Item {
    /// Text that stands for itself.
    Literal(String),
    /// A letter, and how often it is repeated.
    Field(u8, usize),
    /// `[...]`: written always, read where it is there.
    Optional(Vec<Item>),
}

/// How often a letter may be repeated.
const LONGEST: usize = 32;

const LETTERS: &[u8] = b"GuyYQqMLwWdDeEcFaHkKhmsSAnNzVOXxZ";

impl Pattern {
    /// Takes a pattern apart; the error says which part of it means nothing.
    pub(super) fn compile(pattern: &str) -> Result<Self> {
        let mut chars = pattern.chars().peekable();
        // The innermost open bracket is last.
        let mut open: Vec<Vec<Item>> = vec![Vec::new()];
        while let Some(c) = chars.next() {
            match c {
                '\'' => {
                    let mut text = String::new();
                    let mut closed = false;
                    while let Some(c) = chars.next() {
                        if c != '\'' {
                            text.push(c);
                        } else if chars.peek() == Some(&'\'') {
                            chars.next();
                            text.push('\'');
                        } else {
                            closed = true;
                            break;
                        }
                    }
                    if !closed {
                        return exec_err!("the quote in the date pattern \"{pattern}\" is not closed");
                    }
                    // Two quotes in a row are a quote.
                    push_literal(last(&mut open), if text.is_empty() { "'" } else { &text });
                }
                '[' => open.push(Vec::new()),
                ']' => match open.pop() {
                    Some(inner) if !open.is_empty() => last(&mut open).push(Item::Optional(inner)),
                    _ => return exec_err!("the date pattern \"{pattern}\" closes a bracket that it did not open"),
                },
                c if c.is_ascii_alphabetic() => {
                    let mut count = 1;
                    while chars.peek() == Some(&c) {
                        chars.next();
                        count += 1;
                    }
                    if count > LONGEST {
                        return exec_err!("the date pattern \"{pattern}\" repeats the letter {c} {count} times");
                    }
                    let letter = c as u8;
                    if !LETTERS.contains(&letter) {
                        return exec_err!(
                            "the date pattern \"{pattern}\" has the letter {c}, which stands for nothing; text is quoted: '{c}'"
                        );
                    }
                    last(&mut open).push(Item::Field(letter, count));
                }
                c => push_literal(last(&mut open), c.encode_utf8(&mut [0; 4])),
            }
        }
        if open.len() != 1 {
            return exec_err!("the date pattern \"{pattern}\" opens a bracket that it does not close");
        }
        Ok(Self { items: open.pop().unwrap_or_default() })
    }
}

/// The list that is being filled; the outermost is never popped before the end.
fn last(open: &mut Vec<Vec<Item>>) -> &mut Vec<Item> {
    if open.is_empty() {
        open.push(Vec::new());
    }
    let at = open.len() - 1;
    &mut open[at]
}

fn push_literal(items: &mut Vec<Item>, text: &str) {
    if let Some(Item::Literal(literal)) = items.last_mut() {
        literal.push_str(text);
    } else {
        items.push(Item::Literal(text.to_string()));
    }
}

impl Item {
    /// Whether it begins with digits, so that a number before it must have exactly as many digits as letters.
    fn is_number(&self) -> bool {
        match self {
            Item::Field(b'M' | b'L' | b'Q' | b'q' | b'e' | b'c', count) => *count < 3,
            Item::Field(letter, _) => b"uyYwWdDFHkKhmsSAnN".contains(letter),
            Item::Literal(_) | Item::Optional(_) => false,
        }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// From Monday on.
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
