//! Joins, subqueries and set operations against DataFusion in batch: random rows with NULLs and duplicates, tables that end
//! and tables that do not, rows that are taken back, many cuts, one worker and three.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::TimestampMillisecondType;
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
    /// Whether some rows are further out of order than that.
    late: bool,
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
        let disorder = tables.timed.unwrap_or(0) + if tables.late { 4_000 } else { 0 };
        ts.push(*clock - draw(2) * draw(1 + disorder as u64));
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

/// The rows of a split that are not below its watermark when they come.
fn on_time(splits: &mut [Vec<Delta>], delay: i64) {
    for split in splits {
        let mut watermark = i64::MIN;
        for delta in split {
            let times = delta.batch.column(3).as_primitive::<TimestampMillisecondType>().clone();
            let keep = times.values().iter().map(|t| {
                let keep = *t >= watermark;
                watermark = watermark.max(t - delay);
                Some(keep)
            });
            *delta = delta.filter(&keep.collect()).unwrap();
        }
    }
}

fn session(tables: Tables, for_batch: bool) -> Session {
    let session = Session::new();
    let mut random = Random(tables.seed);
    for name in ["l", "r", "u"] {
        let mode = if tables.retracts { ChangeMode::Retract } else { ChangeMode::Append };
        let mut splits: Vec<Vec<Delta>> = (0..1 + random.below(2))
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
        if let (Some(delay), true) = (tables.timed, for_batch) {
            on_time(&mut splits, delay);
        }
        let schema = splits[0][0].batch.schema();
        let table = MemoryTable::of_changes(schema, splits, mode).unwrap();
        let table = if tables.bounded || for_batch { table } else { table.without_end() };
        let delay = |ms: i64| EventTime::new("ts", std::time::Duration::from_millis(ms as u64));
        session.register_source(name, Arc::new(table), tables.timed.map(delay)).unwrap();
    }
    session
}

