//! Regular expressions: `REGEXP`, `REGEXP_EXTRACT`, `REGEXP_REPLACE` and their like.

use arrow::array::{Array, BooleanArray, Int32Array, ListBuilder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::regex as datafusion_regex;
use regex::Regex;

use super::super::call::{Call, Compiled};
use super::super::declaration::{Function, Kind, array_of_strings, takes};
use super::pattern::compile;

/// Calls `f` for each row with the text and the compiled pattern; a pattern from a column that cannot be compiled is
/// a matter of that row alone, a constant one is an error.
fn with_pattern<'a, T>(
    call: &'a Call,
    mut f: impl FnMut(usize, &'a str, &Regex) -> Option<T>,
) -> Result<impl FnMut(usize) -> Result<Option<T>>> {
    let (text, pattern) = (call.text(0)?, call.text(1)?);
    let fails = call.is_constant(1);
    let mut compiled = Compiled::new();
    Ok(move |row| {
        let (Some(text), Some(pattern)) = (text.at(row), pattern.at(row)) else { return Ok(None) };
        let regex = compiled.get(pattern, |pattern| match compile(pattern) {
            Err(error) if fails => Err(error),
            other => Ok(other.ok()),
        })?;
        Ok(regex.as_ref().and_then(|regex| f(row, text, regex)))
    })
}

pub(in super::super) static REGEXP: Function = Function {
    names: &["regexp"],
    usage: "REGEXP(string, regex)",
    about: "Whether some part of the text matches a (Java) regular expression; an empty one matches nothing.",
    examples: &[
        ("regexp('Tidemill', 'm.l')", "true"),
        ("regexp('Tidemill', '^mill')", "false"),
        ("regexp('Tidemill', '')", "false"),
        ("regexp(CAST(NULL AS STRING), 'x')", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text], 2, DataType::Boolean),
    compute: |call| {
        call.collected::<bool, BooleanArray>(with_pattern(call, |_, text, regex| {
            Some(!regex.as_str().is_empty() && regex.is_match(text))
        })?)
    },
    ..Function::PLAIN
};

pub(in super::super) static REGEXP_EXTRACT: Function = Function {
    names: &["regexp_extract"],
    usage: "REGEXP_EXTRACT(string, regex[, group])",
    about: "What a group of a regular expression matched first; group 0, the default, is the whole match. NULL if \
            nothing matches or there is no such group.",
    examples: &[
        ("regexp_extract('foothebar', 'foo(.*?)(bar)', 2)", "bar"),
        ("regexp_extract('foothebar', 'foo(.*?)(bar)')", "foothebar"),
        ("regexp_extract('channel_id=42&x=1', '(&|^)channel_id=([^&]*)', 2)", "42"),
        ("regexp_extract('foothebar', 'foo(.*?)(bar)', 3)", "NULL"),
        ("regexp_extract('foothebar', 'foo', -1)", "NULL"),
        ("regexp_extract('foothebar', 'x')", "NULL"),
        ("regexp_extract('order 0042', '\\d+')", "0042"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text, Kind::Int], 2, DataType::Utf8),
    compute: |call| {
        let group = if call.len() > 2 { Some(call.int(2)?) } else { None };
        call.pieces(with_pattern(call, |row, text, regex| {
            let group = match &group {
                None => 0,
                Some(group) => usize::try_from(group.at(row)?).ok()?,
            };
            if group == 0 {
                return regex.find(text).map(|found| found.as_str());
            }
            Some(regex.captures(text)?.get(group)?.as_str())
        })?)
    },
    ..Function::PLAIN
};

pub(in super::super) static REGEXP_EXTRACT_ALL: Function = Function {
    names: &["regexp_extract_all"],
    usage: "REGEXP_EXTRACT_ALL(string, regex[, group])",
    about: "What a group of a regular expression matched, each time, as ARRAY<STRING>; group 1 if nothing else is \
            said, 0 is the whole match. NULL if there is no such group.",
    examples: &[
        ("regexp_extract_all('100-200, 300-400', '(\\d+)-(\\d+)', 2)", "[200, 400]"),
        ("regexp_extract_all('100-200, 300-400', '(\\d+)-(\\d+)')", "[100, 300]"),
        ("regexp_extract_all('a1b2', '[0-9]', 0)", "[1, 2]"),
        ("regexp_extract_all('ab', '([0-9])')", "[]"),
        ("regexp_extract_all('a1b2', '[0-9]', 1)", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text, Kind::Int], 2, array_of_strings()),
    compute: |call| {
        let group = if call.len() > 2 { Some(call.int(2)?) } else { None };
        let mut out = ListBuilder::new(StringBuilder::new());
        let mut rows = with_pattern(call, |row, text, regex| {
            let group = match &group {
                None => 1,
                Some(group) => usize::try_from(group.at(row)?).ok()?,
            };
            if group >= regex.captures_len() {
                return None;
            }
            for captures in regex.captures_iter(text) {
                out.values().append_option(captures.get(group).map(|found| found.as_str()));
            }
            out.append(true);
            Some(())
        })?;
        // Rows that give nothing are NULL; the builder is lent to the closure, so they are set afterwards.
        let valid: Vec<bool> = (0..call.rows).map(|row| Ok(rows(row)?.is_some())).collect::<Result<_>>()?;
        drop(rows);
        let filled = out.finish();
        let mut next = 0..filled.len() as u32;
        let indices: arrow::array::UInt32Array =
            valid.iter().map(|valid| if *valid { next.next() } else { None }).collect();
        Ok(arrow::compute::take(&filled, &indices, None)?)
    },
    ..Function::PLAIN
};

pub(in super::super) static REGEXP_REPLACE: Function = Function {
    names: &["regexp_replace"],
    usage: "REGEXP_REPLACE(string, regex, replacement)",
    about: "The text with every match replaced. `$1` stands for what the first group matched, if there is such a \
            group; every other text stands for itself.",
    examples: &[
        ("regexp_replace('foobar', 'oo|ar', '')", "fb"),
        ("regexp_replace('2024-01-31', '(\\d+)-(\\d+)-(\\d+)', '$3.$2.$1')", "31.01.2024"),
        ("regexp_replace('10 USD', ' USD', '$')", "10$"),
        ("regexp_replace('10 USD', ' USD', '$1')", "10$1"),
        ("regexp_replace('foobar', CAST(NULL AS STRING), '')", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text; 3], 3, DataType::Utf8),
    compute: |call| {
        let (text, pattern, replacement) = (call.text(0)?, call.text(1)?, call.text(2)?);
        let fails = call.is_constant(1);
        let mut compiled = Compiled::new();
        call.written(|row, out| {
            let (Some(text), Some(pattern), Some(replacement)) = (text.at(row), pattern.at(row), replacement.at(row))
            else {
                return Ok(None);
            };
            let regex = compiled.get(pattern, |pattern| match compile(pattern) {
                Err(error) if fails => Err(error),
                other => Ok(other.ok()),
            })?;
            Ok(regex.as_ref().map(|regex| replace(text, regex, replacement, out)))
        })
    },
    otherwise: Some(datafusion_regex::regexp_replace),
    ..Function::PLAIN
};

fn replace(text: &str, regex: &Regex, replacement: &str, out: &mut String) {
    let mut end = 0;
    // Looking for groups takes longer than looking for matches.
    if replacement.contains('$') && regex.captures_len() > 1 {
        for captures in regex.captures_iter(text) {
            let Some(found) = captures.get(0) else { continue };
            out.push_str(&text[end..found.start()]);
            end = found.end();
            let mut rest = replacement;
            while let Some(at) = rest.find('$') {
                out.push_str(&rest[..at]);
                let digit = rest[at + 1..].bytes().next().filter(u8::is_ascii_digit).map(|b| usize::from(b - b'0'));
                match digit.filter(|group| *group < captures.len()) {
                    Some(group) => {
                        out.push_str(captures.get(group).map_or("", |found| found.as_str()));
                        rest = &rest[at + 2..];
                    }
                    None => {
                        out.push('$');
                        rest = &rest[at + 1..];
                    }
                }
            }
            out.push_str(rest);
        }
    } else {
        for found in regex.find_iter(text) {
            out.push_str(&text[end..found.start()]);
            out.push_str(replacement);
            end = found.end();
        }
    }
    out.push_str(&text[end..]);
}

pub(in super::super) static REGEXP_COUNT: Function = Function {
    names: &["regexp_count"],
    usage: "REGEXP_COUNT(string, regex)",
    about: "How often a regular expression matches.",
    examples: &[("regexp_count('a1b22c', '\\d+')", "2"), ("regexp_count('abc', 'x')", "0")],
    types: |args| takes(args, &[Kind::Text, Kind::Text], 2, DataType::Int32),
    compute: |call| {
        call.collected::<i32, Int32Array>(with_pattern(call, |_, text, regex| {
            Some(regex.find_iter(text).count() as i32)
        })?)
    },
    otherwise: Some(datafusion_regex::regexp_count),
    ..Function::PLAIN
};

pub(in super::super) static REGEXP_INSTR: Function = Function {
    names: &["regexp_instr"],
    usage: "REGEXP_INSTR(string, regex)",
    about: "The place of the first match; 0 if there is none.",
    examples: &[
        ("regexp_instr('abc12', '\\d')", "4"),
        ("regexp_instr('abc', '\\d')", "0"),
        ("regexp_instr('übe1', '\\d')", "4"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text], 2, DataType::Int32),
    compute: |call| {
        call.collected::<i32, Int32Array>(with_pattern(call, |_, text, regex| {
            Some(regex.find(text).map_or(0, |found| text[..found.start()].chars().count() as i32 + 1))
        })?)
    },
    otherwise: Some(datafusion_regex::regexp_instr),
    ..Function::PLAIN
};

pub(in super::super) static REGEXP_SUBSTR: Function = Function {
    names: &["regexp_substr"],
    usage: "REGEXP_SUBSTR(string, regex)",
    about: "The first match; NULL if there is none.",
    examples: &[("regexp_substr('abc12d', '\\d+')", "12"), ("regexp_substr('abc', '\\d+')", "NULL")],
    types: |args| takes(args, &[Kind::Text, Kind::Text], 2, DataType::Utf8),
    compute: |call| call.pieces(with_pattern(call, |_, text, regex| regex.find(text).map(|found| found.as_str()))?),
    ..Function::PLAIN
};

#[cfg(test)]
mod tests {
    use super::super::super::tests::check_constant;

    #[test]
    fn a_constant_pattern_that_cannot_be_compiled_is_an_error() {
        check_constant(
            "regexp('Tidemill', '(?=T)')",
            "Execution error: the regular expression '(?=T)' does not work here: look-around, including look-ahead and look-behind, is not supported",
        );
    }

    #[test]
    fn more_arguments_are_datafusions() {
        check_constant("regexp_replace('aaa', 'A', 'b', 'i')", "baa");
    }
}
