//! An option is declared once: its name, type, default and meaning.
//!
//! `SHOW`, the error messages and the reference page are made from the declaration. A connector or format lists its
//! [`OptionSpec`]s; [`OptionValues::check`] refuses a name that nobody declared and a value that does not parse.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Error, Result};

/// What values an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number, zero or above.
    Int,
    /// A number.
    Float,
    /// `10 s`, `500 ms`, `5 min`, `1 h`, `1 d`; a bare number is milliseconds.
    Duration,
    /// `64 mb`, `512 kb`; a bare number is bytes.
    Size,
    /// One of these words, whatever their case.
    OneOf(&'static [&'static str]),
}

/// The one declaration of an option.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// As written in `WITH (..)` or `SET`. A name that ends in `.*` stands for a family: `fields.*` takes `fields.a.kind`.
    pub name: &'static str,
    /// What values it takes.
    pub kind: OptionKind,
    /// Its value when it is not given, as it would be written; `None` if it has none.
    pub default: Option<&'static str>,
    /// Whether it must be given.
    pub required: bool,
    /// One or two sentences for the reference page.
    pub doc: &'static str,
}

impl OptionSpec {
    /// An option with a default.
    pub const fn new(name: &'static str, kind: OptionKind, default: &'static str, doc: &'static str) -> Self {
        Self { name, kind, default: Some(default), required: false, doc }
    }

    /// An option that may be left out and then has no value.
    pub const fn optional(name: &'static str, kind: OptionKind, doc: &'static str) -> Self {
        Self { name, kind, default: None, required: false, doc }
    }

    /// An option that must be given.
    pub const fn required(name: &'static str, kind: OptionKind, doc: &'static str) -> Self {
        Self { name, kind, default: None, required: true, doc }
    }

    fn matches(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => self.name == name,
        }
    }
}

/// The options of one table (or of a session) as the person wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionValues(pub BTreeMap<String, String>);

impl OptionValues {
    /// From pairs of name and value.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }

    /// Refuses options that none of `specs` declares, values that do not parse and required options that are missing.
    /// `owner` is what the message calls the declarer: `connector 'filesystem'`.
    pub fn check(&self, owner: &str, specs: &[&[OptionSpec]]) -> Result<()> {
        let all = || specs.iter().flat_map(|s| s.iter());
        for (name, value) in &self.0 {
            let Some(spec) = all().find(|s| s.matches(name)) else {
                return Err(Error::statement(format!("{owner} has no option '{name}'"))
                    .with_nearest(name, all().map(|s| s.name)));
            };
            parse_as(spec.kind, name, value)?;
        }
        match all().find(|s| s.required && !self.0.contains_key(s.name)) {
            Some(missing) => Err(Error::statement(format!("{owner} needs the option '{}'", missing.name))
                .with_hint(format!("{} Write WITH ('{}' = '...').", missing.doc, missing.name))),
            None => Ok(()),
        }
    }

    /// The value as written, if it was given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of `spec`, or its default.
    pub fn text(&self, spec: &OptionSpec) -> Option<&str> {
        self.get(spec.name).or(spec.default)
    }

    /// A [`OptionKind::Bool`].
    pub fn bool(&self, spec: &OptionSpec) -> Result<bool> {
        match self.text(spec) {
            Some(v) => parse_bool(spec.name, v),
            None => Ok(false),
        }
    }

    /// An [`OptionKind::Int`].
    pub fn int(&self, spec: &OptionSpec) -> Result<Option<u64>> {
        self.text(spec).map(|v| parse_int(spec.name, v)).transpose()
    }

    /// A [`OptionKind::Float`].
    pub fn float(&self, spec: &OptionSpec) -> Result<Option<f64>> {
        self.text(spec).map(|v| v.trim().parse().map_err(|_| invalid(spec.name, v, "a number"))).transpose()
    }

    /// A [`OptionKind::Duration`].
    pub fn duration(&self, spec: &OptionSpec) -> Result<Option<Duration>> {
        self.text(spec).map(|v| parse_duration(spec.name, v)).transpose()
    }

    /// A [`OptionKind::Size`], in bytes.
    pub fn size(&self, spec: &OptionSpec) -> Result<Option<u64>> {
        self.text(spec).map(|v| parse_size(spec.name, v)).transpose()
    }

    /// A [`OptionKind::OneOf`], in the spelling of its declaration.
    pub fn one_of(&self, spec: &OptionSpec) -> Result<Option<&'static str>> {
        let OptionKind::OneOf(words) = spec.kind else {
            return Err(Error::internal(format!("option '{}' is not a choice", spec.name)));
        };
        self.text(spec).map(|v| parse_one_of(words, spec.name, v)).transpose()
    }
}

