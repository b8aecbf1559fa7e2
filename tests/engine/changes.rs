//! Changes at the edges: tables that are logs of changes, and sinks that are handed changes.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use tempfile::TempDir;
use tidemill::simulate::{Cut, CutRows, Random, simulate};
use tidemill::tables::memory::MemoryTable;
use tidemill::{ChangeMode, Delta, EventTime, Output, Session, batch, consolidate};
use tidemill_tests::law::rows_as_text;

const RECORDS: &str = r#"{"before":null,"after":{"id":1,"shop":"a","price":10},"op":"c"}
{"before":null,"after":{"id":2,"shop":"a","price":5},"op":"r"}
{"before":{"id":1,"shop":"a","price":10},"after":{"id":1,"shop":"b","price":12},"op":"u"}
{"before":{"id":9,"shop":"a","price":1},"after":null,"op":"d"}
{"before":null,"after":{"id":3,"shop":"b","price":1},"op":"c"}
null
{"before":{"id":2,"shop":"a","price":5},"after":null,"op":"d"}
{"after":{"id":"x"},"op":"c"}
"#;

fn orders(dir: &Path, key: &str) -> String {
    std::fs::write(dir.join("orders.json"), RECORDS).expect("the directory is there");
    format!(
        "CREATE TABLE orders (id BIGINT, shop STRING, price BIGINT{key})
           WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'debezium-json');",
        dir.join("orders.json").display()
    )
}

