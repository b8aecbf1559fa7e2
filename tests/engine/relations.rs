//! What can stand in `FROM` beside tables: lists, values, series, queries by name. Over tables with and without an end.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use tidemill::simulate::{Cut, CutRows, simulate};
use tidemill::tables::memory::MemoryTable;
use tidemill::{Session, batch, consolidate};
use tidemill_tests::law::rows_as_text;

fn session(bounded: bool) -> Session {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..40));
    let keys: ArrayRef = Arc::new(Int64Array::from_iter((0..40).map(|i| (i % 5 > 0).then_some(i % 5))));
    let words: ArrayRef = Arc::new(StringArray::from_iter_values((0..40).map(|i| format!("a{i},b,c{}", i % 3))));
    let rows = RecordBatch::try_from_iter([("id", ids), ("k", keys), ("words", words)]).unwrap();
    let table = MemoryTable::try_new(rows.schema(), vec![vec![rows.slice(0, 25)], vec![rows.slice(25, 15)]]).unwrap();
    let session = Session::new();
    session.register_source("t", Arc::new(if bounded { table } else { table.without_end() }), None).unwrap();
    session
}

async fn check(query: &str) {
    let expected = rows_as_text(&batch::answer(&session(true), query).await.unwrap());
    assert!(!expected.is_empty(), "{query} has no answer");
    for bounded in [false, true] {
        for (workers, rows) in [(1, CutRows::All), (1, CutRows::Exactly(1)), (3, CutRows::UpTo(7))] {
            let session = session(bounded);
            let prepared = session.prepare(query).await.unwrap_or_else(|e| panic!("{query}\nbounded {bounded}: {e}"));
            let pipeline = prepared.pipeline.unwrap();
            let schema = pipeline.results()[0].schema.clone();
            let got = simulate(&pipeline, Cut { seed: 1, workers, rows, start: 0 }).await.unwrap();
            let got = rows_as_text(&consolidate(&schema, &got.results[0]).unwrap());
            assert_eq!(got, expected, "{query}\nbounded {bounded}, {workers} workers, {rows:?}");
        }
    }
}

#[tokio::test]
async fn lists_of_the_row() {
    check("SELECT id, w FROM t CROSS JOIN UNNEST(string_to_array(words, ',')) AS u(w)").await;
    check("SELECT id, w FROM t, UNNEST(string_to_array(words, ',')) AS u(w) WHERE w <> 'b'").await;
    check(
        "SELECT id, w FROM t LEFT JOIN UNNEST(CASE WHEN id > 3 THEN string_to_array(words, ',') END) AS u(w) ON TRUE",
    )
    .await;
}

#[tokio::test]
async fn rows_that_are_known_already() {
    check("SELECT a, b FROM (VALUES (1, 'x'), (2, 'y'), (2, NULL)) AS v(a, b)").await;
}

#[tokio::test]
async fn queries_by_name() {
    check("WITH a AS (SELECT id, k FROM t WHERE id > 5) SELECT k, COUNT(*) AS n FROM a GROUP BY k").await;
    check("WITH a AS (SELECT id, k FROM t WHERE id > 5) SELECT id FROM a UNION ALL SELECT k FROM a").await;
    check("WITH a AS (SELECT k, COUNT(*) AS n FROM t GROUP BY k), b AS (SELECT n FROM a) SELECT k AS x FROM a UNION ALL SELECT n FROM b").await;
}

#[tokio::test]
async fn recursion_is_refused_by_name() {
    let query = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n";
    for bounded in [false, true] {
        let refused = session(bounded).prepare(query).await.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(refused.contains("WITH RECURSIVE is not supported"), "{refused}");
    }
}
