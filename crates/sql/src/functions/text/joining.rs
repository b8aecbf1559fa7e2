//! Strings made of others: `CONCAT`, `CONCAT_WS`, `ELT`.

use arrow::datatypes::DataType;
use datafusion::functions::string;

use super::super::declaration::{Function, Kind, takes_many};

pub(in super::super) static CONCAT: Function = Function {
    names: &["concat"],
    usage: "CONCAT(string, ...)",
    about: "The arguments, one after the other; NULL if one of them is NULL. Numbers, times and booleans are \
            cast to STRING; arrays and bytes are joined as such.",
    examples: &[
        ("concat('AA', 'BB', 'CC')", "AABBCC"),
        ("concat('AA', CAST(NULL AS STRING))", "NULL"),
        ("concat('n', 1, TRUE)", "n1true"),
    ],
    types: |args| takes_many(args, Kind::Printable, 1, DataType::Utf8),
    compute: |call| {
        let parts = (0..call.len()).map(|i| call.text(i)).collect::<Result<Vec<_>, _>>()?;
        call.written(|row, out| {
            for part in &parts {
                let Some(part) = part.at(row) else { return Ok(None) };
                out.push_str(part);
            }
            Ok(Some(()))
        })
    },
    otherwise: Some(string::concat),
    ..Function::PLAIN
};

pub(in super::super) static CONCAT_WS: Function = Function {
    names: &["concat_ws"],
    usage: "CONCAT_WS(separator, string, ...)",
    about: "The arguments that are not NULL, with the separator between them; NULL if the separator is.",
    examples: &[
        ("concat_ws('~', 'AA', CAST(NULL AS STRING), 'BB', '', 'CC')", "AA~BB~~CC"),
        ("concat_ws(CAST(NULL AS STRING), 'AA', 'BB')", "NULL"),
        ("concat_ws('-', CAST(NULL AS STRING))", ""),
        ("concat_ws('-', 2024, 1)", "2024-1"),
    ],
    types: |args| takes_many(args, Kind::Printable, 1, DataType::Utf8),
    compute: |call| {
        let separator = call.text(0)?;
        let parts = (1..call.len()).map(|i| call.text(i)).collect::<Result<Vec<_>, _>>()?;
        call.written(|row, out| {
            let Some(separator) = separator.at(row) else { return Ok(None) };
            for (i, part) in parts.iter().filter_map(|part| part.at(row)).enumerate() {
                if i > 0 {
                    out.push_str(separator);
                }
                out.push_str(part);
            }
            Ok(Some(()))
        })
    },
    otherwise: Some(string::concat_ws),
    ..Function::PLAIN
};

pub(in super::super) static ELT: Function = Function {
    names: &["elt"],
    usage: "ELT(index, string, ...)",
    about: "The string of that number, counted from 1; NULL if there are not so many.",
    examples: &[("elt(2, 'ebb', 'flow')", "flow"), ("elt(3, 'ebb', 'flow')", "NULL"), ("elt(0, 'ebb')", "NULL")],
    types: |args| {
        let (index, rest) = args.split_first()?;
        let mut types = takes_many(rest, Kind::Text, 1, DataType::Utf8)?;
        if !index.is_integer() && !index.is_null() {
            return None;
        }
        types.args.insert(0, DataType::Int64);
        Some(types)
    },
    compute: |call| {
        let index = call.int(0)?;
        let choices = (1..call.len()).map(|i| call.text(i)).collect::<Result<Vec<_>, _>>()?;
        call.pieces(|row| {
            let chosen = index.at(row).and_then(|i| usize::try_from(i).ok()?.checked_sub(1));
            Ok(chosen.and_then(|i| choices.get(i)?.at(row)))
        })
    },
    ..Function::PLAIN
};