async fn rows(session: &Session, sql: &str) -> Vec<String> {
    let outputs = session.execute(sql).await.unwrap_or_else(|e| panic!("{sql}: {}", e.render(sql)));
    let rows = outputs.iter().find_map(|o| if let Output::Rows(rows) = o { Some(rows) } else { None });
    rows_as_text(rows.expect("a SELECT"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_changes_is_the_table_that_it_makes() {
    for key in ["", ", PRIMARY KEY (id) NOT ENFORCED"] {
        let dir = TempDir::new().expect("a directory");
        let session = Session::new();
        session.execute(&orders(dir.path(), key)).await.expect("a definition");
        assert_eq!(rows(&session, "SELECT * FROM orders;").await, ["1 | b | 12", "3 | b | 1"]);
        let by_shop = "SELECT shop, COUNT(*) AS n, SUM(price) AS total FROM orders GROUP BY shop";
        assert_eq!(rows(&session, &format!("{by_shop};")).await, ["b | 2 | 13"]);
        let expected = rows_as_text(&batch::answer(&session, by_shop).await.expect("a batch answer"));
        assert_eq!(expected, ["b | 2 | 13"]);
        // The deletion of a row that never was, and the record that is broken: in both queries.
        let rejected = rows(&session, "SELECT reason FROM tidemill.rejected_rows;").await;
        let broken = "field 'after.id': 'x' is not a BIGINT";
        let never = match key {
            "" => "no such row is there to be taken back",
            _ => "no row with this PRIMARY KEY (id) is there to be taken back",
        };
        assert_eq!(rejected, [broken, broken, never, never]);
        assert_eq!(session.rejected_rows().1, 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_cannot_be_taken_in_stops_the_query_where_the_table_says_so() {
    let dir = TempDir::new().expect("a directory");
    let table = orders(dir.path(), "").replace("'format'", "'on-error' = 'fail', 'format'");
    std::fs::write(dir.path().join("orders.json"), RECORDS.lines().take(4).collect::<Vec<_>>().join("\n")).unwrap();
    let e = Session::new().execute(&format!("{table} SELECT * FROM orders;")).await.unwrap_err();
    assert!(e.message().contains("no such row is there to be taken back"), "{e}");
}

/// What is written to a table of files, sorted.
async fn written(dir: &Path, sql: &str) -> Vec<String> {
    let out = dir.join("out");
    let text = sql.replace("OUT", &out.display().to_string());
    Session::new().execute(&text).await.unwrap_or_else(|e| panic!("{}", e.render(&text)));
    let mut lines = vec![];
    for file in std::fs::read_dir(&out).expect("something was written") {
        let file = file.expect("a readable directory").path();
        lines.extend(std::fs::read_to_string(file).expect("text").lines().map(str::to_string));
    }
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_go_through_a_query_into_a_table_of_changes() {
    let dir = TempDir::new().expect("a directory");
    let orders = orders(dir.path(), ", PRIMARY KEY (id) NOT ENFORCED");
    let sql = |options: &str, columns: &str| {
        format!(
            "{orders} CREATE TABLE o ({columns}, PRIMARY KEY (id) NOT ENFORCED)
               WITH ('connector' = 'filesystem', 'path' = 'OUT', {options});
             INSERT INTO o SELECT id, price * 2 FROM orders;"
        )
    };
    let lines = written(dir.path(), &sql("'format' = 'debezium-json'", "id BIGINT, price BIGINT")).await;
    assert_eq!(
        lines,
        [
            r#"{"before":null,"after":{"id":1,"price":24},"op":"c"}"#,
            r#"{"before":null,"after":{"id":3,"price":2},"op":"c"}"#,
        ]
    );
    std::fs::remove_dir_all(dir.path().join("out")).unwrap();
    let options = "'format' = 'csv', 'changelog.operation-column' = 'op'";
    let lines = written(dir.path(), &sql(options, "id BIGINT, op STRING, price BIGINT")).await;
    assert_eq!(lines, ["1,+I,24", "3,+I,2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_of_change_in_a_column_is_read_back_as_it_was_written() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("a.csv");
    std::fs::write(&path, "+I,1,a\n+I,2,b\n-U,1,a\n+U,1,c\n-D,2,b\nx,3,c\n-D,7,q\n").unwrap();
    for key in ["", ", PRIMARY KEY (id) NOT ENFORCED"] {
        let session = Session::new();
        let table = format!(
            "CREATE TABLE t (op STRING, id BIGINT, v STRING{key}) WITH ('connector' = 'filesystem', 'path' = '{}',
               'format' = 'csv', 'changelog.operation-column' = 'op');",
            path.display()
        );
        session.execute(&table).await.unwrap();
        assert_eq!(rows(&session, "SELECT id, v FROM t;").await, ["1 | c"]);
        assert_eq!(rows(&session, "SELECT op FROM t;").await, ["+I"]);
        assert_eq!(session.rejected_rows().1, 4, "the unknown kind and the row that is not there, twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_row_of_a_key_counts_and_a_row_of_nothing_but_its_key_deletes_it() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("a.json");
    std::fs::write(&path, "{\"id\":1,\"v\":1}\n{\"id\":2,\"v\":2}\n{\"id\":1,\"v\":3}\n{\"id\":2}\n{\"id\":5}\n")
        .unwrap();
    let session = Session::new();
    let table = format!(
        "CREATE TABLE t (id BIGINT, v BIGINT, PRIMARY KEY (id) NOT ENFORCED)
           WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json', 'changelog.mode' = 'upsert');",
        path.display()
    );
    session.execute(&table).await.unwrap();
    assert_eq!(rows(&session, "SELECT * FROM t;").await, ["1 | 3"]);
    assert_eq!(rows(&session, "SELECT SUM(v) FROM t;").await, ["3"]);
    let rejected = rows(&session, "SELECT text FROM tidemill.rejected_rows LIMIT 1;").await;
    assert_eq!(rejected, [r#"{"id":5,"v":null}"#]);
}

/// Random upserts and deletions, of few keys.
fn upserts(random: &mut Random) -> Vec<Delta> {
    let batches = 1 + random.below(6);
    let one = |random: &mut Random| {
        let rows = random.below(12) as usize;
        let ids: Int64Array = (0..rows).map(|_| Some(random.below(5) as i64)).collect();
        let texts: StringArray = (0..rows).map(|_| [Some("a"), Some("b"), None][random.below(3) as usize]).collect();
        let values: Int64Array = (0..rows).map(|_| Some(random.below(4) as i64)).collect();
        let weights: Int64Array = (0..rows).map(|_| Some(if random.below(4) == 0 { -1 } else { 1 })).collect();
        let columns = [("id", Arc::new(ids) as ArrayRef), ("k", Arc::new(texts)), ("v", Arc::new(values))];
        Delta::weighted(RecordBatch::try_from_iter_with_nullable(columns.map(|(n, a)| (n, a, true))).unwrap(), weights)
    };
    (0..batches).map(|_| one(random)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn upserts_in_random_cuts_are_the_batch_answer_over_the_final_table() {
    let queries = [
        "SELECT id, k, v FROM t",
        "SELECT k, v + 1 AS w FROM t WHERE v > 0",
        "SELECT k, COUNT(*) AS n, SUM(v) AS s FROM t GROUP BY k",
        "SELECT COUNT(*) AS n FROM t",
    ];
    for seed in 0..12 {
        let mut random = Random(seed);
        for mode in [ChangeMode::Upsert(vec![0]), ChangeMode::Retract] {
            let deltas = upserts(&mut random);
            let schema = deltas[0].schema();
            let session = Session::new();
            let table = MemoryTable::of_changes(schema, vec![deltas], mode.clone()).unwrap();
            session.register_source("t", Arc::new(table), None).unwrap();
            for query in queries {
                let expected = rows_as_text(&batch::answer(&session, query).await.unwrap());
                let pipeline = session.prepare(query).await.unwrap().pipeline.unwrap();
                let result = pipeline.results()[0].schema.clone();
                for (workers, rows) in [(1, CutRows::All), (1, CutRows::Exactly(1)), (3, CutRows::UpTo(5))] {
                    let simulated = simulate(&pipeline, Cut { seed, workers, rows, start: 0 }).await.unwrap();
                    let got = rows_as_text(&consolidate(&result, &simulated.results[0]).unwrap());
                    assert_eq!(got, expected, "seed {seed}, {mode}, {workers} workers, {rows:?}: {query}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_with_a_key_is_handed_one_row_for_each_key_and_epoch() {
    let dir = TempDir::new().expect("a directory");
    for seed in 0..20 {
        let mut random = Random(seed);
        let deltas = upserts(&mut random);
        let session = Session::new();
        let schema = deltas[0].schema();
        session.register_changes("t", schema, deltas, ChangeMode::Upsert(vec![0]), None).unwrap();
        // `v` is not proven to be a key of the result: the greatest of the live rows is written.
        for (key, query) in [("id", "SELECT id, v FROM t"), ("v", "SELECT id, v FROM t")] {
            let text = format!(
                "CREATE TEMPORARY TABLE IF NOT EXISTS by_{key} (id BIGINT, v BIGINT, PRIMARY KEY ({key}) NOT ENFORCED)
                   WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json', 'changelog.mode' = 'upsert');
                 INSERT INTO by_{key} {query};",
                dir.path().display()
            );
            let pipeline = session.prepare(&text).await.unwrap().pipeline.unwrap();
            let cut = Cut { seed, workers: 2, rows: CutRows::UpTo(4), start: 0 };
            let simulated = simulate(&pipeline, cut).await.unwrap();
            let column = usize::from(key == "v");
            let mut held = std::collections::BTreeMap::new();
            for delta in &simulated.written[0] {
                let value = |c: usize, row| {
                    arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(delta.batch.column(c)).value(row)
                };
                for row in 0..delta.num_rows() {
                    match delta.weights.as_ref().map_or(1, |w| w.value(row)) {
                        1 => drop(held.insert(value(column, row), (value(0, row), value(1, row)))),
                        _ => assert!(held.remove(&value(column, row)).is_some(), "seed {seed}: a deletion of nothing"),
                    }
                }
            }
            let all = batch::answer(&session, query).await.unwrap();
            let value = |c: usize, row| {
                arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(all.column(c)).value(row)
            };
            let mut expected = std::collections::BTreeMap::new();
            for row in 0..all.num_rows() {
                let one = (value(0, row), value(1, row));
                let kept = expected.entry(value(column, row)).or_insert(one);
                *kept = one.max(*kept);
            }
            assert_eq!(held, expected, "seed {seed}, by {key}");
        }
    }
}

/// Times of rows that come and go: a retraction goes to the window of its own row's time.
#[tokio::test(flavor = "multi_thread")]
async fn windows_over_upserts_are_the_batch_answer_where_nothing_is_late() {
    let query = "SELECT window_start, window_end, COUNT(*) AS n, SUM(v) AS s
                 FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end";
    for seed in 0..12 {
        let mut random = Random(seed);
        let rows = 1 + random.below(20) as usize;
        let ids: Int64Array = (0..rows).map(|_| Some(random.below(4) as i64)).collect();
        let values: Int64Array = (0..rows).map(|_| Some(random.below(9) as i64)).collect();
        let weights: Int64Array = (0..rows).map(|_| Some(if random.below(4) == 0 { -1 } else { 1 })).collect();
        let times: TimestampMicrosecondArray = (0..rows).map(|_| Some(random.below(40) as i64 * 1_000_000)).collect();
        let columns = [("id", Arc::new(ids) as ArrayRef), ("v", Arc::new(values)), ("ts", Arc::new(times))];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, a)| (n, a, true))).unwrap();
        let session = Session::new();
        let time = EventTime::new("ts", std::time::Duration::from_secs(3_600));
        let schema = batch.schema();
        let deltas = vec![Delta::weighted(batch, weights)];
        session.register_changes("t", schema, deltas, ChangeMode::Upsert(vec![0]), Some(time)).unwrap();
        let expected = rows_as_text(&batch::answer(&session, query).await.unwrap());
        let pipeline = session.prepare(query).await.unwrap().pipeline.unwrap();
        let result = pipeline.results()[0].schema.clone();
        for (workers, rows) in [(1, CutRows::Exactly(1)), (2, CutRows::UpTo(5))] {
            let simulated = simulate(&pipeline, Cut { seed, workers, rows, start: 0 }).await.unwrap();
            let got = rows_as_text(&consolidate(&result, &simulated.results[0]).unwrap());
            assert_eq!(got, expected, "seed {seed}, {workers} workers, {rows:?}");
        }
    }
}
