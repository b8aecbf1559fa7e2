//! The one error type that leaves a public function.
//!
//! A kind exists only where its reader would act differently: mend the statement, wait for what it does not support,
//! look at the data, look at the outside world, or report a bug.

use std::fmt;

/// A result whose error can be shown to the person who wrote the statement.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the reader of an error would do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The statement, or an option in it, is wrong: mend it.
    Statement,
    /// The statement is right SQL that Tidemill does not run: rewrite it.
    Unsupported,
    /// The data is not what was declared: look at the named record.
    Data,
    /// Something outside failed (a file, a store, a network): mend it or try again.
    External,
    /// The work was cancelled by the person who started it.
    Cancelled,
    /// A bug in Tidemill: report it.
    Internal,
}

/// A place in the text of a statement: one-based line and column, and a length in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// One-based line.
    pub line: u64,
    /// One-based column, in characters.
    pub column: u64,
    /// How many characters the place covers; at least 1.
    pub len: u64,
}

impl Span {
    /// The place of `len` characters from `line` and `column` on (both one-based).
    pub fn new(line: u64, column: u64, len: u64) -> Self {
        Self { line, column, len: len.max(1) }
    }
}

/// What is wrong, where, and what to do about it.
///
/// `Display` prints the message and the hint; [`Error::render`] adds the line of the statement with a caret under it.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    span: Option<Span>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `message`: a sentence without a full stop, in the words of the person's statement.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), hint: None, span: None, source: None }))
    }

    /// The statement is wrong.
    pub fn statement(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Statement, message)
    }

    /// The statement is right SQL that Tidemill does not run.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// The data is not what was declared.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// Something outside failed.
    pub fn external(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::External, message)
    }

    /// The work was cancelled.
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Cancelled, message)
    }

    /// A bug in Tidemill.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Adds what to do next: a full sentence.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a hint that names the nearest of `known` to `name` and lists them all.
    #[must_use]
    pub fn with_nearest<'a>(self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest_hint(name, known) {
            Some(hint) => self.with_hint(hint),
            None => self,
        }
    }

    /// Adds the place in the statement. The first place named, the innermost, is kept.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.0.span.get_or_insert(span);
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Puts `context` before the message: `context: message`.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// What the reader would do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is wrong, without the hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next, if there is something to say.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Where in the statement's text.
    pub fn span(&self) -> Option<Span> {
        self.0.span
    }

    /// The message, the line of `text` that it is about with a caret under the place, and the hint.
    pub fn render(&self, text: &str) -> String {
        let mut out = self.0.message.clone();
        if self.0.kind == ErrorKind::Internal {
            out.push_str(" (this is a bug in Tidemill, please report it)");
        }
        if let Some(span) = self.0.span
            && let Some(line) = text.lines().nth(span.line.saturating_sub(1) as usize)
        {
            let number = span.line.to_string();
            let gutter = " ".repeat(number.len());
            // Tabs are kept in the padding so that the caret stands under its character.
            let pad: String = line
                .chars()
                .take(span.column.saturating_sub(1) as usize)
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            let room = line.chars().count().saturating_sub(span.column.saturating_sub(1) as usize).max(1);
            let carets = "^".repeat((span.len as usize).min(room));
            out.push_str(&format!(
                "\n{gutter} --> line {}, column {}\n{gutter} |\n{number} | {line}\n{gutter} | {pad}{carets}",
                span.line, span.column
            ));
        }
        if let Some(hint) = &self.0.hint {
            out.push_str("\nhint: ");
            out.push_str(hint);
        }
        out
    }
}

/// `Did you mean "x"? Known: a, b, c.`, or nothing where nothing is known.
fn nearest_hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    let lower = name.to_lowercase();
    let nearest = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(&lower, &k.to_lowercase()), *k))
        .min()
        .filter(|(distance, k)| *distance <= 1 + k.len().max(lower.len()) / 3);
    let list = (!known.is_empty()).then(|| known.join(", "));
    match (nearest, list) {
        (Some((_, near)), Some(list)) => Some(format!("Did you mean '{near}'? Known: {list}.")),
        (None, Some(list)) => Some(format!("Known: {list}.")),
        (_, None) => None,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(span) = self.0.span {
            write!(f, " (line {}, column {})", span.line, span.column)?;
        }
        if let Some(hint) = &self.0.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|e| e as _)
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(e: arrow::error::ArrowError) -> Self {
        Self::data(e.to_string()).caused_by(e)
    }
}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        Self::external(e.to_string()).caused_by(e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn render_points_at_the_place() {
        let e = Error::statement("no column 'delya' in table 'flights'")
            .with_nearest("delya", ["delay", "carrier"])
            .at(Span::new(2, 8, 5));
        assert_eq!(
            e.render("SELECT\n   avg(delya)\nFROM flights"),
            "no column 'delya' in table 'flights'\n  --> line 2, column 8\n  |\n2 |    avg(delya)\n  |        ^^^^^\nhint: Did you mean 'delay'? Known: delay, carrier."
        );
    }

    #[test]
    fn a_far_name_is_not_suggested() {
        let e = Error::statement("x").with_nearest("zzzzzz", ["json", "csv"]);
        assert_eq!(e.hint(), Some("Known: json, csv."));
    }
}
