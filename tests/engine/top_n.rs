//! Ranks in a range, limits and first rows: random queries over tables without an end, over insertions and over changes,
//! in many cuts, against the batch answer. Orders are total or the query does not show what they leave open.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt32Array};
use arrow::compute::take_record_batch;
use tidemill::core::ChangeMode;
use tidemill::simulate::{Cut, CutRows, Random, simulate};
use tidemill::tables::memory::MemoryTable;
use tidemill::{Delta, EventTime, Session, batch, consolidate};
use tidemill_tests::law::rows_as_text;

/// Rows of `k BIGINT, g STRING, v BIGINT, u BIGINT, ts TIMESTAMP(3)`; `u` is different in each of them. Times are out of
/// order by less than two seconds.
fn rows(random: &mut Random, count: u64, from: i64) -> RecordBatch {
    let mut clock = 0;
    let mut draw = |limit: u64| random.below(limit) as i64;
    let drawn: Vec<_> = (0..count as i64)
        .map(|i| {
            clock += draw(900);
            let k = Some(draw(4)).filter(|k| *k > 0);
            let g = ["a", "b", "a long value that goes on"][draw(3) as usize];
            let v = Some(draw(9)).filter(|v| *v > 0);
            (k, g, v, from + (i * 7919) % 1_000, clock - draw(1_900))
        })
        .collect();
    RecordBatch::try_from_iter_with_nullable([
        ("k", Arc::new(drawn.iter().map(|r| r.0).collect::<Int64Array>()) as ArrayRef, true),
        ("g", Arc::new(drawn.iter().map(|r| Some(r.1)).collect::<StringArray>()), true),
        ("v", Arc::new(drawn.iter().map(|r| r.2).collect::<Int64Array>()), true),
        ("u", Arc::new(drawn.iter().map(|r| Some(r.3)).collect::<Int64Array>()), true),
        ("ts", Arc::new(drawn.iter().map(|r| Some(r.4)).collect::<TimestampMillisecondArray>()), true),
    ])
    .unwrap()
}

/// Some rows are taken back, some come twice, some come back.
fn changing(random: &mut Random, rows: &RecordBatch) -> Delta {
    let (mut picks, mut weights, mut live) = (vec![], vec![], vec![]);
    for row in 0..rows.num_rows() as u32 {
        let often = 1 + i64::from(random.below(5) == 0);
        picks.push(row);
        weights.push(often);
        (0..often).for_each(|_| live.push(row));
        while random.below(3) == 0 && !live.is_empty() {
            let gone = live.swap_remove(random.below(live.len() as u64) as usize);
            picks.push(gone);
            weights.push(-1);
            if random.below(4) == 0 {
                picks.push(gone);
                weights.push(1);
                live.push(gone);
            }
        }
    }
    let batch = take_record_batch(rows, &UInt32Array::from(picks)).unwrap();
    Delta::weighted(batch, Int64Array::from(weights))
}

/// `t`, insertions in two splits, and `r`, changes in one, once with an end and once without.
fn sessions(seed: u64) -> [Session; 2] {
    let mut random = Random(seed);
    let counts = [random.below(60), random.below(60)];
    let splits: Vec<_> = counts.iter().zip([0, 1_000]).map(|(n, from)| rows(&mut random, *n, from)).collect();
    let schema = splits[0].schema();
    let changed = rows(&mut random, 50, 0);
    let changed = changing(&mut random, &changed);
    [true, false].map(|ends| {
        let session = Session::new();
        let t = MemoryTable::try_new(schema.clone(), splits.iter().map(|s| vec![s.clone()]).collect()).unwrap();
        let r = MemoryTable::of_changes(schema.clone(), vec![vec![changed.clone()]], ChangeMode::Retract).unwrap();
        let (t, r) = if ends { (t, r) } else { (t.without_end(), r.without_end()) };
        let time = EventTime::new("ts", Duration::from_secs(2));
        session.register_source("t", Arc::new(t), Some(time)).unwrap();
        session.register_source("r", Arc::new(r), None).unwrap();
        session
    })
}

