//! What a string is made of: `IS_ALPHA`, `IS_DIGIT`, `IS_DECIMAL`. They answer for NULL too: it is none of these.

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::super::call::Call;
use super::super::declaration::{Function, Kind, Types, takes};

/// A string, or anything else as it is: that a number is one needs no look at it.
fn types(args: &[DataType]) -> Option<Types> {
    takes(args, &[Kind::Text], 1, DataType::Boolean).or_else(|| takes(args, &[Kind::Any], 1, DataType::Boolean))
}

/// Answers for a string by `of_text`, for other values by `of_type`.
fn answer(call: &Call, of_text: fn(&str) -> bool, of_type: fn(&DataType) -> bool) -> Result<ArrayRef> {
    if call.type_of(0) == &DataType::Utf8 {
        let text = call.text(0)?;
        return call.collected::<bool, BooleanArray>(|row| Ok(Some(text.at(row).is_some_and(of_text))));
    }
    let (array, kind) = (call.array(0)?, of_type(call.type_of(0)));
    call.collected::<bool, BooleanArray>(|row| Ok(Some(kind && array.is_valid(row))))
}

pub(in super::super) static IS_ALPHA: Function = Function {
    names: &["is_alpha"],
    usage: "IS_ALPHA(string)",
    about: "Whether all characters are letters, and there is one; FALSE for NULL.",
    examples: &[
        ("is_alpha('Ebbe')", "true"),
        ("is_alpha('Mühle')", "true"),
        ("is_alpha('a1')", "false"),
        ("is_alpha('')", "false"),
        ("is_alpha(CAST(NULL AS STRING))", "false"),
    ],
    types,
    compute: |call| answer(call, |text| !text.is_empty() && text.chars().all(char::is_alphabetic), |_| false),
    ..Function::PLAIN
};

pub(in super::super) static IS_DIGIT: Function = Function {
    names: &["is_digit"],
    usage: "IS_DIGIT(string)",
    about: "Whether all characters are digits, and there is one; FALSE for NULL.",
    examples: &[
        ("is_digit('0042')", "true"),
        ("is_digit('4.2')", "false"),
        ("is_digit('')", "false"),
        ("is_digit(CAST(NULL AS STRING))", "false"),
        ("is_digit(42)", "true"),
    ],
    types,
    compute: |call| {
        answer(call, |text| !text.is_empty() && text.chars().all(char::is_numeric), |kind| kind.is_integer())
    },
    ..Function::PLAIN
};

pub(in super::super) static IS_DECIMAL: Function = Function {
    names: &["is_decimal"],
    usage: "IS_DECIMAL(string)",
    about: "Whether the text is a number; FALSE for NULL.",
    examples: &[
        ("is_decimal('-4.2e1')", "true"),
        ("is_decimal('4,2')", "false"),
        ("is_decimal('')", "false"),
        ("is_decimal(CAST(NULL AS STRING))", "false"),
        ("is_decimal(4.2)", "true"),
    ],
    types,
    compute: |call| answer(call, is_number, |kind| kind.is_numeric()),
    ..Function::PLAIN
};

/// What Java reads as a double: the words that Rust knows besides (`inf`, `nan`) are not numbers.
fn is_number(text: &str) -> bool {
    let trimmed = text.trim();
    let plain = trimmed.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(trimmed);
    matches!(trimmed, "NaN" | "Infinity" | "-Infinity" | "+Infinity")
        || (plain.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) && plain.parse::<f64>().is_ok())
}
