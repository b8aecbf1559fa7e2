//! Joins by time: what a stream has put out, added up, is the batch answer, for tables that end and tables that do not, with
//! rows that are taken back, in many cuts and on several workers.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use tidemill::core::ChangeMode;
use tidemill::simulate::{Cut, CutRows, Random, simulate};
use tidemill::tables::memory::MemoryTable;
use tidemill::{Delta, EventTime, Session, batch, consolidate};
use tidemill_tests::law::rows_as_text;

const DELAY: i64 = 5;

/// What the tables are like.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tables {
    /// They end.
    End,
    /// They go on.
    GoOn,
    /// They go on, and the watermark says nothing of their times.
    Timeless,
    /// They go on, and rows are taken back.
    Change,
    /// The right one has a key, by which rows are replaced and deleted.
    Upsert,
}

/// The columns of a row, and its weight.
type Change = ([Option<i64>; 3], i64);

/// Rows of a split: time goes on, out of order by less than the watermark waits.
fn rows(random: &mut Random, count: u64, changes: bool) -> Delta {
    let mut draw = |n: u64| random.below(n) as i64;
    let mut now = 1_000_i64;
    let mut all: Vec<Change> = vec![];
    for _ in 0..count {
        now += draw(4);
        let row = [Some(draw(4)).filter(|k| *k > 0), Some(now - draw(DELAY as u64)), Some(draw(3)).filter(|v| *v > 0)];
        all.push((row, 1));
        if changes && draw(3) == 0 {
            // A row that is there is taken back.
            let row = all[draw(all.len() as u64) as usize].0;
            if all.iter().filter(|(r, _)| *r == row).map(|(_, w)| w).sum::<i64>() > 0 {
                all.push((row, -1));
            }
        }
    }
    delta(all, changes)
}

