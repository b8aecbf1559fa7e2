//! Places in strings: `LOCATE`, `POSITION`, `INSTR`.

use arrow::array::{ArrayRef, Int32Array};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::super::call::{Call, Column};
use super::super::declaration::{Function, Kind, takes};

/// The place, counted from 1, of `part` in `text` at or after the place `from`; 0 if there is none.
fn locate(text: &str, part: &str, from: i64) -> i32 {
    let skipped = from.saturating_sub(1).max(0) as usize;
    let start = if skipped == 0 {
        0
    } else {
        match text.char_indices().nth(skipped) {
            Some((at, _)) => at,
            None => return 0,
        }
    };
    match text[start..].find(part) {
        Some(at) => (text[..start + at].chars().count() + 1) as i32,
        None => 0,
    }
}

type Texts<'a> = Column<&'a arrow::array::StringArray>;

fn located(call: &Call, text: Texts, part: Texts, from: Option<Column<&arrow::array::Int64Array>>) -> Result<ArrayRef> {
    call.collected::<i32, Int32Array>(|row| {
        let from = match &from {
            None => Some(1),
            Some(from) => from.at(row),
        };
        let (Some(text), Some(part), Some(from)) = (text.at(row), part.at(row), from) else { return Ok(None) };
        Ok(Some(locate(text, part, from)))
    })
}

pub(in super::super) static LOCATE: Function = Function {
    names: &["locate"],
    usage: "LOCATE(part, string[, from])",
    about: "The place of the first occurrence of a part, at or after the place `from`; 0 if there is none.",
    examples: &[
        ("locate('mill', 'Tidemill')", "5"),
        ("locate('l', 'Tidemill', 8)", "8"),
        ("locate('x', 'Tidemill')", "0"),
        ("locate('l', 'Tidemill', 99)", "0"),
        ("locate('l', 'Mühle')", "4"),
        ("locate('', 'Tidemill')", "1"),
        ("locate('T', 'Tidemill', -9223372036854775807 - 1)", "1"),
        ("locate(CAST(NULL AS STRING), 'Tidemill')", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text, Kind::Int], 2, DataType::Int32),
    compute: |call| {
        let from = if call.len() > 2 { Some(call.int(2)?) } else { None };
        located(call, call.text(1)?, call.text(0)?, from)
    },
    ..Function::PLAIN
};

pub(in super::super) static INSTR: Function = Function {
    names: &["instr", "position", "strpos"],
    usage: "INSTR(string, part[, from[, occurrence]]), POSITION(part IN string)",
    about: "The place of an occurrence of a part, the first if nothing else is said; 0 if there is none. A negative \
            `from` searches backwards from that place before the end.",
    examples: &[
        ("instr('Tidemill', 'mill')", "5"),
        ("position('mill' IN 'Tidemill')", "5"),
        ("instr('Corporate Floor', 'or', 3, 2)", "14"),
        ("instr('Corporate Floor', 'or', -3, 2)", "2"),
        ("instr('Corporate Floor', 'or', 0)", "0"),
        ("instr('Tidemill', 'x')", "0"),
        ("instr('Tidemill', CAST(NULL AS STRING))", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text, Kind::Text, Kind::Int, Kind::Int], 2, DataType::Int32),
    compute: |call| {
        let (text, part) = (call.text(0)?, call.text(1)?);
        if call.len() == 2 {
            return located(call, text, part, None);
        }
        let from = call.int(2)?;
        let nth = if call.len() > 3 { Some(call.int(3)?) } else { None };
        call.collected::<i32, Int32Array>(|row| {
            let nth = match &nth {
                None => Some(1),
                Some(nth) => nth.at(row),
            };
            let (Some(text), Some(part), Some(from), Some(nth)) = (text.at(row), part.at(row), from.at(row), nth)
            else {
                return Ok(None);
            };
            Ok(match from {
                _ if nth <= 0 => None,
                0 => Some(0),
                1.. => Some(occurrence(text, part, from, nth)),
                _ => {
                    let turned = |text: &str| text.chars().rev().collect::<String>();
                    let place = occurrence(&turned(text), &turned(part), from.saturating_neg(), nth);
                    let end = (text.chars().count() + 2) as i32 - part.chars().count() as i32;
                    Some(if place == 0 { 0 } else { end - place })
                }
            })
        })
    },
    ..Function::PLAIN
};

fn occurrence(text: &str, part: &str, mut from: i64, nth: i64) -> i32 {
    let mut place = 0;
    for _ in 0..nth {
        place = locate(text, part, from);
        if place == 0 {
            return 0;
        }
        from = i64::from(place) + 1;
    }
    place
}
