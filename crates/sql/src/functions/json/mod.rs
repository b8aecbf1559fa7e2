//! JSON in strings: `JSON_VALUE`, `JSON_QUERY`, `JSON_EXISTS` and their like.
//!
//! A text that is not JSON, and a path that leads nowhere, give NULL (or FALSE): the default of Flink's `ON EMPTY` and
//! `ON ERROR`. A path that is not one is an error.

pub(super) mod clauses;
pub(super) mod make;
pub(crate) mod member;
mod path;
mod scan;

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int32Array};
use arrow::datatypes::{DataType, Field};
use arrow::json::writer::make_encoder;
use datafusion::common::exec_err;

use super::call::Compiled;
use super::declaration::{Function, Kind, takes};
use path::Path;

/// The one value at a definite path.
fn value_at<'t>(text: &'t str, path: &Path) -> Option<&'t str> {
    let mut value = None;
    scan::find(text.trim(), &path.steps, &mut |found| value = Some(found));
    value.filter(|_| path.is_definite())
}

fn is_nested(value: &str) -> bool {
    value.starts_with(['{', '['])
}

pub(super) static JSON_VALUE: Function = Function {
    names: &["json_value"],
    usage: "JSON_VALUE(json, path [RETURNING type] [.. ON EMPTY] [.. ON ERROR])",
    about: "The string, number or boolean at a path, as STRING or the type that is asked for; NULL where there is none. Paths: `$.a.b[0]`, \
            `$['a b']`, with `lax` or `strict` before them, which they are if nothing is said: what is not there, text that is not JSON, \
            and an object or array are an error of a strict path, and empty for a lax one. A null is empty for both; a value of another type is an error. \
            `NULL`, `ERROR` or `DEFAULT value` say what becomes of both.",
    examples: &[
        (r#"json_value('{"a": {"b": [true, "x"]}}', '$.a.b[1]')"#, "x"),
        (r#"json_value('{"a": true}', '$.a')"#, "true"),
        (r#"json_value('{"a": 12345678901234567890.10}', 'lax $.a')"#, "12345678901234567890.10"),
        (r#"json_value('{"a b": "say \"\u00fc\""}', 'strict $.["a b"]')"#, "say \"ü\""),
        (r#"json_value('{"a": [1]}', '$.a')"#, "NULL"),
        (r#"json_value('{"a": null}', '$.a')"#, "NULL"),
        (r#"json_value('{"a": 1}', '$.b')"#, "NULL"),
        (r#"json_value('[1, 2, 3]', '$[-1]')"#, "3"),
        (r#"json_value('{"a": 1, "a": 2}', '$.a')"#, "2"),
        (r#"json_value('"x"', '$')"#, "x"),
        (r#"json_value('{"a": 1', '$.a')"#, "NULL"),
        (r#"json_value(CAST(NULL AS STRING), '$.a')"#, "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text], 2, DataType::Utf8),
    compute: |call| {
        let (text, path) = (call.text(0)?, call.text(1)?);
        let mut paths = Compiled::new();
        call.written(|row, out| {
            let (Some(text), Some(path)) = (text.at(row), path.at(row)) else { return Ok(None) };
            let path = paths.get(path, Path::parse)?;
            if !scan::is_json(text) {
                return Ok(None);
            }
            Ok(value_at(text, path).filter(|value| *value != "null" && !is_nested(value)).and_then(|value| {
                if value.starts_with('"') {
                    out.push_str(&scan::unquoted(value)?);
                } else {
                    out.push_str(value);
                }
                Some(())
            }))
        })
    },
    ..Function::PLAIN
};

pub(super) static JSON_QUERY: Function = Function {
    names: &["json_query"],
    usage: "JSON_QUERY(json, path [RETURNING type] [WITH [UN]CONDITIONAL ARRAY WRAPPER] [.. ON EMPTY] [.. ON ERROR])",
    about: "The object or array at a path, as the text of JSON with its keys in order, or as an ARRAY of strings, numbers or booleans if that is asked for; \
            all that `*` and `..` find, as one array. As JSON_VALUE in all else, and `EMPTY ARRAY` and `EMPTY OBJECT` may stand where `NULL` may. The wrapper says what becomes an array: 'WITHOUT' nothing, 'CONDITIONAL' what is none yet, \
            'UNCONDITIONAL' everything. NULL where there is nothing or only a scalar.",
    examples: &[
        (r#"json_query('{ "a": { "c": 1, "b": [ ] } }', '$.a')"#, r#"{"b":[],"c":1}"#),
        (r#"json_query('[1, 2]', '$')"#, "[1,2]"),
        (r#"json_query('{"a":[{"c":"c1"},{"c":"c2"}]}', 'lax $.a[*].c')"#, r#"["c1","c2"]"#),
        (r#"json_query('{"a":{"x":1},"b":[{"x":[2]}]}', '$..x')"#, "[1,[2]]"),
        (r#"json_query('{"a": 1}', '$.a')"#, "NULL"),
        (r#"json_query('{"a": 1}', '$.a', 'CONDITIONAL')"#, "[1]"),
        (r#"json_query('[1, 2]', '$', 'CONDITIONAL')"#, "[1,2]"),
        (r#"json_query('[1, 2]', '$', 'UNCONDITIONAL')"#, "[[1,2]]"),
        (r#"json_query('{}', '$.a')"#, "NULL"),
        (r#"json_query('{]', '$')"#, "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text; 3], 2, DataType::Utf8),
    compute: |call| {
        let (text, path) = (call.text(0)?, call.text(1)?);
        let wrapper = if call.len() > 2 { Some(call.text(2)?) } else { None };
        let mut paths = Compiled::new();
        call.written(|row, out| {
            let wrapper = match &wrapper {
                None => Some("WITHOUT"),
                Some(wrapper) => wrapper.at(row),
            };
            let (Some(text), Some(path), Some(wrapper)) = (text.at(row), path.at(row), wrapper) else {
                return Ok(None);
            };
            let path = paths.get(path, Path::parse)?;
            if !scan::is_json(text) {
                return Ok(None);
            }
            let is_list = !path.is_definite();
            if is_list {
                let mut complete = Some(());
                out.push('[');
                scan::find(text.trim(), &path.steps, &mut |found| {
                    if out.len() > 1 {
                        out.push(',');
                    }
                    complete = complete.and_then(|()| scan::write_compact(found, out));
                });
                out.push(']');
                if complete.is_none() {
                    return Ok(None);
                }
            } else {
                match value_at(text, path) {
                    None | Some("null") => return Ok(None),
                    Some(value) => {
                        if scan::write_compact(value, out).is_none() {
                            return Ok(None);
                        }
                    }
                }
            }
            let wraps = match wrapper.to_ascii_uppercase().as_str() {
                "WITHOUT" => false,
                "CONDITIONAL" => !out.starts_with('['),
                "UNCONDITIONAL" => true,
                _ => {
                    return exec_err!(
                        "JSON_QUERY has no wrapper '{wrapper}': it is WITHOUT, CONDITIONAL or UNCONDITIONAL"
                    );
                }
            };
            if wraps {
                out.insert(0, '[');
                out.push(']');
            }
            Ok(is_nested(out).then_some(()))
        })
    },
    ..Function::PLAIN
};

pub(super) static JSON_EXISTS: Function = Function {
    names: &["json_exists"],
    usage: "JSON_EXISTS(json, path [.. ON ERROR])",
    about: "Whether there is something other than null at the path; FALSE if the text is not JSON. Where nothing is there, which is an error of a path that is \
            not `lax`, `TRUE`, `FALSE`, `UNKNOWN` or `ERROR` may be asked for.",
    examples: &[
        (r#"json_exists('{"a": [{ "b": 1 }]}', '$.a[0].b')"#, "true"),
        (r#"json_exists('{"a": true}', '$.b')"#, "false"),
        (r#"json_exists('{"a": null}', '$.a')"#, "false"),
        (r#"json_exists('{"a"', '$')"#, "false"),
        (r#"json_exists(CAST(NULL AS STRING), '$')"#, "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text], 2, DataType::Boolean),
    compute: |call| {
        let (text, path) = (call.text(0)?, call.text(1)?);
        let mut paths = Compiled::new();
        call.collected::<bool, BooleanArray>(|row| {
            let (Some(text), Some(path)) = (text.at(row), path.at(row)) else { return Ok(None) };
            let path = paths.get(path, Path::parse)?;
            let mut exists = false;
            if scan::is_json(text) {
                scan::find(text.trim(), &path.steps, &mut |found| exists |= found != "null");
                // All that a path with a star finds is an array, even if it is empty.
                exists |= !path.is_definite();
            }
            Ok(Some(exists))
        })
    },
    ..Function::PLAIN
};

pub(super) static IS_JSON: Function = Function {
    names: &["is_json"],
    usage: "IS_JSON(string[, kind])",
    about: "Whether the text is JSON, and of the kind 'VALUE' (any), 'SCALAR', 'ARRAY' or 'OBJECT'; FALSE for NULL. \
            `string IS JSON ARRAY` is the same.",
    examples: &[
        ("is_json('[]')", "true"),
        ("is_json('abc')", "false"),
        ("is_json('1', 'SCALAR')", "true"),
        ("is_json('1', 'ARRAY')", "false"),
        ("is_json('{}', 'OBJECT')", "true"),
        ("is_json(CAST(NULL AS STRING))", "false"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text], 1, DataType::Boolean),
    compute: |call| {
        let text = call.text(0)?;
        let kind = if call.len() > 1 { Some(call.text(1)?) } else { None };
        call.collected::<bool, BooleanArray>(|row| {
            let Some(text) = text.at(row) else { return Ok(Some(false)) };
            let kind = kind.as_ref().and_then(|kind| kind.at(row)).unwrap_or("VALUE");
            let start = text.trim_start();
            let fits = match kind.to_ascii_uppercase().as_str() {
                "VALUE" => true,
                "SCALAR" => !is_nested(start),
                "ARRAY" => start.starts_with('['),
                "OBJECT" => start.starts_with('{'),
                _ => return exec_err!("JSON has no kind '{kind}': it is VALUE, SCALAR, ARRAY or OBJECT"),
            };
            Ok(Some(fits && scan::is_json(text)))
        })
    },
    ..Function::PLAIN
};

pub(super) static JSON_LENGTH: Function = Function {
    names: &["json_length"],
    usage: "JSON_LENGTH(json[, path])",
    about: "How many elements the array, or keys the object, at a path has (the whole, if none is given); 1 for a \
            scalar. NULL where there is nothing.",
    examples: &[
        (r#"json_length('{"a": [1, 2, 3]}', '$.a')"#, "3"),
        (r#"json_length('{"a": 1, "b": 2}')"#, "2"),
        (r#"json_length('7')"#, "1"),
        (r#"json_length('{"a": 1}', '$.b')"#, "NULL"),
        (r#"json_length('[')"#, "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text], 1, DataType::Int32),
    compute: |call| {
        let text = call.text(0)?;
        let path = if call.len() > 1 { Some(call.text(1)?) } else { None };
        let mut paths = Compiled::new();
        call.collected::<i32, Int32Array>(|row| {
            let path = match &path {
                None => Some("$"),
                Some(path) => path.at(row),
            };
            let (Some(text), Some(path)) = (text.at(row), path) else { return Ok(None) };
            let path = paths.get(path, Path::parse)?;
            Ok(value_at(text, path).filter(|_| scan::is_json(text)).map(scan::length))
        })
    },
    ..Function::PLAIN
};

pub(super) static JSON_STRING: Function = Function {
    names: &["json_string"],
    usage: "JSON_STRING(value)",
    about: "A value of any type as the text of JSON, with keys in order.",
    examples: &[
        ("json_string('Hello, \"World\"!')", r#""Hello, \"World\"!""#),
        ("json_string(1)", "1"),
        ("json_string(TRUE)", "true"),
        ("json_string(split('1,2', ','))", r#"["1","2"]"#),
        ("json_string(str_to_map('b=1,a=2'))", r#"{"a":"2","b":"1"}"#),
        ("json_string(CAST(NULL AS INT))", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Any], 1, DataType::Utf8),
    compute: |call| {
        let array = call.array(0)?;
        let field = Arc::new(Field::new("value", array.data_type().clone(), true));
        let options = make::encoding();
        let mut encoder = make_encoder(&field, array.as_ref(), &options)?;
        let nested = array.data_type().is_nested();
        let mut buffer = Vec::new();
        call.written(|row, out| {
            if encoder.is_null(row) {
                return Ok(None);
            }
            buffer.clear();
            encoder.encode(row, &mut buffer);
            // What is written is JSON, and JSON is UTF-8.
            match String::from_utf8_lossy(&buffer) {
                text if nested => scan::write_made(&text, out),
                text => out.push_str(&text),
            }
            Ok(Some(()))
        })
    },
    ..Function::PLAIN
};

pub(super) static JSON_QUOTE: Function = Function {
    names: &["json_quote"],
    usage: "JSON_QUOTE(string)",
    about: "The text as a string of JSON, in quotes.",
    examples: &[(r#"json_quote('a "b"')"#, r#""a \"b\"""#)],
    types: |args| takes(args, &[Kind::Text], 1, DataType::Utf8),
    compute: |call| {
        let text = call.text(0)?;
        call.written(|row, out| Ok(text.at(row).map(|text| scan::quote(text, out))))
    },
    ..Function::PLAIN
};

pub(super) static JSON_UNQUOTE: Function = Function {
    names: &["json_unquote"],
    usage: "JSON_UNQUOTE(string)",
    about: "The text that a string of JSON stands for; the text itself if it is not one.",
    examples: &[(r#"json_unquote('"a \"b\""')"#, r#"a "b""#), ("json_unquote('[1]')", "[1]")],
    types: |args| takes(args, &[Kind::Text], 1, DataType::Utf8),
    compute: |call| {
        let text = call.text(0)?;
        call.written(|row, out| {
            Ok(text.at(row).map(|text| {
                let unquoted = text.starts_with('"').then(|| scan::unquoted(text)).flatten();
                out.push_str(unquoted.as_deref().unwrap_or(text));
            }))
        })
    },
    ..Function::PLAIN
};
