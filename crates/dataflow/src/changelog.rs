//! Records that are changes: from what they say to rows with weights. At the rim, and in the batch side of the law.
//!
//! A pure function of the records. Whether a row that is taken back was ever there is not known here: see
//! [`normalize`](crate::operators::normalize).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use tidemill_core::{Delta, Error, Result};
use tidemill_plan::op::{ChangeKind, Changelog};

/// What inserts a row: the names of Flink, of Debezium, and of plain words.
pub const INSERTIONS: &[&str] = &["+I", "+U", "I", "INSERT", "UPDATE_AFTER", "U", "UPDATE", "c", "r", "u", "+"];
/// What takes a row back.
pub const RETRACTIONS: &[&str] = &["-U", "-D", "D", "DELETE", "UPDATE_BEFORE", "d", "-"];

/// The weight of what an update says of the row before it, in a table with a key. There the sign alone counts for what the table
/// holds; a history of it has to know that the row is not gone but replaced.
pub const ROW_BEFORE_UPDATE: i64 = i64::MIN;
/// What says so.
const BEFORE_UPDATE: &[&str] = &["-U", "UPDATE_BEFORE"];

/// `batch` as changes, one for each row in its order. Rows that do not say what they do are left out: their places and why
/// go to `bad`, and the places of the others come back where there is such a row.
pub fn changes(
    changelog: &Changelog,
    batch: &RecordBatch,
    weights: Option<Int64Array>,
    bad: &mut Vec<(usize, String)>,
) -> Result<(Delta, Option<Vec<usize>>)> {
    match &changelog.kind {
        ChangeKind::Weights => Ok((Delta { weights, ..Delta::insert(batch.clone()) }, None)),
        ChangeKind::Tombstone(values) => {
            let gone = |row| !values.is_empty() && values.iter().all(|c| batch.column(*c).is_null(row));
            let weights = (0..batch.num_rows()).map(|row| if gone(row) { -1 } else { 1 });
            Ok((Delta::weighted(batch.clone(), weights.collect()), None))
        }
        ChangeKind::Operation(column) => by_operation(*column, !changelog.key.is_empty(), batch, bad),
    }
}

fn by_operation(
    column: usize,
    keyed: bool,
    batch: &RecordBatch,
    bad: &mut Vec<(usize, String)>,
) -> Result<(Delta, Option<Vec<usize>>)> {
    let name = batch.schema_ref().field(column).name().clone();
    let text = cast(batch.column(column), &DataType::Utf8)?;
    let text: &StringArray = text.as_string();
    let is = |words: &[&str], word: &str| words.iter().any(|w| w.eq_ignore_ascii_case(word));
    let mut weights = Vec::with_capacity(batch.num_rows());
    let mut places = Vec::with_capacity(batch.num_rows());
    // Neighbours mostly do the same.
    let mut last: Option<(&str, i64)> = None;
    for row in 0..batch.num_rows() {
        let word = if text.is_null(row) { "NULL" } else { text.value(row) };
        let weight = match last {
            Some((before, weight)) if before == word => weight,
            _ if text.is_valid(row) && is(INSERTIONS, word) => 1,
            _ if keyed && is(BEFORE_UPDATE, word) => ROW_BEFORE_UPDATE,
            _ if text.is_valid(row) && is(RETRACTIONS, word) => -1,
            _ => {
                bad.push((row, format!("field '{name}': '{word}' is no kind of change; +I, -U, +U and -D are")));
                continue;
            }
        };
        last = Some((word, weight));
        weights.push(weight);
        places.push(row);
    }
    let mut columns = batch.columns().to_vec();
    let inserted: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n("+I", batch.num_rows())));
    columns[column] = cast(&inserted, batch.column(column).data_type())?;
    let batch = RecordBatch::try_new(batch.schema(), columns)?;
    if bad.is_empty() {
        return Ok((Delta::weighted(batch, weights.into()), None));
    }
    let mut keep = vec![false; batch.num_rows()];
    places.iter().for_each(|row| keep[*row] = true);
    let batch = arrow::compute::filter_record_batch(&batch, &BooleanArray::from(keep))?;
    Ok((Delta::weighted(batch, weights.into()), Some(places)))
}

/// An error where a source that said its rows are only inserted takes some back.
pub(crate) fn no_weights(weights: Option<&Int64Array>) -> Result<()> {
    match weights {
        None => Ok(()),
        Some(w) if w.values().iter().all(|w| *w == 1) => Ok(()),
        Some(_) => Err(Error::internal("a source of insertions only took a row back")),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::testing::picture;

    fn check(kind: ChangeKind, ops: Vec<Option<&str>>, expected: Expect) {
        let numbers: ArrayRef = Arc::new((0..ops.len() as i64).map(|n| (n != 1).then_some(n)).collect::<Int64Array>());
        let ops: ArrayRef = Arc::new(StringArray::from(ops));
        let batch = RecordBatch::try_from_iter_with_nullable([("op", ops, true), ("n", numbers, true)]).unwrap();
        let mut bad = vec![];
        let changelog = Changelog { key: vec![], kind };
        let (delta, places) = changes(&changelog, &batch, None, &mut bad).unwrap();
        expected.assert_eq(&format!("{}\n{places:?} {bad:?}", picture(&[delta])));
    }

    #[test]
    fn an_operation_is_a_weight_and_an_unknown_one_is_bad() {
        check(
            ChangeKind::Operation(0),
            vec![Some("+I"), Some("update_before"), None, Some("d"), Some("x")],
            expect![[r#"
                +----+---+--------+
                | op | n | weight |
                +----+---+--------+
                | +I | 0 | 1      |
                | +I |   | -1     |
                | +I | 3 | -1     |
                +----+---+--------+
                Some([0, 1, 3]) [(2, "field 'op': 'NULL' is no kind of change; +I, -U, +U and -D are"), (4, "field 'op': 'x' is no kind of change; +I, -U, +U and -D are")]"#]],
        );
    }

    #[test]
    fn a_row_of_nothing_but_its_key_is_a_tombstone() {
        check(
            ChangeKind::Tombstone(vec![1]),
            vec![Some("a"), Some("b")],
            expect![[r#"
                +----+---+--------+
                | op | n | weight |
                +----+---+--------+
                | a  | 0 | 1      |
                | b  |   | -1     |
                +----+---+--------+
                None []"#]],
        );
    }
}
