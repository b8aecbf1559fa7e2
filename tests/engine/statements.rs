//! Statements as they are run: hints without effect, and what overwrites.

use tidemill::Session;

#[tokio::test(flavor = "multi_thread")]
async fn hints_without_effect_are_told_once() {
    let session = Session::new();
    let text = "CREATE VIEW t AS SELECT 1 AS a;
                SELECT /*+ BROADCAST(t), LOOKUP('table' = 't', 'max-attempts' = '3') */ a FROM t;
                SELECT /*+ BROADCAST(t) */ a FROM t;";
    let script = session.prepare(text).await.expect("queries");
    let [join, lookup] = &script.warnings[..] else { panic!("{:?}", script.warnings) };
    assert_eq!(join, "the hint BROADCAST has no effect: there is one way to keep a join up to date.");
    assert!(
        lookup.starts_with("the hint LOOKUP has no effect: ") && lookup.contains("'lookup.max-retries'"),
        "{lookup}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overwritten_may_be_what_is_read() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let session = Session::new();
    let table = format!(
        "CREATE TABLE t (id BIGINT, day STRING) PARTITIONED BY (day) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json')",
        dir.path().display()
    );
    session.execute(&table).await.expect("a table");
    for text in [
        "INSERT INTO t VALUES (1, 'mon'), (2, 'tue'), (3, 'tue')",
        "INSERT OVERWRITE t PARTITION (day = 'tue') SELECT id * 10 FROM t WHERE day = 'tue' AND id > 2",
    ] {
        session.execute(text).await.expect(text);
    }
    let rows = session.sql("SELECT SUM(id) AS s, COUNT(*) AS n FROM t").await.expect("a query");
    let rows = rows.collect().await.expect("rows");
    let column = |i: usize| arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(rows.column(i)).value(0);
    assert_eq!((column(0), column(1)), (31, 2));
    let endless =
        "CREATE TABLE g (id BIGINT) WITH ('connector' = 'datagen'); INSERT OVERWRITE t SELECT id, 'mon' FROM g";
    let error = session.prepare(endless).await.expect_err("it does not end");
    assert_eq!(error.message(), "INSERT OVERWRITE into 't' needs a query that ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_overwritten_by_one_query() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let text = format!(
        "CREATE TABLE t (id BIGINT) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json');
         INSERT OVERWRITE t SELECT 1; INSERT INTO t SELECT 2",
        dir.path().display()
    );
    let error = Session::new().prepare(&text).await.expect_err("which one wins?");
    assert_eq!(error.message(), "'t' is overwritten and written by another INSERT beside it");
}