fn cuts(seed: u64) -> [Cut; 5] {
    let cut = |workers, rows| Cut { seed, workers, rows, start: 0 };
    [
        Cut::whole(),
        cut(1, CutRows::Exactly(1)),
        cut(3, CutRows::UpTo(7)),
        cut(1, CutRows::UpTo(25)),
        cut(3, CutRows::All),
    ]
}

/// What the query adds up to, in the order in which it came.
async fn stream(session: &Session, query: &str, cut: Cut) -> RecordBatch {
    let script = session.prepare(query).await.unwrap_or_else(|e| panic!("{query}\n{e}"));
    let pipeline = script.pipeline.expect("the text is a query");
    let schema = pipeline.results()[0].schema.clone();
    let simulated = simulate(&pipeline, cut).await.unwrap_or_else(|e| panic!("{query}\n{cut:?}\n{e}"));
    consolidate(&schema, &simulated.results[0]).unwrap_or_else(|e| panic!("{query}\n{cut:?}\n{e}"))
}

/// The query over tables with an end and without is the batch answer, in every cut.
async fn check(seed: u64, query: &str) {
    let [bounded, unbounded] = sessions(seed);
    let expected = batch::answer(&bounded, query).await.unwrap_or_else(|e| panic!("batch of {query}\n{e}"));
    let expected = rows_as_text(&expected);
    for session in [&unbounded, &bounded] {
        for cut in cuts(seed) {
            let got = rows_as_text(&stream(session, query, cut).await);
            assert_eq!(got, expected, "seed {seed}\n{query}\n{cut:?}");
        }
    }
}