fn parse_as(kind: OptionKind, name: &str, value: &str) -> Result<()> {
    match kind {
        OptionKind::Text => Ok(()),
        OptionKind::Bool => parse_bool(name, value).map(drop),
        OptionKind::Int => parse_int(name, value).map(drop),
        OptionKind::Float => value.trim().parse::<f64>().map(drop).map_err(|_| invalid(name, value, "a number")),
        OptionKind::Duration => parse_duration(name, value).map(drop),
        OptionKind::Size => parse_size(name, value).map(drop),
        OptionKind::OneOf(words) => parse_one_of(words, name, value).map(drop),
    }
}

fn invalid(name: &str, value: &str, expected: &str) -> Error {
    Error::statement(format!("option '{name}' is '{value}', which is not {expected}"))
}

fn parse_bool(name: &str, value: &str) -> Result<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(name, value, "'true' or 'false'")),
    }
}

fn parse_int(name: &str, value: &str) -> Result<u64> {
    value.trim().replace('_', "").parse().map_err(|_| invalid(name, value, "a whole number, zero or above"))
}

fn parse_one_of(words: &'static [&'static str], name: &str, value: &str) -> Result<&'static str> {
    words.iter().copied().find(|w| w.eq_ignore_ascii_case(value.trim())).ok_or_else(|| {
        Error::statement(format!("option '{name}' does not know '{value}'")).with_nearest(value, words.iter().copied())
    })
}

/// Splits `10 min` into its number and its lower-case unit.
fn number_and_unit(value: &str) -> Option<(f64, String)> {
    let value = value.trim();
    let end = value.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(value.len());
    let number: f64 = value[..end].parse().ok()?;
    Some((number, value[end..].trim().to_ascii_lowercase()))
}

/// `10 s`, `500 ms`, `5 min`; a bare number is milliseconds. `name` is for the message.
pub fn parse_duration(name: &str, value: &str) -> Result<Duration> {
    let seconds = number_and_unit(value).and_then(|(number, unit)| {
        let unit = match unit.as_str() {
            "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => 1e-9,
            "us" | "µs" | "micro" | "micros" | "microsecond" | "microseconds" => 1e-6,
            "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1e-3,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3_600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => return None,
        };
        Some(number * unit)
    });
    seconds
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .ok_or_else(|| invalid(name, value, "a duration like '10 s', '500 ms' or '5 min'"))
}

fn parse_size(name: &str, value: &str) -> Result<u64> {
    let bytes = number_and_unit(value).and_then(|(number, unit)| {
        let unit = match unit.as_str() {
            "" | "b" | "bytes" => 1u64,
            "k" | "kb" | "kib" => 1 << 10,
            "m" | "mb" | "mib" => 1 << 20,
            "g" | "gb" | "gib" => 1 << 30,
            "t" | "tb" | "tib" => 1 << 40,
            _ => return None,
        };
        Some((number * unit as f64) as u64)
    });
    bytes.ok_or_else(|| invalid(name, value, "a size like '64 mb' or '512 kb'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[OptionSpec] = &[
        OptionSpec::required("path", OptionKind::Text, "Where the files are."),
        OptionSpec::new("interval", OptionKind::Duration, "1 s", "How often."),
        OptionSpec::optional("fields.*", OptionKind::Text, "By field."),
    ];

    #[test]
    fn an_unknown_option_names_the_nearest() {
        let e = OptionValues::from_pairs([("paht", "x")]).check("connector 'files'", &[SPECS]).unwrap_err();
        assert_eq!(e.message(), "connector 'files' has no option 'paht'");
        assert_eq!(e.hint(), Some("Did you mean 'path'? Known: path, interval, fields.*."));
    }

    #[test]
    fn a_required_option_is_asked_for() {
        let e = OptionValues::default().check("connector 'files'", &[SPECS]).unwrap_err();
        assert_eq!(e.message(), "connector 'files' needs the option 'path'");
    }

    #[test]
    fn values_are_parsed() {
        let o = OptionValues::from_pairs([("path", "p"), ("interval", "1.5 min"), ("fields.a.kind", "x")]);
        o.check("c", &[SPECS]).unwrap();
        assert_eq!(o.duration(&SPECS[1]).unwrap(), Some(Duration::from_secs(90)));
        assert!(OptionValues::from_pairs([("path", "p"), ("interval", "soon")]).check("c", &[SPECS]).is_err());
        assert_eq!(parse_size("s", "2 mb").unwrap(), 2 << 20);
    }
}
