//! Joins, subqueries and set operations against DataFusion in batch: random rows with NULLs and duplicates, tables that end
//! and tables that do not, rows that are taken back, many cuts, one worker and three.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use tidemill::core::{ChangeMode, Delta};
use tidemill::simulate::{Cut, CutRows, Random, simulate};
use tidemill::tables::memory::MemoryTable;
use tidemill::{EventTime, Session, batch, consolidate};
use tidemill_tests::law::rows_as_text;

/// What is drawn of the tables of a case.
#[derive(Debug, Clone, Copy)]
struct Tables {
    seed: u64,
    rows: u64,
    /// Whether rows are taken back.
    retracts: bool,
    /// Whether the tables end.
    bounded: bool,
    /// Whether `ts` is event time, and how far it may be out of order, in milliseconds.
    timed: Option<i64>,
}

/// `(k INT, s STRING, v BIGINT, ts TIMESTAMP(3))`: few distinct values, so that much meets.
fn rows(random: &mut Random, tables: Tables, clock: &mut i64) -> RecordBatch {
    let count = random.below(tables.rows) as usize;
    let (mut k, mut s, mut v, mut ts) = (vec![], vec![], vec![], vec![]);
    for _ in 0..count {
        let mut draw = |limit: u64| random.below(limit) as i64;
        k.push((draw(7) != 0).then(|| draw(4) as i32));
        s.push((draw(7) != 0).then(|| ["a", "b", ""][draw(3) as usize]));
        v.push((draw(7) != 0).then(|| draw(8) - 2));
        *clock += draw(900);
        ts.push(*clock - draw(2) * draw(1 + tables.timed.unwrap_or(0) as u64));
    }
    RecordBatch::try_from_iter_with_nullable([
        ("k", Arc::new(Int32Array::from(k)) as ArrayRef, true),
        ("s", Arc::new(StringArray::from(s)), true),
        ("v", Arc::new(Int64Array::from(v)), true),
        ("ts", Arc::new(TimestampMillisecondArray::from(ts)), true),
    ])
    .unwrap()
}

/// The batch, and then some of its rows taken back.
fn changes(random: &mut Random, batch: RecordBatch, retracts: bool) -> Vec<Delta> {
    let back: Vec<u32> = (0..batch.num_rows() as u32).filter(|_| retracts && random.below(3) == 0).collect();
    let mut all = vec![Delta::insert(batch.clone())];
    if !back.is_empty() {
        let taken = Delta::insert(batch).take(&back.clone().into()).unwrap();
        all.push(Delta::weighted(taken.batch, Int64Array::from(vec![-1; back.len()])));
    }
    all
}

fn session(tables: Tables) -> Session {
    let session = Session::new();
    let mut random = Random(tables.seed);
    for name in ["l", "r", "u"] {
        let mode = if tables.retracts { ChangeMode::Retract } else { ChangeMode::Append };
        let splits: Vec<Vec<Delta>> = (0..1 + random.below(2))
            .map(|_| {
                let mut clock = 0;
                (0..3)
                    .flat_map(|_| {
                        let batch = rows(&mut random, tables, &mut clock);
                        changes(&mut random, batch, tables.retracts)
                    })
                    .collect()
            })
            .collect();
        let schema = splits[0][0].batch.schema();
        let table = MemoryTable::of_changes(schema, splits, mode).unwrap();
        let table = if tables.bounded { table } else { table.without_end() };
        let delay = |ms: i64| EventTime::new("ts", std::time::Duration::from_millis(ms as u64));
        session.register_source(name, Arc::new(table), tables.timed.map(delay)).unwrap();
    }
    session
}