async fn check(tables: Tables, sql: &str) {
    let expected = batch::answer(&session(tables, true), sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    let expected = rows_as_text(&expected);
    let session = session(tables, false);
    let cut = |workers, rows| Cut { seed: tables.seed, workers, rows, start: 0 };
    for cut in [cut(1, CutRows::UpTo(4)), cut(3, CutRows::UpTo(9)), cut(1, CutRows::All)] {
        // Over tables that end, the changes of every epoch only where they are asked for.
        let emit = if tables.bounded && cut.workers == 3 { " EMIT CHANGES" } else { "" };
        let script = session.prepare(&format!("{sql}{emit}")).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
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
    for seed in seeds(1) {
        for (bounded, retracts) in [(true, false), (false, false), (true, true), (false, true)] {
            if retracts && append_only {
                continue;
            }
            for sql in queries {
                check(Tables { seed, rows: 9, retracts, bounded, timed: None, late: false }, sql).await;
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
    "l.k IS NOT DISTINCT FROM r.k AND l.v <> r.v",
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
        let tables = Tables { seed, rows: 9, retracts: false, bounded: true, timed: None, late: false };
        check(tables, "SELECT k, s FROM l EXCEPT SELECT k, s FROM r").await;
    }
}

/// Queries in which time bounds a join, over tables that end and tables that do not. Rows that are late are those below the
/// watermark of their split; the batch side has none of them.
async fn check_timed(queries: &[&str], late: bool) {
    for seed in seeds(1).map(|seed| seed + 1) {
        for bounded in [true, false] {
            for sql in queries {
                let timed = Some(700 * (seed as i64 % 3));
                check(Tables { seed, rows: 14, retracts: false, bounded, timed, late }, sql).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interval_joins() {
    let mut queries = vec![];
    for kind in ["INNER", "LEFT", "RIGHT", "FULL"] {
        for condition in [
            "l.k = r.k AND l.ts BETWEEN r.ts - INTERVAL '2' SECOND AND r.ts + INTERVAL '1' SECOND",
            "l.k = r.k AND l.ts >= r.ts + INTERVAL '1' SECOND AND l.ts < r.ts + INTERVAL '3' SECOND AND l.v < r.v",
            "l.ts = r.ts",
            "r.ts > l.ts AND l.k = r.k",
        ] {
            queries.push(format!("SELECT l.k, l.v, l.ts, r.v AS v2, r.ts AS ts2 FROM l {kind} JOIN r ON {condition}"));
        }
    }
    queries.extend(
        [
            "SELECT * FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.ts BETWEEN l.ts AND l.ts + INTERVAL '2' SECOND)",
            "SELECT * FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.ts BETWEEN l.ts - INTERVAL '1' SECOND AND l.ts)",
            "SELECT l.v, r.v AS v2, u.v AS v3 FROM l JOIN r ON l.k = r.k AND l.ts BETWEEN r.ts - INTERVAL '1' SECOND AND r.ts + INTERVAL '1' SECOND
             JOIN u ON u.k = l.k AND u.ts BETWEEN l.ts - INTERVAL '1' SECOND AND l.ts + INTERVAL '2' SECOND",
            "SELECT a.v, b.v AS v2 FROM l a LEFT JOIN l b ON a.k = b.k AND b.ts > a.ts AND b.ts - a.ts < INTERVAL '2' SECOND",
        ]
        .map(String::from),
    );
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    check_timed(&queries, false).await;
    check_timed(&queries[..8], true).await;
}

/// The rows of which a window's greatest or least value comes: most rows are left out before the join.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_the_extreme_of_a_window() {
    let mut queries = vec![];
    for (of, extreme, shift) in
        [("l", "MAX", ""), ("l", "MIN", ", INTERVAL '1' SECOND"), ("r", "MAX", ""), ("r", "MIN", "")]
    {
        let windows = format!(
            "(SELECT {extreme}(v) AS v, window_end AS e, window_time AS wt, COUNT(*) AS n
              FROM TABLE(TUMBLE(TABLE {of}, DESCRIPTOR(ts), INTERVAL '2' SECOND{shift})) GROUP BY window_start, window_end, window_time) m"
        );
        let within = "l.v = m.v AND l.ts BETWEEN m.e - INTERVAL '2' SECOND AND m.e";
        for condition in [
            within,
            "l.v = m.v AND l.ts >= m.e - INTERVAL '2' SECOND AND l.ts < m.e",
            "l.v = m.v AND l.ts BETWEEN m.wt - INTERVAL '5' SECOND AND m.wt + INTERVAL '1' SECOND",
            "l.v = m.v AND l.ts BETWEEN m.e + INTERVAL '1' SECOND AND m.e + INTERVAL '3' SECOND AND l.k > 1",
        ] {
            queries.push(format!("SELECT l.k, l.v, l.ts, m.e, m.n FROM l JOIN {windows} ON {condition}"));
            queries.push(format!("SELECT l.k, l.ts, m.v, m.e FROM {windows} LEFT JOIN l ON {condition}"));
        }
        queries
            .push(format!("SELECT m.e, m.v FROM {windows} WHERE EXISTS (SELECT 1 FROM l WHERE l.k = 1 AND {within})"));
        queries.push(format!("SELECT l.k, l.ts, m.e FROM l LEFT JOIN {windows} ON {within}"));
    }
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    check_timed(&queries, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn window_joins() {
    let tumble = |t: &str| format!("TABLE(TUMBLE(TABLE {t}, DESCRIPTOR(ts), INTERVAL '2' SECOND))");
    let hop = |t: &str| format!("TABLE(HOP(TABLE {t}, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '3' SECOND))");
    let mut queries = vec![];
    for kind in ["INNER", "LEFT", "RIGHT", "FULL"] {
        for cut in [&tumble as &dyn Fn(&str) -> String, &hop] {
            queries.push(format!(
                "SELECT a.window_start AS s, a.k, a.v, b.window_end AS e, b.v AS v2 FROM {} a {kind} JOIN {} b
                 ON a.window_start = b.window_start AND a.window_end = b.window_end AND a.k = b.k",
                cut("l"),
                cut("r"),
            ));
        }
    }
    let semi = |not: &str| {
        format!(
            "SELECT a.k, a.v, a.window_start FROM {} a WHERE a.k {not} IN (SELECT b.k FROM {} b
             WHERE b.window_start = a.window_start AND b.window_end = a.window_end AND b.k IS NOT NULL) AND a.k IS NOT NULL",
            tumble("l"),
            tumble("r"),
        )
    };
    queries.push(semi(""));
    queries.push(format!(
        "SELECT a.k, a.v, a.window_start FROM {} a WHERE NOT EXISTS (SELECT 1 FROM {} b
         WHERE b.window_start = a.window_start AND b.window_end = a.window_end AND b.k = a.k AND b.v > a.v)",
        tumble("l"),
        tumble("r"),
    ));
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    check_timed(&queries, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_goes_on_above_a_join() {
    check_timed(
        &[
            "WITH j AS (SELECT l.k, l.ts AS ts, r.v FROM l JOIN r ON l.k = r.k AND l.ts BETWEEN r.ts - INTERVAL '1' SECOND AND r.ts + INTERVAL '1' SECOND)
             SELECT window_start, window_end, k, COUNT(*) AS n, SUM(v) AS v FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(ts), INTERVAL '3' SECOND)) GROUP BY window_start, window_end, k",
            "WITH j AS (SELECT l.k, r.ts AS ts, r.v FROM l JOIN r ON l.k = r.k AND l.ts BETWEEN r.ts - INTERVAL '1' SECOND AND r.ts + INTERVAL '1' SECOND)
             SELECT window_start, window_end, k, COUNT(*) AS n FROM TABLE(HOP(TABLE j, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '2' SECOND)) GROUP BY window_start, window_end, k",
            "WITH j AS (SELECT l.k, l.ts AS ts, r.v FROM l LEFT JOIN r ON l.k = r.k AND l.ts BETWEEN r.ts AND r.ts + INTERVAL '2' SECOND)
             SELECT window_start, window_end, COUNT(*) AS n, COUNT(v) AS m FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY window_start, window_end",
            "WITH a AS (SELECT window_start, window_end, k, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE l, DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY window_start, window_end, k),
                  b AS (SELECT window_start, window_end, k, MAX(v) AS m FROM TABLE(TUMBLE(TABLE r, DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY window_start, window_end, k)
             SELECT a.window_start, a.k, n, m FROM a JOIN b ON a.window_start = b.window_start AND a.window_end = b.window_end AND a.k = b.k",
            "WITH a AS (SELECT window_start, window_end, k, COUNT(*) AS n FROM TABLE(HOP(TABLE l, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '3' SECOND)) GROUP BY window_start, window_end, k),
                  m AS (SELECT window_start, window_end, MAX(n) AS most FROM a GROUP BY window_start, window_end)
             SELECT a.window_start, a.k, a.n FROM a JOIN m ON a.window_start = m.window_start AND a.window_end = m.window_end WHERE a.n >= m.most",
            "WITH a AS (SELECT x.window_start, x.window_end, x.k, y.v FROM TABLE(TUMBLE(TABLE l, DESCRIPTOR(ts), INTERVAL '2' SECOND)) x
                        JOIN TABLE(TUMBLE(TABLE r, DESCRIPTOR(ts), INTERVAL '2' SECOND)) y ON x.window_start = y.window_start AND x.window_end = y.window_end AND x.k = y.k)
             SELECT window_start, window_end, COUNT(*) AS n, SUM(v) AS v FROM a GROUP BY window_start, window_end",
            "SELECT b.v, b.ts, m.most FROM l b JOIN (SELECT MAX(v) AS most, window_time AS t FROM TABLE(TUMBLE(TABLE l, DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY window_start, window_end, window_time) m
             ON b.v = m.most AND b.ts BETWEEN m.t - INTERVAL '2' SECOND AND m.t",
            "SELECT k, COUNT(*) AS n FROM (SELECT l.k FROM l LEFT JOIN r ON l.k = r.k AND l.ts BETWEEN r.ts AND r.ts + INTERVAL '2' SECOND) GROUP BY k",
        ],
        false,
    )
    .await;
}
