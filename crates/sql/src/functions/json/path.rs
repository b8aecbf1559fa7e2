//! Paths into JSON: `$.a.b[0]`, `$['a b']`, `lax $.a[*].c`.

use datafusion::common::{Result, exec_err};

/// A path, taken apart. The words `lax` and `strict` are read and make no difference where errors are NULL.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// `.name`
    Member(String),
    /// `[2]`, or `[-1]` for the last.
    Index(i64),
    /// `.*` and `[*]`: all members of an object, all elements of an array.
    All,
    /// `..`: the value, and all that it contains at any depth.
    Descend,
}

impl Path {
    pub(super) fn parse(path: &str) -> Result<Self> {
        let trimmed = path.trim();
        let mode = |word: &str| {
            let (head, rest) = trimmed.split_at_checked(word.len())?;
            (head.eq_ignore_ascii_case(word) && rest.starts_with(char::is_whitespace)).then(|| rest.trim_start())
        };
        let spec = mode("lax").or_else(|| mode("strict")).unwrap_or(trimmed);
        let Some(mut rest) = spec.strip_prefix('$') else {
            return exec_err!("the JSON path '{path}' does not begin with $");
        };
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let Some(after) = step(rest, &mut steps) else {
                return exec_err!(
                    "the JSON path '{path}' is not understood at '{rest}'; there are .name, ['name'], [0], [*], .* and .."
                );
            };
            rest = after;
        }
        Ok(Self { steps })
    }

    /// Whether it leads to one place at most.
    pub(super) fn is_definite(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Member(_) | Step::Index(_)))
    }
}

/// Reads one step, and gives what is left of the path.
fn step<'p>(path: &'p str, steps: &mut Vec<Step>) -> Option<&'p str> {
    if let Some(rest) = path.strip_prefix("..") {
        steps.push(Step::Descend);
        return if rest.starts_with(['[', '*']) { dotted_or_bracket(rest, steps) } else { name(rest, steps) };
    }
    match path.strip_prefix('.') {
        Some(rest) => dotted_or_bracket(rest, steps),
        None => bracket(path, steps),
    }
}

fn dotted_or_bracket<'p>(path: &'p str, steps: &mut Vec<Step>) -> Option<&'p str> {
    if let Some(rest) = path.strip_prefix('*') {
        steps.push(Step::All);
        return Some(rest);
    }
    if path.starts_with('[') { bracket(path, steps) } else { name(path, steps) }
}

fn name<'p>(path: &'p str, steps: &mut Vec<Step>) -> Option<&'p str> {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    (!name.is_empty() && !name.contains(['(', ')', '?', ']'])).then(|| {
        steps.push(Step::Member(name.trim_end().to_string()));
        rest
    })
}

fn bracket<'p>(path: &'p str, steps: &mut Vec<Step>) -> Option<&'p str> {
    let inside = path.strip_prefix('[')?.trim_start();
    if let Some(quote) = inside.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let mut name = String::new();
        let mut chars = inside[1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => name.push(chars.next()?.1),
                c if c == quote => {
                    steps.push(Step::Member(name));
                    return inside[1 + at + 1..].trim_start().strip_prefix(']');
                }
                c => name.push(c),
            }
        }
        return None;
    }
    let (inside, rest) = inside.split_once(']')?;
    steps.push(match inside.trim() {
        "*" => Step::All,
        index => Step::Index(index.parse().ok()?),
    });
    Some(rest)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(path: &str, expected: Expect) {
        let got = match Path::parse(path) {
            Ok(path) => format!("{:?}", path.steps),
            Err(error) => error.strip_backtrace(),
        };
        expected.assert_eq(&got);
    }

    #[test]
    fn paths_are_taken_apart() {
        check("$", expect!["[]"]);
        check("lax $.a.b[0]", expect![[r#"[Member("a"), Member("b"), Index(0)]"#]]);
        check("STRICT $['a b'][\"c\"][-1]", expect![[r#"[Member("a b"), Member("c"), Index(-1)]"#]]);
        check("$.['it\\'s'].*[*]..x", expect![[r#"[Member("it's"), All, All, Descend, Member("x")]"#]]);
    }

    #[test]
    fn what_is_not_a_path_is_said() {
        check("a.b", expect!["Execution error: the JSON path 'a.b' does not begin with $"]);
        check(
            "$.a[?(@.b > 1)]",
            expect![
                "Execution error: the JSON path '$.a[?(@.b > 1)]' is not understood at '[?(@.b > 1)]'; there are .name, ['name'], [0], [*], .* and .."
            ],
        );
    }
}
