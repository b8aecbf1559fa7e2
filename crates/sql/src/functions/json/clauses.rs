//! What the clauses of `JSON_VALUE`, `JSON_QUERY` and `JSON_EXISTS` are made of; queries need not call these.

use std::sync::Arc;

use arrow::array::{Array, ArrayBuilder, BooleanArray, ListArray, StringBuilder, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field};
use datafusion::common::exec_err;

use super::path::Path;
use super::{Compiled, scan, value_at};
use crate::functions::declaration::{Function, Kind, Types, takes};

pub(in crate::functions) static JSON_IS_NULL: Function = Function {
    names: &["json_is_null"],
    usage: "JSON_IS_NULL(json, path)",
    about: "Whether a null of JSON is at the path; FALSE if there is nothing, or the text is not JSON.",
    examples: &[
        (r#"json_is_null('{"a": null}', '$.a')"#, "true"),
        (r#"json_is_null('{"a": null}', '$.b')"#, "false"),
        (r#"json_is_null('{', '$')"#, "false"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text], 2, DataType::Boolean),
    compute: |call| {
        let (text, path) = (call.text(0)?, call.text(1)?);
        let mut paths = Compiled::new();
        call.collected::<bool, BooleanArray>(|row| {
            let (Some(text), Some(path)) = (text.at(row), path.at(row)) else { return Ok(None) };
            let path = paths.get(path, Path::parse)?;
            Ok(Some(value_at(text, path) == Some("null") && scan::is_json(text)))
        })
    },
    ..Function::PLAIN
};

pub(in crate::functions) static JSON_ELEMENTS: Function = Function {
    names: &["json_elements"],
    usage: "JSON_ELEMENTS(json, type)",
    about: "The elements of an array of JSON, as an ARRAY of the type of the second argument, whose value does not count. \
            NULL if the text is no array, or one of its elements is not of that type; any of them is a text.",
    examples: &[
        (r#"json_elements('["a", 1, null, {"b": [2]}]', CAST(NULL AS STRING))"#, r#"[a, 1, , {"b":[2]}]"#),
        ("json_elements('[1, \"2\", null]', CAST(NULL AS INT))", "[1, 2, ]"),
        ("json_elements('[1, [2]]', CAST(NULL AS INT))", "NULL"),
        ("json_elements('[]', CAST(NULL AS INT))", "[]"),
        ("json_elements('{}', CAST(NULL AS STRING))", "NULL"),
    ],
    types: |args| match args {
        [_, element] => {
            let args = vec![Kind::Text.accept(&args[0])?, element.clone()];
            Some(Types { args, result: DataType::List(Arc::new(Field::new_list_field(element.clone(), true))) })
        }
        _ => None,
    },
    compute: |call| {
        let text = call.text(0)?;
        let (mut texts, mut lengths, mut buffer) = (StringBuilder::new(), Vec::with_capacity(call.rows), String::new());
        let mut valid = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            let array = text.at(row).map(str::trim).filter(|text| text.starts_with('[') && scan::is_json(text));
            let before = texts.len();
            for element in array.into_iter().flat_map(scan::elements) {
                buffer.clear();
                match element {
                    "null" => texts.append_null(),
                    element if element.starts_with('"') => texts.append_option(scan::unquoted(element)),
                    element => texts.append_option(scan::write_compact(element, &mut buffer).map(|()| &buffer)),
                }
            }
            lengths.push(texts.len() - before);
            valid.push(array.is_some());
        }
        let DataType::List(field) = call.result_type() else { return exec_err!("JSON_ELEMENTS gives an array") };
        let texts = texts.finish();
        let values = cast_with_options(&texts, field.data_type(), &CastOptions { safe: true, ..Default::default() })?;
        let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
        // An element that is there and could not be read makes the whole array NULL.
        let unread = |i: usize| values.is_null(i) && texts.is_valid(i);
        let nulls = BooleanBuffer::collect_bool(call.rows, |row| {
            let range = offsets[row] as usize..offsets[row + 1] as usize;
            valid[row] && !(values.null_count() > texts.null_count() && range.clone().any(unread))
        });
        Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, values, Some(NullBuffer::new(nulls)))?))
    },
    ..Function::PLAIN
};

pub(in crate::functions) static JSON_STOP: Function = Function {
    names: &["json_stop"],
    usage: "JSON_STOP(json, path)",
    about: "Stops the query: what ERROR ON EMPTY and ERROR ON ERROR do where they are asked for.",
    examples: &[("CASE WHEN 1 = 1 THEN 'a' ELSE json_stop('{}', '$.a') END", "a")],
    // Even of constants it is asked only for the rows that it is to be evaluated for, of which there may be none.
    per_row: true,
    types: |args| takes(args, &[Kind::Text, Kind::Text], 2, DataType::Utf8),
    compute: |call| {
        let (json, path) = (call.text(0)?, call.text(1)?);
        let asked = (0..call.rows).find_map(|row| Some((json.at(row)?, path.at(row)?)));
        match asked {
            None => Ok(new_null_array(call.result_type(), call.rows)),
            Some((json, path)) => {
                let shown: String = json.chars().take(200).collect();
                exec_err!("there is no value at the JSON path '{path}' in '{shown}'")
            }
        }
    },
    ..Function::PLAIN
};
