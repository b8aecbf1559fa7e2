//! Texts read as whole numbers: `CAST('13.9' AS INT)` is 13, as in Flink, and white space around a number does not count.

use std::borrow::Cow;

use datafusion::arrow::array::{Array, ArrayRef, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};

use crate::parser::types::type_name;

/// Whether texts are read as such numbers in this way.
pub(super) fn is_whole(to: &DataType) -> bool {
    to.is_integer()
}

/// The numbers of a type that the texts are; NULL for the others where that is `safe`, and otherwise an error.
pub(super) fn whole(texts: &StringArray, to: &DataType, safe: bool) -> Result<ArrayRef> {
    let plain = cast(texts, to)?;
    if plain.null_count() == texts.null_count() {
        return Ok(plain);
    }
    // Few texts are not plain numbers, and then all are read once more.
    let shortened: StringArray = texts.iter().map(|text| text.map(before_the_point)).collect();
    let read = cast(&shortened, to)?;
    if !safe && let Some(row) = (0..texts.len()).find(|row| read.is_null(*row) && texts.is_valid(*row)) {
        return exec_err!("'{}' cannot be cast to {}", texts.value(row), type_name(to));
    }
    Ok(read)
}

/// The whole part of a decimal number; any other text as it is, without the white space around it.
fn before_the_point(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    let Some((whole, fraction)) = text.split_once('.') else { return text.into() };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let unsigned = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    match (unsigned.is_empty(), fraction.is_empty()) {
        // `.` alone is no number.
        (true, true) => text.into(),
        _ if !digits(unsigned) || !digits(fraction) => text.into(),
        (true, false) => "0".into(),
        (false, _) => whole.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::before_the_point;

    #[test]
    fn what_stands_after_the_point_is_left_away() {
        for (text, whole) in
            [(" 13.9 ", "13"), ("-0.5", "-0"), (".5", "0"), ("7.", "7"), ("1.x", "1.x"), (".", "."), ("1e3", "1e3")]
        {
            assert_eq!(before_the_point(text), whole, "{text}");
        }
    }
}
