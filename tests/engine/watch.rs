//! A running query says how it is, and shows what it has written while it runs.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use futures::StreamExt;
use tempfile::TempDir;
use tidemill::{ChangeMode, Delta, Session};

fn rows(ids: Vec<i64>) -> RecordBatch {
    RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(ids)) as ArrayRef)]).expect("one column")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_operator_keeps_is_told_while_it_runs_and_at_the_end() {
    let session = Session::new();
    // One worker, so that the rows come out together.
    session.set("workers", "1").expect("a setting");
    let mode = ChangeMode::Upsert(vec![0]);
    let sender = session.register_push_changes("t", rows(vec![]).schema(), mode, None).expect("a table");
    let mut result = session.sql("SELECT id FROM t").await.expect("a query");
    sender.send(rows(vec![1, 2, 3])).await.expect("it runs");
    assert_eq!(result.next().await.expect("changes").expect("rows").num_rows(), 3);
    let state = result.running().state().await.expect("it runs");
    let [normalize] = &state.operators[..] else { panic!("{state}") };
    assert!(normalize.name.starts_with("Normalize #"), "{state}");
    assert_eq!((normalize.rows, normalize.most_rows, normalize.oldest), (3, 3, None));
    assert!(normalize.bytes > 0);
    assert!(normalize.bound.contains("the row of each PRIMARY KEY"), "{state}");
    let gone = Delta::weighted(rows(vec![1, 3]), Int64Array::from(vec![-1, -1]));
    sender.send_changes(gone).await.expect("it runs");
    assert_eq!(result.next().await.expect("changes").expect("rows").num_rows(), 2);
    drop(sender);
    let summary = result.finish().await.expect("it ends");
    assert_eq!((summary.state.operators[0].rows, summary.state.operators[0].most_rows), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_query_without_an_end_writes_is_seen_as_often_as_the_setting_says() {
    let dir = TempDir::new().expect("a directory");
    let session = Session::new();
    session.set("sink.publish-interval", "1 ms").expect("a setting");
    let sender = session.register_push("t", rows(vec![]).schema(), None).expect("a table");
    let text = format!(
        "CREATE TABLE out (id BIGINT) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json');
         INSERT INTO out SELECT id FROM t;",
        dir.path().display()
    );
    let pipeline = session.prepare(&text).await.expect("a query").pipeline.expect("a query");
    let started = pipeline.start().await.expect("it starts");
    sender.send(rows(vec![1])).await.expect("it runs");
    // Who follows the directory gets the row when its file has become visible.
    let seen = format!(
        "CREATE TABLE seen (id BIGINT) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json', 'source.monitor-interval' = '1 ms');
         SELECT id FROM seen",
        dir.path().display()
    );
    let mut seen = session.sql(&seen).await.expect("a query");
    let first = tokio::time::timeout(Duration::from_secs(8), seen.next()).await;
    let first = first.expect("nothing was published before the default of ten seconds").expect("changes");
    assert_eq!(first.expect("rows").num_rows(), 1);
    drop(seen);
    drop(sender);
    started.running.wait().await.expect("it ends");
}
