//! `PARSE_URL`: the parts of a URL.

use arrow::datatypes::DataType;

use super::super::declaration::{Function, Kind, takes};

/// A URL as Java's `java.net.URL` takes it apart: no part is decoded.
#[derive(Default)]
struct Url<'t> {
    protocol: &'t str,
    authority: Option<&'t str>,
    path: &'t str,
    query: Option<&'t str>,
    reference: Option<&'t str>,
    file: &'t str,
}

impl<'t> Url<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let (protocol, rest) = text.trim().split_once(':')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if !protocol.starts_with(|c: char| c.is_ascii_alphabetic()) || !protocol.chars().all(is_name) {
            return None;
        }
        let (rest, reference) = match rest.split_once('#') {
            Some((rest, reference)) => (rest, Some(reference)),
            None => (rest, None),
        };
        let (authority, file) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
            None => (None, rest),
        };
        let (path, query) = match file.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (file, None),
        };
        Some(Self { protocol, authority, path, query, reference, file })
    }

    fn part(&self, name: &str) -> Option<&'t str> {
        match name {
            "PROTOCOL" => Some(self.protocol),
            "AUTHORITY" => self.authority,
            "USERINFO" => Some(self.authority?.rsplit_once('@')?.0),
            "HOST" => {
                let host = self.authority.map_or("", |a| a.rsplit_once('@').map_or(a, |(_, host)| host));
                // An address in brackets has colons of its own.
                Some(match host.find(']') {
                    Some(end) => &host[..=end],
                    None => host.split_once(':').map_or(host, |(host, _)| host),
                })
            }
            "PATH" => Some(self.path),
            "QUERY" => self.query,
            "REF" => self.reference,
            "FILE" => Some(self.file),
            _ => None,
        }
    }
}

pub(in super::super) static PARSE_URL: Function = Function {
    names: &["parse_url"],
    usage: "PARSE_URL(url, part[, key])",
    about: "A part of a URL: PROTOCOL, AUTHORITY, USERINFO, HOST, PATH, QUERY, REF or FILE; with QUERY and a key, the \
            value of that key. NULL where there is no such part.",
    examples: &[
        ("parse_url('http://example.com/path1/p.php?k1=v1&k2=v2#Ref1', 'HOST')", "example.com"),
        ("parse_url('http://example.com/path1/p.php?k1=v1&k2=v2#Ref1', 'PATH')", "/path1/p.php"),
        ("parse_url('http://example.com/path1/p.php?k1=v1&k2=v2#Ref1', 'QUERY')", "k1=v1&k2=v2"),
        ("parse_url('http://example.com/path1/p.php?k1=v1&k2=v2#Ref1', 'QUERY', 'k2')", "v2"),
        ("parse_url('http://example.com/path1/p.php?k1=v1&k2=v2#Ref1', 'QUERY', 'k3')", "NULL"),
        ("parse_url('http://example.com/path1/p.php?k1=v1&k2=v2#Ref1', 'REF')", "Ref1"),
        ("parse_url('http://example.com/path1/p.php?k1=v1#Ref1', 'FILE')", "/path1/p.php?k1=v1"),
        ("parse_url('https://me:pw@example.com:8080/', 'AUTHORITY')", "me:pw@example.com:8080"),
        ("parse_url('https://me:pw@example.com:8080/', 'USERINFO')", "me:pw"),
        ("parse_url('https://me:pw@example.com:8080/', 'HOST')", "example.com"),
        ("parse_url('https://example.com', 'PROTOCOL')", "https"),
        ("parse_url('https://example.com', 'QUERY')", "NULL"),
        ("parse_url('nowhere', 'HOST')", "NULL"),
        ("parse_url(CAST(NULL AS STRING), 'HOST')", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text; 3], 2, DataType::Utf8),
    compute: |call| {
        let (url, part) = (call.text(0)?, call.text(1)?);
        let key = if call.len() > 2 { Some(call.text(2)?) } else { None };
        call.pieces(|row| {
            let (Some(url), Some(part)) = (url.at(row), part.at(row)) else { return Ok(None) };
            let Some(found) = Url::parse(url).and_then(|url| url.part(part)) else { return Ok(None) };
            let Some(key) = &key else { return Ok(Some(found)) };
            Ok(key.at(row).filter(|_| part == "QUERY").and_then(|key| {
                found.split('&').find_map(|pair| pair.split_once('=').filter(|(known, _)| *known == key)).map(|p| p.1)
            }))
        })
    },
    ..Function::PLAIN
};
