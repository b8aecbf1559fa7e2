//! A delta as lines of `+I`, `-U`, `+U` and `-D`. A pure function of the delta.

use arrow::array::{Array, RecordBatch};
use tidemill_core::{Delta, Result};

use crate::text::RowText;

/// Appends one line for each change of `delta`. `key` are the columns of the primary key.
pub(crate) fn lines(delta: &Delta, key: &[usize], prefix: &str, out: &mut String) -> Result<()> {
    let text = RowText::new(&delta.batch)?;
    let mut line = |kind: &str, row: usize, times: i64| {
        for _ in 0..times {
            out.push_str(prefix);
            out.push_str(kind);
            text.write(row, out);
            out.push('\n');
        }
    };
    let Some(weights) = &delta.weights else {
        (0..delta.num_rows()).for_each(|row| line("+I", row, 1));
        return Ok(());
    };
    let weights = weights.values();
    let same = same_keys(&delta.batch, key)?;
    let mut row = 0;
    while row < weights.len() {
        let update = weights[row] == -1 && weights.get(row + 1) == Some(&1) && same(row);
        if update {
            line("-U", row, 1);
            line("+U", row + 1, 1);
            row += 2;
        } else {
            line(if weights[row] > 0 { "+I" } else { "-D" }, row, weights[row].abs());
            row += 1;
        }
    }
    Ok(())
}

/// Whether a row and the one after it have the same key.
fn same_keys(batch: &RecordBatch, key: &[usize]) -> Result<impl Fn(usize) -> bool> {
    let columns = key.iter().map(|k| {
        let column = batch.column(*k).to_data();
        Ok::<_, tidemill_core::Error>(column)
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(move |row: usize| columns.iter().all(|c| c.slice(row, 1) == c.slice(row + 1, 1)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMillisecondArray};
    use expect_test::{Expect, expect};

    use super::*;

    fn check(weights: Option<Vec<i64>>, key: &[usize], expected: Expect) {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("a", Arc::new(StringArray::from(vec![Some("x"), Some("x"), Some("y"), None]))),
            ("n", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
            ("t", Arc::new(TimestampMillisecondArray::from(vec![0, 1_500, -1, 60_000]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let delta = Delta { batch, weights: weights.map(Int64Array::from), split_watermark: None };
        let mut out = String::new();
        lines(&delta, key, "p> ", &mut out).unwrap();
        expected.assert_eq(&out);
    }

    #[test]
    fn insertions() {
        check(
            None,
            &[],
            expect![[r#"
            p> +I[x, 1, 1970-01-01 00:00:00]
            p> +I[x, 2, 1970-01-01 00:00:01.500]
            p> +I[y, 3, 1969-12-31 23:59:59.999]
            p> +I[NULL, 4, 1970-01-01 00:01:00]
        "#]],
        );
    }

    #[test]
    fn updates_and_deletions() {
        check(
            Some(vec![-1, 1, -1, 1]),
            &[0],
            expect![[r#"
            p> -U[x, 1, 1970-01-01 00:00:00]
            p> +U[x, 2, 1970-01-01 00:00:01.500]
            p> -D[y, 3, 1969-12-31 23:59:59.999]
            p> +I[NULL, 4, 1970-01-01 00:01:00]
        "#]],
        );
        check(
            Some(vec![-1, 1, -1, 1]),
            &[],
            expect![[r#"
            p> -U[x, 1, 1970-01-01 00:00:00]
            p> +U[x, 2, 1970-01-01 00:00:01.500]
            p> -U[y, 3, 1969-12-31 23:59:59.999]
            p> +U[NULL, 4, 1970-01-01 00:01:00]
        "#]],
        );
        check(
            Some(vec![2, -2, 1, 1]),
            &[],
            expect![[r#"
            p> +I[x, 1, 1970-01-01 00:00:00]
            p> +I[x, 1, 1970-01-01 00:00:00]
            p> -D[x, 2, 1970-01-01 00:00:01.500]
            p> -D[x, 2, 1970-01-01 00:00:01.500]
            p> +I[y, 3, 1969-12-31 23:59:59.999]
            p> +I[NULL, 4, 1970-01-01 00:01:00]
        "#]],
        );
    }
}