/// Something to rank: a table, or a result that is updated; its columns for partitions, its total orders, and an order that
/// leaves ties open.
struct Relation {
    from: &'static str,
    columns: &'static str,
    partitions: [&'static str; 3],
    orders: [&'static str; 3],
    ties: &'static str,
}

const T: Relation = Relation {
    from: "t",
    columns: "k, g, v, u",
    partitions: ["k", "k, g", "v % 2"],
    orders: ["v, u", "v DESC, u DESC", "u % 7 DESC NULLS LAST, u"],
    ties: "v DESC",
};
/// Rows that are there twice are alike in everything.
const R: Relation = Relation { from: "r", ..T };
const GROUPS: Relation = Relation {
    from: "(SELECT k, g, COUNT(*) AS c, SUM(v) AS s FROM t GROUP BY k, g)",
    columns: "k, g, c, s",
    partitions: ["k", "g", "c % 2"],
    orders: ["s, k, g", "c DESC, k, g", "s DESC NULLS LAST, g, k"],
    ties: "c",
};

fn ranked(random: &mut Random) -> String {
    let mut pick = |n: u64| random.below(n) as usize;
    let relation = [T, R, GROUPS][pick(3)..].iter().next().map(|r| Relation { ..*r }).unwrap();
    let Relation { from, columns, partitions, orders, ties } = relation;
    let partition = ["", partitions[pick(3)]][pick(2)];
    let partition = if partition.is_empty() { String::new() } else { format!("PARTITION BY {partition} ") };
    let function = ["ROW_NUMBER", "RANK", "DENSE_RANK"][pick(3)];
    // Which of several equal rows has which number is left open.
    let order = if function == "ROW_NUMBER" { orders[pick(3)] } else { [ties, orders[0]][pick(2)] };
    let n = pick(5) + 1;
    let condition = [
        format!("rn <= {n}"),
        format!("rn = {n}"),
        format!("rn < {n}"),
        format!("rn BETWEEN 2 AND {n}"),
        format!("{n} >= rn AND rn > 1"),
        format!("rn IN (1, {n}) AND k IS NOT NULL"),
        format!("rn <= {n} AND rn % 2 = 1"),
    ][pick(7)]
    .clone();
    let over = format!("{function}() OVER ({partition}ORDER BY {order})");
    let shown = ["*", columns][pick(2)];
    match pick(4) {
        0 => format!(
            "WITH ranked AS (SELECT {columns}, {over} AS rn FROM {from}) SELECT {shown} FROM ranked WHERE {condition}"
        ),
        1 => format!("SELECT {columns} FROM {from} QUALIFY {}", condition.replace("rn", &over)),
        2 => format!(
            "SELECT k, g, rn * 2 AS twice FROM (SELECT {columns}, {over} AS rn FROM {from} WHERE k > 0) WHERE {condition}"
        ),
        _ => format!("SELECT {shown} FROM (SELECT {columns}, {over} AS rn FROM {from}) AS ranked WHERE {condition}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranks_in_a_range() {
    for seed in 0..60 {
        let query = ranked(&mut Random(seed));
        check(seed, &query).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits() {
    for (seed, query) in [
        "SELECT k, v, u FROM t ORDER BY v DESC, u LIMIT 5",
        "SELECT k, v, u FROM r ORDER BY v, u LIMIT 3 OFFSET 4",
        "SELECT u FROM t ORDER BY u OFFSET 50",
        "SELECT k, n FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k) ORDER BY n DESC, k LIMIT 2 OFFSET 1",
        "SELECT g, u + 1 AS next FROM (SELECT * FROM t ORDER BY u DESC LIMIT 9) WHERE v > 2",
        "SELECT * FROM (SELECT v, u FROM t ORDER BY v, u LIMIT 9) ORDER BY u LIMIT 4",
        "SELECT u FROM (SELECT u FROM t ORDER BY u LIMIT 4) UNION ALL SELECT u FROM (SELECT u FROM r ORDER BY u DESC LIMIT 2)",
        "SELECT v FROM t ORDER BY v NULLS FIRST LIMIT 7",
        "SELECT v FROM t ORDER BY v DESC FETCH FIRST 4 ROWS WITH TIES",
        "SELECT v % 3 AS m, COUNT(*) AS n FROM t GROUP BY v ORDER BY 1 OFFSET 0 ROWS FETCH FIRST 2 ROWS WITH TIES",
        "SELECT u FROM t ORDER BY u OFFSET 3 ROWS FETCH NEXT 4 ROWS WITH TIES",
        "SELECT k, n FROM (SELECT k, COUNT(*) AS n FROM r GROUP BY k) ORDER BY n DESC, k LIMIT 2",
        "SELECT u FROM t ORDER BY u LIMIT 0",
        "SELECT u FROM (SELECT u FROM t ORDER BY v, u) WHERE u > 3",
    ]
    .into_iter()
    .enumerate()
    {
        for more in 0..3 {
            check(seed as u64 * 3 + more, query).await;
        }
    }
}

/// One row of each key, and aggregates over rows that come and go.
#[tokio::test(flavor = "multi_thread")]
async fn one_row_a_key_and_what_stands_above() {
    let first = |order: &str, from: &str| {
        format!("(SELECT *, ROW_NUMBER() OVER (PARTITION BY k, g ORDER BY {order}) AS rn FROM {from})")
    };
    let queries = [
        format!("SELECT k, g, v, u FROM {} WHERE rn = 1", first("u DESC", "t")),
        format!("SELECT k, g, v, u, rn FROM {} WHERE rn <= 1", first("v NULLS LAST, u", "t")),
        // Equal rows stand in for each other.
        format!("SELECT k, g, v FROM {} WHERE rn = 1", first("v DESC", "t")),
        format!("SELECT k, COUNT(*) AS n, SUM(v) AS s, MAX(u) AS m FROM {} WHERE rn = 1 GROUP BY k", first("u", "t")),
        format!("SELECT g, COUNT(*) AS n, MIN(u) AS m FROM {} WHERE rn <= 3 GROUP BY g", first("v, u", "r")),
        format!("SELECT COUNT(*) AS n, AVG(u) AS a FROM {} WHERE rn BETWEEN 2 AND 3", first("v DESC, u", "t")),
        format!(
            "SELECT g, n FROM (SELECT g, COUNT(*) AS n FROM {} WHERE rn <= 2 GROUP BY g) ORDER BY n DESC, g LIMIT 2",
            first("u", "r")
        ),
        "SELECT DISTINCT ON (k) k, v, u FROM t ORDER BY k, v DESC, u".into(),
        "SELECT DISTINCT ON (k % 2, g) u + 1 AS next, g FROM r ORDER BY k % 2, g, u".into(),
        "SELECT k, FIRST_VALUE(v ORDER BY u) AS v, FIRST_VALUE(g ORDER BY u) AS g FROM t WHERE v > 1 GROUP BY k".into(),
    ];
    for (i, query) in queries.iter().enumerate() {
        for more in 0..3 {
            check(i as u64 * 3 + more, query).await;
        }
    }
}

/// Over a table without an end rows come out in the order of their time, and those that are late for it are kept.
#[tokio::test(flavor = "multi_thread")]
async fn rows_come_out_in_the_order_of_time() {
    for query in
        ["SELECT ts, v, u FROM t ORDER BY ts, v DESC, u", "SELECT u FROM (SELECT * FROM t WHERE v > 2) ORDER BY ts, u"]
    {
        for seed in 0..4 {
            let [bounded, unbounded] = sessions(seed);
            let expected = batch::answer(&bounded, query).await.unwrap();
            for cut in cuts(seed) {
                let got = stream(&unbounded, query, cut).await;
                assert_eq!(got.columns(), expected.columns(), "seed {seed}\n{query}\n{cut:?}");
            }
        }
    }
}

/// The first row that came is put out at once and never taken back; which one it is does not depend on the cut.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_that_came_stays() {
    let query = "SELECT k, u FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY PROCTIME()) AS rn FROM r1) WHERE rn = 1";
    let session = Session::new();
    let rows = rows(&mut Random(4), 40, 0);
    let table = MemoryTable::try_new(rows.schema(), vec![vec![rows]]).unwrap().without_end();
    session.register_source("r1", Arc::new(table), None).unwrap();
    let first = rows_as_text(&stream(&session, query, Cut::whole()).await);
    assert_eq!(first.len(), 4);
    for cut in cuts(4) {
        let pipeline = session.prepare(query).await.unwrap().pipeline.expect("a query");
        let out = simulate(&pipeline, cut).await.unwrap();
        assert!(out.results[0].iter().all(|d| d.weights.is_none()), "{cut:?}");
        assert_eq!(rows_as_text(&stream(&session, query, cut).await), first, "{cut:?}");
    }
}

/// The clock is read once for many rows: the last of them are those that came last, whatever the cut, and in a batch too.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_that_came_are_found() {
    for query in [
        "SELECT k, u FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY PROCTIME() DESC) AS rn FROM r1) WHERE rn = 1",
        "SELECT k, u, rn FROM (SELECT *, RANK() OVER (PARTITION BY k ORDER BY PROCTIME() DESC) AS rn FROM r1) WHERE rn <= 3",
        "SELECT u, p IS NULL FROM (SELECT *, PROCTIME() AS p FROM r1) ORDER BY p DESC LIMIT 5",
    ] {
        let session = Session::new();
        let rows = rows(&mut Random(4), 40, 0);
        let table = |rows: &RecordBatch| MemoryTable::try_new(rows.schema(), vec![vec![rows.clone()]]).unwrap();
        session.register_source("r1", Arc::new(table(&rows).without_end()), None).unwrap();
        let bounded = Session::new();
        bounded.register_source("r1", Arc::new(table(&rows)), None).unwrap();
        let expected = rows_as_text(&batch::answer(&bounded, query).await.unwrap());
        for cut in cuts(4) {
            assert_eq!(rows_as_text(&stream(&session, query, cut).await), expected, "{cut:?}: {query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_without_an_order_is_the_same_on_every_run() {
    for query in ["SELECT * FROM t LIMIT 7", "SELECT * FROM r LIMIT 7 OFFSET 2"] {
        let [bounded, unbounded] = sessions(3);
        let all = rows_as_text(&batch::answer(&bounded, query.split(" LIMIT").next().unwrap()).await.unwrap());
        let first = rows_as_text(&stream(&bounded, query, Cut::whole()).await);
        assert_eq!(first.len(), 7);
        assert!(first.iter().all(|row| all.contains(row)));
        for cut in cuts(3) {
            assert_eq!(rows_as_text(&stream(&unbounded, query, cut).await), first);
        }
    }
}

/// At the top of a query over tables that end, rows come out in order.
#[tokio::test(flavor = "multi_thread")]
async fn rows_come_out_in_order() {
    for query in [
        "SELECT u, v FROM t ORDER BY v DESC, u LIMIT 9",
        "SELECT u FROM r ORDER BY u DESC LIMIT 5 OFFSET 2",
        "SELECT v, u FROM t ORDER BY v, u",
        "SELECT k, COUNT(*) AS n FROM t GROUP BY k ORDER BY n DESC, k",
        "SELECT g, n FROM (SELECT g, COUNT(*) AS n FROM t GROUP BY g) ORDER BY n DESC, g LIMIT 2",
        "SELECT u, ROW_NUMBER() OVER (PARTITION BY k ORDER BY u) AS rn FROM t QUALIFY rn < 4 ORDER BY u DESC",
    ] {
        let [bounded, _] = sessions(5);
        let expected = batch::answer(&bounded, query).await.unwrap();
        for cut in cuts(5) {
            let got = stream(&bounded, query, cut).await;
            assert_eq!(got.columns(), expected.columns(), "{query}\n{cut:?}");
        }
    }
}

/// Partitions by window, over rows and over results: as many rows as are in the batch, none of them taken back.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_each_window_come_once() {
    let tumble = "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND))";
    let hop = "TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '6' SECOND))";
    let window = "PARTITION BY window_start, window_end";
    let grouped = "SELECT window_start, window_end, k, COUNT(*) AS n FROM";
    let queries = [
        format!(
            "SELECT window_start, window_end, k, v, u FROM {tumble} QUALIFY ROW_NUMBER() OVER ({window} ORDER BY v DESC, u) <= 2"
        ),
        format!("SELECT * FROM (SELECT *, RANK() OVER ({window}, k ORDER BY v) AS rn FROM {hop}) WHERE rn = 1"),
        format!(
            "SELECT window_start, k, n, rn FROM (SELECT *, ROW_NUMBER() OVER ({window} ORDER BY n DESC, k) AS rn FROM \
             ({grouped} {tumble} GROUP BY window_start, window_end, k)) WHERE rn <= 2"
        ),
        format!(
            "SELECT window_end, SUM(n) AS s FROM (SELECT *, ROW_NUMBER() OVER ({window} ORDER BY n DESC, k) AS rn FROM \
             ({grouped} {hop} GROUP BY window_start, window_end, k)) WHERE rn <= 2 GROUP BY window_start, window_end"
        ),
    ];
    for query in &queries {
        for seed in 0..3 {
            check(seed, query).await;
            let [_, unbounded] = sessions(seed);
            let pipeline = unbounded.prepare(query).await.unwrap().pipeline.expect("a query");
            let simulated = simulate(&pipeline, cuts(seed)[2]).await.unwrap();
            assert!(simulated.results[0].iter().all(|d| d.weights.is_none()), "{query}");
            assert!(simulated.late.is_empty(), "{query}");
        }
    }
}

/// `EMIT CHANGES` over tables that end: each change is put out.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_limits() {
    for emit in ["EMIT CHANGES", "EMIT CHANGES EVERY INTERVAL '3' SECOND"] {
        let query = "SELECT k, n FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k) ORDER BY n DESC, k LIMIT 2";
        let [bounded, _] = sessions(8);
        let expected = rows_as_text(&batch::answer(&bounded, query).await.unwrap());
        for cut in cuts(8) {
            let got = stream(&bounded, &format!("{query} {emit}"), cut).await;
            assert_eq!(rows_as_text(&got), expected, "{emit} {cut:?}");
        }
        let pipeline = bounded.prepare(&format!("{query} {emit}")).await.unwrap().pipeline.expect("a query");
        let out = simulate(&pipeline, cuts(8)[1]).await.unwrap();
        assert!(out.results[0].iter().any(|d| d.weights.is_some()), "{emit}");
    }
}
