//! Strings taken apart: `SPLIT_INDEX`, `SPLIT`, `STR_TO_MAP`.

use std::sync::Arc;

use arrow::array::{ListBuilder, MapBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field, Fields};

use super::super::call::Compiled;
use super::super::declaration::{Function, Kind, array_of_strings, takes};
use super::pattern::compile;

pub(in super::super) static SPLIT_INDEX: Function = Function {
    names: &["split_index"],
    usage: "SPLIT_INDEX(string, separator, index)",
    about: "The part of that number, counted from 0, of the text split at each separator; NULL if there are not so \
            many. The separator is a text or the code of a character; an empty text splits at white space.",
    examples: &[
        ("split_index('a,b,c', ',', 1)", "b"),
        ("split_index('a,b,c', 44, 2)", "c"),
        ("split_index('a,,c', ',', 1)", ""),
        ("split_index('a,b,', ',', 2)", ""),
        ("split_index('a::b::c', '::', 2)", "c"),
        ("split_index('a,b,c', ',', 3)", "NULL"),
        ("split_index('a,b,c', ',', -1)", "NULL"),
        ("split_index('', ',', 0)", "NULL"),
        ("split_index('low tide', '', 1)", "tide"),
        ("split_index('a,b', 256, 0)", "NULL"),
        ("split_index(CAST(NULL AS STRING), ',', 0)", "NULL"),
    ],
    types: |args| {
        takes(args, &[Kind::Text, Kind::Text, Kind::Int], 3, DataType::Utf8)
            .or_else(|| takes(args, &[Kind::Text, Kind::Int, Kind::Int], 3, DataType::Utf8))
    },
    compute: |call| {
        let (text, index) = (call.text(0)?, call.int(2)?);
        let part = |text: &'_ str, index: i64| (!text.is_empty() && index >= 0).then_some(index as usize);
        if call.type_of(1) == &DataType::Int64 {
            let code = call.int(1)?;
            return call.pieces(|row| {
                let (Some(text), Some(code), Some(index)) = (text.at(row), code.at(row), index.at(row)) else {
                    return Ok(None);
                };
                let separator = u8::try_from(code).ok().filter(|code| *code > 0).map(char::from);
                Ok(separator.and_then(|separator| text.split(separator).nth(part(text, index)?)))
            });
        }
        let separator = call.text(1)?;
        call.pieces(|row| {
            let (Some(text), Some(separator), Some(index)) = (text.at(row), separator.at(row), index.at(row)) else {
                return Ok(None);
            };
            Ok(part(text, index).and_then(|index| {
                if separator.is_empty() {
                    text.split(char::is_whitespace).nth(index)
                } else {
                    text.split(separator).nth(index)
                }
            }))
        })
    },
    ..Function::PLAIN
};

pub(in super::super) static SPLIT: Function = Function {
    names: &["split"],
    usage: "SPLIT(string, separator)",
    about: "The parts of the text between the separators, as ARRAY<STRING>; its characters, if the separator is empty.",
    examples: &[
        ("split('a,b,c', ',')", "[a, b, c]"),
        ("split(',a', ',')", "[, a]"),
        ("split('abc', '')", "[a, b, c]"),
        ("split('abc', ';')", "[abc]"),
        ("split(CAST(NULL AS STRING), ',')", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text], 2, array_of_strings()),
    compute: |call| {
        let (text, separator) = (call.text(0)?, call.text(1)?);
        let mut out = ListBuilder::new(StringBuilder::new());
        for row in 0..call.rows {
            let both = text.at(row).zip(separator.at(row));
            if let Some((text, separator)) = both {
                if separator.is_empty() {
                    text.chars().for_each(|c| out.values().append_value(c.encode_utf8(&mut [0; 4])));
                } else {
                    text.split(separator).for_each(|part| out.values().append_value(part));
                }
            }
            out.append(both.is_some());
        }
        Ok(Arc::new(out.finish()))
    },
    ..Function::PLAIN
};

pub(in super::super) static STR_TO_MAP: Function = Function {
    names: &["str_to_map"],
    usage: "STR_TO_MAP(string[, between_pairs, between_key_and_value])",
    about: "The pairs that the text lists, as MAP<STRING, STRING>. The two delimiters are regular expressions, \
            `,` and `=` if nothing else is said; of a key that comes twice the last value counts.",
    examples: &[
        ("str_to_map('k1=v1,k2=v2')", "{k1: v1, k2: v2}"),
        ("str_to_map('k1:v1;k2: v2=3', ';', ':')", "{k1: v1, k2:  v2=3}"),
        ("str_to_map('k1$$v1|k2$$v2', '\\|', '\\$\\$')", "{k1: v1, k2: v2}"),
        ("str_to_map('k1=1,k1=2,k2')", "{k1: 2, k2: }"),
        ("str_to_map('')", "{}"),
        ("str_to_map(CAST(NULL AS STRING))", "NULL"),
    ],
    types: |args| match args.len() {
        1 | 3 => takes(args, &[Kind::Text; 3], 1, map_type()),
        _ => None,
    },
    compute: |call| {
        let text = call.text(0)?;
        let delimiters = if call.len() > 1 { Some((call.text(1)?, call.text(2)?)) } else { None };
        let (mut outers, mut inners) = (Compiled::new(), Compiled::new());
        let mut out = MapBuilder::new(Some(map_names()), StringBuilder::new(), StringBuilder::new());
        let mut pairs: Vec<(&str, Option<&str>)> = Vec::new();
        for row in 0..call.rows {
            let (outer, inner) = match &delimiters {
                None => (Some(","), Some("=")),
                Some((outer, inner)) => (outer.at(row), inner.at(row)),
            };
            let (Some(text), Some(outer), Some(inner)) = (text.at(row), outer, inner) else {
                out.append(false)?;
                continue;
            };
            let (outer, inner) = (outers.get(outer, compile)?, inners.get(inner, compile)?);
            pairs.clear();
            for pair in outer.split(text).filter(|_| !text.is_empty()) {
                let mut halves = inner.splitn(pair, 2);
                let (key, value) = (halves.next().unwrap_or(pair), halves.next());
                match pairs.iter_mut().find(|(known, _)| *known == key) {
                    Some(known) => known.1 = value,
                    None => pairs.push((key, value)),
                }
            }
            for (key, value) in &pairs {
                out.keys().append_value(key);
                out.values().append_option(*value);
            }
            out.append(true)?;
        }
        Ok(Arc::new(out.finish()))
    },
    ..Function::PLAIN
};

fn map_names() -> arrow::array::MapFieldNames {
    arrow::array::MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() }
}

/// `MAP<STRING, STRING>`.
fn map_type() -> DataType {
    let fields =
        Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields), false)), false)
}
