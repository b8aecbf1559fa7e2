//! The names of types in DataFusion's messages, in SQL's: `Utf8` is `STRING`, `List(Int64)` is `ARRAY<BIGINT>`.

use std::str::FromStr;

use datafusion::arrow::datatypes::DataType;

use crate::parser::types::type_name;

/// Types that stand alone.
const PLAIN: &[&str] = &[
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float32",
    "Float64",
    "Utf8",
    "LargeUtf8",
    "Utf8View",
    "Binary",
    "LargeBinary",
    "BinaryView",
    "Boolean",
    "Date32",
];

/// Types with others, or with a unit, in parentheses.
const COMPOSED: &[&str] =
    &["Timestamp", "Time32", "Time64", "Decimal128", "List", "Map", "Struct", "Interval", "Duration"];

/// The message with the names of types as they are written in SQL.
pub(crate) fn in_sql(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let length = match after.starts_with('(') && COMPOSED.contains(&word) {
            true => end + closed(after),
            false => end,
        };
        let parsed = (PLAIN.contains(&word) || length > end).then(|| named(&rest[..length])).flatten();
        match parsed {
            Some(name) => {
                out.push_str(&name);
                rest = &rest[length..];
            }
            None => {
                out.push_str(word);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn named(text: &str) -> Option<String> {
    if text.starts_with("Interval(") {
        return Some("INTERVAL".into());
    }
    DataType::from_str(text).ok().map(|t| type_name(&t))
}

/// How long the parentheses are that a text begins with; nothing if they are not closed.
fn closed(text: &str) -> usize {
    let mut depth = 0;
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return i + 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::in_sql;

    #[test]
    fn types_are_named_as_in_sql() {
        let check = |message: &str, expected: &str| assert_eq!(in_sql(message), expected);
        check("cannot coerce Utf8 + Int64", "cannot coerce STRING + BIGINT");
        check("to value of Date32 type", "to value of DATE type");
        check("from Time32(ms) to Timestamp(µs)", "from TIME to TIMESTAMP(6)");
        check("Decimal128(5, 3) and Int64Array", "DECIMAL(5, 3) and Int64Array");
        check(
            "f(List(Struct(\"a\": Boolean, \"b\": Date32)), Float64)",
            "f(ARRAY<ROW<`a` BOOLEAN, `b` DATE>>, DOUBLE)",
        );
        check("hour(Interval(MonthDayNano))", "hour(INTERVAL)");
        check("List of things, and a Map(", "List of things, and a Map(");
    }
}
