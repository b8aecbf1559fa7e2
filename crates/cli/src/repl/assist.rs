//! What the prompt does while somebody types: completes, colours, and waits for the `;`.

use std::borrow::Cow;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};
use tidemill::Session;

/// The words of the dialect that are worth completing and colouring.
const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "ARRAY",
    "AS",
    "ASC",
    "BEGIN",
    "BETWEEN",
    "BIGINT",
    "BOOLEAN",
    "BY",
    "CASE",
    "CAST",
    "CHANGES",
    "CLOSE",
    "CREATE",
    "CROSS",
    "CUBE",
    "CUMULATE",
    "DATE",
    "DECIMAL",
    "DESC",
    "DESCRIBE",
    "DESCRIPTOR",
    "DISTINCT",
    "DOUBLE",
    "DROP",
    "ELSE",
    "EMIT",
    "END",
    "ENFORCED",
    "EVERY",
    "EXECUTE",
    "EXISTS",
    "EXPLAIN",
    "FILTER",
    "FLOAT",
    "FOR",
    "FROM",
    "FUNCTIONS",
    "GROUP",
    "GROUPING",
    "HAVING",
    "HOP",
    "HOUR",
    "IF",
    "IN",
    "INSERT",
    "INT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOGICAL",
    "MAP",
    "METADATA",
    "MINUTE",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "PARTITION",
    "PARTITIONED",
    "PRIMARY",
    "RESET",
    "ROLLUP",
    "ROW",
    "SECOND",
    "SELECT",
    "SESSION",
    "SET",
    "SETS",
    "SETTINGS",
    "SHOW",
    "STATE",
    "STATEMENT",
    "STREAM",
    "STRING",
    "TABLE",
    "TABLES",
    "TEMPORARY",
    "THEN",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "TUMBLE",
    "UNION",
    "UNNEST",
    "VALUES",
    "VERIFY",
    "VIEW",
    "VIEWS",
    "WATERMARK",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// Looks things up in the session while somebody types.
pub(super) struct Assist {
    session: Session,
}

impl Assist {
    pub(super) fn new(session: Session) -> Self {
        Self { session }
    }

    /// Everything that begins with `prefix`, whatever its case: tables, columns, functions, keywords.
    fn candidates(&self, prefix: &str) -> Vec<String> {
        let lower = prefix.to_lowercase();
        let mut found: Vec<String> = self
            .session
            .names()
            .into_iter()
            .chain(KEYWORDS.iter().map(ToString::to_string))
            .filter(|name| name.to_lowercase().starts_with(&lower))
            .collect();
        found.sort_by_key(|name| name.to_lowercase());
        found.dedup_by_key(|name| name.to_lowercase());
        found
    }
}

impl Helper for Assist {}

impl Hinter for Assist {
    type Hint = String;
}

impl Completer for Assist {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let start = line[..pos]
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
            .map_or(0, |i| i + line[i..].chars().next().map_or(1, char::len_utf8));
        let prefix = &line[start..pos];
        if prefix.is_empty() {
            return Ok((pos, vec![]));
        }
        let pairs = self.candidates(prefix).into_iter().map(|name| Pair { display: name.clone(), replacement: name });
        Ok((start, pairs.collect()))
    }
}

impl Validator for Assist {
    fn validate(&self, cx: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = cx.input().trim();
        let complete = text.is_empty() || text.starts_with('\\') || tidemill::sql::parser::is_complete(text);
        Ok(if complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Highlighter for Assist {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        Cow::Owned(colour(line))
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Owned(format!("\x1b[1m{prompt}\x1b[0m"))
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        true
    }
}

/// Keywords bold blue, strings green, numbers cyan, comments grey.
fn colour(line: &str) -> String {
    let mut out = String::with_capacity(line.len() * 2);
    let mut rest = line;
    let paint = |out: &mut String, code: &str, text: &str| {
        out.push_str("\x1b[");
        out.push_str(code);
        out.push('m');
        out.push_str(text);
        out.push_str("\x1b[0m");
    };
    while let Some(first) = rest.chars().next() {
        let len = |f: &dyn Fn(char) -> bool| rest.find(|c| !f(c)).unwrap_or(rest.len());
        let (code, n) = if rest.starts_with("--") {
            ("90", rest.find('\n').unwrap_or(rest.len()))
        } else if first == '\'' {
            ("32", rest[1..].find('\'').map_or(rest.len(), |i| i + 2))
        } else if first.is_ascii_digit() {
            ("36", len(&|c| c.is_ascii_digit() || c == '.'))
        } else if first.is_alphabetic() || first == '_' {
            let n = len(&|c| c.is_alphanumeric() || c == '_');
            let word = rest[..n].to_uppercase();
            (if KEYWORDS.binary_search(&word.as_str()).is_ok() { "1;34" } else { "" }, n)
        } else {
            ("", first.len_utf8())
        };
        match code {
            "" => out.push_str(&rest[..n]),
            code => paint(&mut out, code, &rest[..n]),
        }
        rest = &rest[n..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_in_order() {
        assert!(KEYWORDS.is_sorted(), "they are looked up by binary search");
    }

    #[test]
    fn words_strings_and_numbers_have_colours() {
        assert_eq!(colour("select 'a' x"), "\x1b[1;34mselect\x1b[0m \x1b[32m'a'\x1b[0m x");
        assert_eq!(colour("'open"), "\x1b[32m'open\x1b[0m");
        assert_eq!(colour("é 1.5"), "é \x1b[36m1.5\x1b[0m");
    }
}
