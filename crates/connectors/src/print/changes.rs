//! A delta as lines of `+I`, `-U`, `+U` and `-D`. A pure function of the delta.

use tidemill_core::{Delta, Result};

use crate::changes::{Change, Changes};
use crate::text::RowText;

/// Appends one line for each change of `delta`. `key` are the columns of the primary key.
pub(crate) fn lines(delta: &Delta, key: &[usize], prefix: &str, out: &mut String) -> Result<()> {
    let text = RowText::new(&delta.batch)?;
    let mut line = |kind: &str, row: usize| {
        out.push_str(prefix);
        out.push_str(kind);
        text.write(row, out);
        out.push('\n');
    };
    for change in Changes::by_place(delta, key)? {
        match change {
            Change::Insert(row) => line("+I", row),
            Change::Delete(row) => line("-D", row),
            Change::Update { before, after } => {
                line("-U", before);
                line("+U", after);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
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