fn delta(all: Vec<Change>, changes: bool) -> Delta {
    let column = |i: usize| all.iter().map(move |(r, _)| r[i]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("k", Arc::new(Int64Array::from_iter(column(0)))),
        ("ts", Arc::new(TimestampMillisecondArray::from_iter(column(1)))),
        ("v", Arc::new(Int64Array::from_iter(column(2)))),
        ("s", Arc::new(StringArray::from_iter(column(2).map(|v| v.map(|v| format!("v{v}")))))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    let weights: Int64Array = all.iter().map(|(_, w)| *w).collect();
    if changes { Delta::weighted(batch, weights) } else { Delta::insert(batch) }
}

/// Rows of a split with a key: each replaces the row of its key or, with weight -1, deletes it. Time goes on, so that none is late;
/// what deletes need not know when, and may say so by a time that has long passed.
fn upserts(random: &mut Random, count: u64, first_key: i64) -> Delta {
    let mut draw = |n: u64| random.below(n) as i64;
    let mut now = 1_000_i64;
    let all = (0..count).map(|_| -> Change {
        now += draw(4);
        let deletes = draw(3) == 0;
        let time = match draw(3) {
            0 if deletes => None,
            1 if deletes => Some(1_000),
            _ => Some(now - draw(DELAY as u64)),
        };
        ([Some(first_key + draw(2)), time, Some(draw(3)).filter(|v| *v > 0)], if deletes { -1 } else { 1 })
    });
    let all = all.collect();
    delta(all, true)
}

/// Two sessions over the same rows: as a stream, and as they are for the batch side.
fn sessions(random: &mut Random, tables: Tables) -> (Session, Session) {
    let (stream, batch) = (Session::new(), Session::new());
    for name in ["l", "r"] {
        let changes = tables == Tables::Change;
        let keyed = tables == Tables::Upsert && name == "r";
        let splits = 1 + random.below(2) as i64;
        let split = |i| match keyed {
            true => vec![upserts(random, 30, 1 + 2 * i)],
            false => vec![rows(random, 30, changes)],
        };
        let splits: Vec<Vec<Delta>> = (0..splits).map(split).collect();
        let schema = splits[0][0].schema();
        let mode = match (keyed, changes) {
            (true, _) => ChangeMode::Upsert(vec![0]),
            (false, true) => ChangeMode::Retract,
            (false, false) => ChangeMode::Append,
        };
        let table = MemoryTable::of_changes(schema, splits, mode).unwrap();
        let time = || Some(EventTime::new("ts", Duration::from_millis(DELAY as u64)));
        let time = || if matches!(tables, Tables::End | Tables::GoOn | Tables::Upsert) { time() } else { None };
        batch.register_source(name, Arc::new(table.clone()), time()).unwrap();
        let table = if tables == Tables::End { table } else { table.without_end() };
        stream.register_source(name, Arc::new(table), time()).unwrap();
    }
    (stream, batch)
}

const LAST: &str = "(SELECT k, ts, v, s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS rn FROM r) WHERE rn = 1)";

/// A query, for tables of a kind.
fn query(random: &mut Random, tables: Tables) -> String {
    let op = [">=", ">", "<=", "<"][random.below(4) as usize];
    let select = ["l.k, l.ts, l.v, r.ts AS rts, r.v AS rv", "l.ts, r.s", "l.s, r.k AS rk, r.ts AS rts"]
        [random.below(3) as usize];
    let on = ["ON l.k = r.k", "ON r.k = l.k AND l.v = r.v", "USING (k)", ""][random.below(4) as usize];
    let filter = ["", "WHERE l.v > 1", "WHERE r.v IS NOT NULL", "WHERE l.k = 2 AND (l.v = 1 OR r.v = 1)"]
        [random.below(4) as usize];
    let (kind, extra) = (
        ["JOIN", "LEFT JOIN"][random.below(2) as usize],
        ["", "AND l.v <> r.v", "AND l.v = r.v"][random.below(3) as usize],
    );
    // Of a table with a key the rows themselves have versions.
    let versions = if tables == Tables::Upsert && random.below(2) == 0 { "r" } else { "versions" };
    // A table that takes rows back and has no key has no versions.
    match random.below(if tables == Tables::Change { 2 } else { 4 }) {
        0 | 1 => format!("SELECT {select} FROM l ASOF JOIN r MATCH_CONDITION (l.ts {op} r.ts) {on} {filter}"),
        2 if kind == "JOIN" && random.below(2) == 0 => {
            let filter = filter.replace("WHERE", "AND");
            format!(
                "SELECT {select} FROM l, {versions} FOR SYSTEM_TIME AS OF l.ts AS r WHERE r.k = l.k {extra} {filter}"
            )
        }
        2 => format!(
            "SELECT {select} FROM l {kind} {versions} FOR SYSTEM_TIME AS OF l.ts AS r ON l.k = r.k {extra} {filter}"
        ),
        _ if tables == Tables::Timeless => {
            format!("SELECT {select} FROM l {kind} versions FOR SYSTEM_TIME AS OF l.ts AS r ON r.k = l.k {filter}")
        }
        _ => format!(
            "SELECT window_start, window_end, k, SUM(rv) AS s, COUNT(*) AS n FROM TABLE(TUMBLE((SELECT l.ts, l.k, r.v AS rv FROM l {kind} {versions} FOR SYSTEM_TIME AS OF l.ts AS r ON l.k = r.k {extra}), DESCRIPTOR(ts), INTERVAL '0.010' SECOND)) GROUP BY window_start, window_end, k"
        ),
    }
}

async fn one_case(seed: u64) {
    let mut random = Random(seed);
    let tables =
        [Tables::End, Tables::GoOn, Tables::Timeless, Tables::Change, Tables::Upsert][random.below(5) as usize];
    let (stream, batch) = sessions(&mut random, tables);
    for session in [&stream, &batch] {
        session.execute(&format!("CREATE VIEW versions AS {LAST}")).await.unwrap();
    }
    let query = query(&mut random, tables);
    let expected = batch::answer(&batch, &query).await.unwrap_or_else(|e| panic!("seed {seed}: {query}: {e}"));
    let expected = rows_as_text(&expected);
    let pipeline = stream.prepare(&query).await.unwrap_or_else(|e| panic!("seed {seed}: {query}: {e}"));
    let pipeline = pipeline.pipeline.unwrap();
    let schema = pipeline.results()[0].schema.clone();
    let cut = |workers, rows| Cut { seed, workers, rows, start: 0 };
    for cut in [Cut::whole(), cut(1, CutRows::Exactly(1)), cut(3, CutRows::UpTo(9)), cut(2, CutRows::UpTo(40))] {
        let got = simulate(&pipeline, cut).await.unwrap_or_else(|e| panic!("seed {seed}, {cut:?}: {query}: {e}"));
        let got = rows_as_text(&consolidate(&schema, &got.results[0]).unwrap());
        assert_eq!(got, expected, "seed {seed}, {tables:?}, {cut:?}: {query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_by_time_is_what_it_is_in_batch() {
    let more = std::env::var("TIDEMILL_MORE_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(1);
    for seed in 0..50 * more {
        one_case(seed).await;
    }
}

/// A row that comes in below its split's watermark takes no part, and is kept.
#[tokio::test]
async fn late_rows_are_kept() {
    let session = Session::new();
    let table = |times: Vec<i64>| {
        let count = times.len();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("k", Arc::new(Int64Array::from(vec![1; count]))),
            ("ts", Arc::new(TimestampMillisecondArray::from(times))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        Arc::new(MemoryTable::try_new(batch.schema(), vec![vec![batch]]).unwrap())
    };
    let time = || Some(EventTime::new("ts", Duration::from_millis(2)));
    session.register_source("l", table(vec![10, 20, 15]), time()).unwrap();
    session.register_source("r", table(vec![9, 30, 14]), time()).unwrap();
    let query = "SELECT l.ts, r.ts AS rts FROM l ASOF JOIN r MATCH_CONDITION (l.ts >= r.ts) ON l.k = r.k";
    let pipeline = session.prepare(query).await.unwrap().pipeline.unwrap();
    for rows in [CutRows::All, CutRows::Exactly(1)] {
        let got = simulate(&pipeline, Cut { rows, ..Cut::whole() }).await.unwrap();
        let rows = rows_as_text(&consolidate(&pipeline.results()[0].schema, &got.results[0]).unwrap());
        let nine = "1970-01-01T00:00:00.009";
        assert_eq!(rows, [format!("1970-01-01T00:00:00.010 | {nine}"), format!("1970-01-01T00:00:00.020 | {nine}")]);
        assert_eq!(got.late.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    }
}

const CURRENCIES: &str = r#"{"before":null,"after":{"cur":"EUR","rate":11,"ts":"2024-01-01 00:00:10"},"op":"c"}
{"before":null,"after":{"cur":"YEN","rate":1,"ts":"2024-01-01 00:00:12"},"op":"c"}
{"before":{"cur":"EUR","rate":11,"ts":"2024-01-01 00:00:10"},"after":{"cur":"EUR","rate":12,"ts":"2024-01-01 00:00:20"},"op":"u"}
{"before":{"cur":"YEN","rate":1,"ts":"2024-01-01 00:00:12"},"after":null,"op":"d"}
{"before":null,"after":{"cur":"YEN","rate":2,"ts":"2024-01-01 00:00:40"},"op":"c"}
{"before":{"cur":"USD","rate":1,"ts":"2024-01-01 00:00:12"},"after":null,"op":"d"}
{"before":null,"after":{"cur":"XAU","rate":9,"ts":"2024-01-01 00:01:40"},"op":"c"}
"#;

/// The same with an operation column, where deletions have a time of their own.
const OPERATIONS: &str = "+I,EUR,11,2024-01-01 00:00:10
+I,YEN,1,2024-01-01 00:00:12
-U,EUR,11,2024-01-01 00:00:10
+U,EUR,12,2024-01-01 00:00:20
-D,YEN,1,2024-01-01 00:00:20
+I,YEN,2,2024-01-01 00:00:40
-D,USD,,2024-01-01 00:00:12
+I,XAU,9,2024-01-01 00:01:40
";

const ORDERS: &str = "1,EUR,2024-01-01 00:00:05
2,EUR,2024-01-01 00:00:10
3,EUR,2024-01-01 00:00:19
4,YEN,2024-01-01 00:00:19
5,EUR,2024-01-01 00:00:20
6,YEN,2024-01-01 00:00:20
7,YEN,2024-01-01 00:00:45
8,EUR,2024-01-01 00:00:50
";

/// A version ends with the next one or with its deletion, an update leaves no gap, and what deletes nothing is rejected.
#[tokio::test]
async fn a_table_of_changes_has_versions_that_end() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).expect("the directory is there");
        format!("'connector' = 'filesystem', 'path' = '{}'", dir.path().join(name).display())
    };
    let orders = file("orders.csv", ORDERS);
    let debezium = format!("{}, 'format' = 'debezium-json'", file("rates.json", CURRENCIES));
    let operations =
        format!("{}, 'format' = 'csv', 'changelog.operation-column' = 'op'", file("rates.csv", OPERATIONS));
    for (op, rates) in [("", debezium), ("op STRING, ", operations)] {
        let session = Session::new();
        let tables = format!(
            "CREATE TABLE rates ({op}cur STRING, rate BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts, PRIMARY KEY (cur) NOT ENFORCED) WITH ({rates});
             CREATE TABLE orders (id BIGINT, cur STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ({orders}, 'format' = 'csv');"
        );
        session.execute(&tables).await.unwrap_or_else(|e| panic!("{}", e.render(&tables)));
        for (join, on, none) in [("LEFT JOIN", "ON", true), ("JOIN", "ON", false), (",", "WHERE", false)] {
            let query = format!(
                "SELECT o.id, r.rate FROM orders o {join} rates FOR SYSTEM_TIME AS OF o.ts AS r {on} o.cur = r.cur"
            );
            let mut expected = vec!["2 | 11", "3 | 11", "4 | 1", "5 | 12", "7 | 2", "8 | 12"];
            if none {
                expected.extend(["1 | NULL", "6 | NULL"]);
                expected.sort_unstable();
            }
            assert_eq!(rows_as_text(&batch::answer(&session, &query).await.unwrap()), expected, "{query}");
            let pipeline = session.prepare(&query).await.unwrap().pipeline.unwrap();
            for rows in [CutRows::All, CutRows::Exactly(1)] {
                let got = simulate(&pipeline, Cut { rows, ..Cut::whole() }).await.unwrap();
                let text = rows_as_text(&consolidate(&pipeline.results()[0].schema, &got.results[0]).unwrap());
                assert_eq!(text, expected, "{query}");
                assert_eq!(got.late.iter().map(RecordBatch::num_rows).sum::<usize>(), 0, "{query}");
            }
        }
    }
}