async fn check(tables: Tables, sql: &str) {
    let expected =
        batch::answer(&session(Tables { bounded: true, ..tables }), sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    let expected = rows_as_text(&expected);
    let session = session(tables);
    let cut = |workers, rows| Cut { seed: tables.seed, workers, rows, start: 0 };
    for cut in [
        Cut::whole(),
        cut(1, CutRows::Exactly(1)),
        cut(3, CutRows::UpTo(7)),
        cut(1, CutRows::UpTo(40)),
        cut(3, CutRows::All),
    ] {
        let script = session.prepare(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let pipeline = script.pipeline.expect("the text is a query");
        let simulated = simulate(&pipeline, cut).await.unwrap_or_else(|e| panic!("{sql}\n{tables:?} {cut:?}: {e}"));
        let info = &pipeline.results()[0];
        let got = rows_as_text(&consolidate(&info.schema, &simulated.results[0]).unwrap());
        assert_eq!(got, expected, "{sql}\n{tables:?} {cut:?}");
        if !info.retracts {
            assert!(simulated.results[0].iter().all(|d| d.weights.is_none()), "an append result: {sql}");
        }
    }
}

fn seeds(count: u64) -> std::ops::Range<u64> {
    let more = std::env::var("TIDEMILL_MORE_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(1);
    0..count * more
}

/// Every query over tables of all four kinds.
async fn check_all(queries: &[&str], append_only: bool) {
    for seed in seeds(3) {
        for (bounded, retracts) in [(true, false), (false, false), (true, true), (false, true)] {
            if retracts && append_only {
                continue;
            }
            for sql in queries {
                check(Tables { seed, rows: 9, retracts, bounded, timed: None }, sql).await;
            }
        }
    }
}

const CONDITIONS: &[&str] = &[
    "l.k = r.k",
    "l.k = r.k AND l.s = r.s",
    "l.k = r.k AND l.v < r.v",
    "l.k = r.k AND (l.v < r.v OR r.s = 'a') AND l.v > 0",
    "l.v + 1 < r.v",
    "l.k IS NOT DISTINCT FROM r.k",
    "(l.k IS NOT DISTINCT FROM r.k) AND l.v <> r.v",
    "l.k + 1 = r.v",
    "l.k = r.k AND l.v > 2",
    "TRUE",
];

#[tokio::test(flavor = "multi_thread")]
async fn joins_of_every_kind() {
    for kind in ["INNER", "LEFT", "RIGHT", "FULL"] {
        let queries: Vec<String> = CONDITIONS
            .iter()
            .map(|c| format!("SELECT l.k, l.s, l.v, r.k AS k2, r.v AS v2 FROM l {kind} JOIN r ON {c}"))
            .collect();
        check_all(&queries.iter().map(String::as_str).collect::<Vec<_>>(), false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subqueries_that_ask_whether_there_is_a_row() {
    check_all(
        &[
            "SELECT * FROM l WHERE k IN (SELECT k FROM r WHERE v > 0)",
            "SELECT * FROM l WHERE k NOT IN (SELECT k FROM r WHERE v > 3)",
            "SELECT * FROM l WHERE k NOT IN (SELECT k FROM r WHERE v > 3 AND k IS NOT NULL)",
            "SELECT * FROM l WHERE k NOT IN (SELECT k FROM r WHERE v > 100)",
            "SELECT * FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.v > 2)",
            "SELECT * FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k)",
            "SELECT * FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.v > l.v)",
            "SELECT * FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.v > l.v)",
            "SELECT * FROM l WHERE v > 2 OR k IN (SELECT k FROM r WHERE v > 2)",
            "SELECT * FROM l WHERE v > 2 OR EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.v < l.v)",
            "SELECT * FROM l WHERE v > 2 AND NOT (s = 'a' AND k IN (SELECT k FROM r))",
            "SELECT * FROM l WHERE EXISTS (SELECT 1 FROM r WHERE v > 4)",
            "SELECT * FROM l WHERE k IN (SELECT k FROM r WHERE v IN (SELECT v FROM u))",
            "SELECT l.k, x.v FROM l LEFT JOIN (SELECT k, v FROM r WHERE k NOT IN (SELECT k FROM u WHERE k > 1)) x ON l.k = x.k",
        ],
        false,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_of_joins_and_with_itself() {
    check_all(
        &[
            "SELECT a.k, a.v, b.v AS v2 FROM l a JOIN l b ON a.k = b.k",
            "SELECT a.k, a.v, b.v AS v2 FROM l a LEFT JOIN l b ON a.k = b.v",
            "SELECT l.v, r.v AS v2, u.v AS v3 FROM l JOIN r ON l.k = r.k JOIN u ON r.v = u.v",
            "SELECT l.v, r.v AS v2, u.v AS v3 FROM l LEFT JOIN r ON l.k = r.k LEFT JOIN u ON r.v = u.v AND u.k > 0",
            "SELECT l.v, r.v AS v2, u.v AS v3 FROM l FULL JOIN r ON l.k = r.k AND l.s = r.s FULL JOIN u ON r.v = u.v",
            "SELECT l.v, r.v AS v2, u.v AS v3 FROM l, r, u WHERE l.k = r.k AND r.k = u.k AND l.v < u.v",
            "SELECT x.k, r.s FROM (SELECT l.k FROM l JOIN u ON l.k = u.k WHERE l.v > u.v) x RIGHT JOIN r ON x.k = r.k",
        ],
        false,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_subqueries() {
    check_all(
        &[
            "SELECT * FROM l WHERE v > (SELECT AVG(v) FROM r)",
            "SELECT k, v, (SELECT MAX(v) FROM r) AS m FROM l",
            "SELECT k, v, (SELECT MAX(v) FROM r WHERE r.k = l.k) AS m FROM l",
            "SELECT k, v, (SELECT COUNT(*) FROM r WHERE r.k = l.k) AS n FROM l",
            "SELECT * FROM l WHERE v = (SELECT MIN(v) FROM r WHERE r.k = l.k)",
            "SELECT k, COUNT(*) AS n FROM l GROUP BY k HAVING COUNT(*) > (SELECT COUNT(*) FROM r WHERE v > 3)",
        ],
        true,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn set_operations() {
    check_all(
        &[
            "SELECT k, s FROM l INTERSECT SELECT k, s FROM r",
            "SELECT k, s FROM l UNION SELECT k, s FROM r",
            "SELECT k, s FROM l INTERSECT ALL SELECT k, s FROM r",
            "SELECT k, s FROM l EXCEPT ALL SELECT k, s FROM r",
        ],
        true,
    )
    .await;
    for seed in seeds(3) {
        let tables = Tables { seed, rows: 9, retracts: false, bounded: true, timed: None };
        check(tables, "SELECT k, s FROM l EXCEPT SELECT k, s FROM r").await;
    }
}
