use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use tidemill_sql::parser;

use super::*;

/// An engine that loses the row with 7 whenever there is more than one epoch.
struct Broken;

impl Run for Broken {
    async fn run(&self, pipeline: &Pipeline, cut: Cut) -> Result<Simulated> {
        let mut simulated = simulate(pipeline, cut).await?;
        if simulated.epochs > 1 {
            for delta in &mut simulated.results[0] {
                let values = delta.batch.column(0).as_primitive::<Int64Type>();
                let keep = values.iter().map(|v| Some(v != Some(7))).collect();
                *delta = delta.filter(&keep)?;
            }
        }
        Ok(simulated)
    }
}

fn session() -> Session {
    let session = Session::new();
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..50));
    let batch = RecordBatch::try_from_iter([("v", values)]).unwrap();
    session.register_table("t", batch.schema(), vec![batch], None).unwrap();
    session
}

async fn check(run: &impl Run, text: &str) -> Result<Agreement> {
    let session = session();
    let statement = parser::parse(text).unwrap().remove(0);
    verify_by(run, &session, &statement, 6, 1).await
}

#[tokio::test]
async fn an_engine_that_keeps_the_law_agrees() {
    let agreement = check(&Engine, "SELECT v % 5 AS k, COUNT(*) AS n FROM t GROUP BY v % 5").await.unwrap();
    assert_eq!(agreement, Agreement { rows: 5, read: 50, runs: 6, seed: 1, refused: 0 });
}

#[tokio::test]
async fn windows_by_the_clock_are_the_same_in_every_run() {
    let query = "SELECT window_start, COUNT(*) AS n \
                 FROM TABLE(TUMBLE((SELECT v, PROCTIME() AS p FROM t), DESCRIPTOR(p), INTERVAL '1' SECOND)) \
                 GROUP BY window_start, window_end";
    let agreement = check(&Engine, query).await.unwrap();
    assert_eq!(agreement, Agreement { rows: 1, read: 50, runs: 6, seed: 1, refused: 0 });
}

#[tokio::test]
async fn a_broken_engine_is_found_and_its_input_is_made_small() {
    let error = check(&Broken, "SELECT v FROM t WHERE v > 3").await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("only in batch:  7"), "{text}");
    assert!(!text.contains("only in stream"), "{text}");
    // Of fifty rows those are left that it takes to have more than one epoch in this cut.
    let left = text.lines().filter(|l| l.starts_with("| ") && !l.starts_with("| v")).count();
    assert!(text.contains("| 7 |") && left <= 5, "{text}");
}

#[tokio::test]
async fn as_a_statement_it_reports_or_says_what_it_needs() {
    let session = session();
    let outputs = session.execute("VERIFY 3 SEED 4 SELECT SUM(v) AS s FROM t;").await.unwrap();
    let crate::Output::Text(text) = &outputs[0] else { panic!("{outputs:?}") };
    assert_eq!(
        text,
        "verified: 3 runs in random cuts, on 1 to 4 workers, agree with one batch run: 1 rows from 50 read (seed 4)"
    );
    session.register_push("p", session.catalog().table("t").unwrap().open_source().unwrap().schema(), None).unwrap();
    let refused = session.execute("VERIFY SELECT * FROM p;").await.unwrap_err().to_string();
    assert!(refused.contains("VERIFY needs tables that end, and 'p' has no end"), "{refused}");
}

#[tokio::test]
async fn late_rows_are_not_a_disagreement() {
    let session = Session::new();
    let ts: ArrayRef = Arc::new(arrow::array::TimestampMillisecondArray::from(vec![1_000, 100_000, 2_000, 101_000]));
    let batch = RecordBatch::try_from_iter([("ts", ts)]).unwrap();
    let time = crate::EventTime::new("ts", std::time::Duration::ZERO);
    session.register_table("t", batch.schema(), vec![batch], Some(time)).unwrap();
    let text = "SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))
        GROUP BY window_start, window_end";
    let statement = parser::parse(text).unwrap().remove(0);
    let agreement = verify_by(&Engine, &session, &statement, 6, 1).await.unwrap();
    assert_eq!((agreement.rows, agreement.refused), (2, 1));
}
