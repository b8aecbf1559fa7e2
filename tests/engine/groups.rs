//! Groupings over rows that come and go, by themselves and upon each other, three deep: after each of many epochs the result
//! is what DataFusion answers over the rows that are there. Queries, rows and cuts are random.
//!
//! `TIDEMILL_GROUPS_CASES` says how many (default 60), `TIDEMILL_GROUPS_SEED` where to begin.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::SchemaRef;
use tidemill::core::ChangeMode;
use tidemill::simulate::{Random, Standing};
use tidemill::tables::memory::MemoryTable;
use tidemill::{Delta, Session, batch};
use tidemill_tests::law::rows_as_text;

/// `k1 INT, k2 STRING, v BIGINT, f DOUBLE, b BOOLEAN, ts TIMESTAMP(6)`; what the numbers stand for is in [`rows`].
type Row = [Option<i64>; 6];

fn rows(rows: &[Row]) -> RecordBatch {
    let column = |i: usize| rows.iter().map(move |r| r[i]);
    let text = |v: i64| ["ash", "birch", "", "a long name of a tree that no view can hold"][v as usize % 4];
    let columns: [(&str, ArrayRef); 6] = [
        ("k1", Arc::new(Int32Array::from_iter(column(0).map(|v| v.map(|v| v as i32))))),
        ("k2", Arc::new(StringArray::from_iter(column(1).map(|v| v.map(text))))),
        ("v", Arc::new(Int64Array::from_iter(column(2)))),
        ("f", Arc::new(Float64Array::from_iter(column(3).map(|v| v.map(|v| v as f64 / 4.0))))),
        ("b", Arc::new(BooleanArray::from_iter(column(4).map(|v| v.map(|v| v % 2 == 0))))),
        ("ts", Arc::new(TimestampMicrosecondArray::from_iter(column(5).map(|v| v.map(|v| v * 1_000_000))))),
    ];
    let fields = columns.iter().map(|(n, c)| arrow::datatypes::Field::new(*n, c.data_type().clone(), true));
    let schema: SchemaRef = Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, c)| c).collect()).unwrap()
}

/// The rows of a table with how often each is there.
type Table = BTreeMap<Row, i64>;

fn pick<'a>(random: &mut Random, list: &[&'a str]) -> &'a str {
    list[random.below(list.len() as u64) as usize]
}

/// A relation with the columns of the tables, `depth` groupings deep.
fn relation(random: &mut Random, depth: u64) -> String {
    if depth == 0 {
        return pick(random, &["t", "t", "a"]).to_string();
    }
    let from = relation(random, depth - 1);
    let filter = pick(random, &["", "", " WHERE v > 2 OR k2 = 'ash'"]);
    match random.below(6) {
        0 => format!("(SELECT DISTINCT k1, k2, v % 3 AS v, f, b, ts FROM {from}{filter})"),
        1 => {
            let other = relation(random, depth - 1);
            format!(
                "(SELECT k1, k2, v, f, b, ts FROM {from}{filter} UNION ALL SELECT k1, k2, v, f, NOT b, ts FROM {other})"
            )
        }
        _ => {
            let keys: Vec<&str> = ["k1", "k2", "b", "v", "ts"].into_iter().filter(|_| random.below(3) == 0).collect();
            let mut of = |name: &str, calls: &[&'static str]| match keys.contains(&name) {
                true => name.to_string(),
                false => format!("{} AS {name}", pick(random, calls)),
            };
            let columns = [
                of("k1", &["CAST(COUNT(*) % 3 AS INT)", "MIN(k1)", "MAX(k1)"]),
                of("k2", &["MIN(k2)", "MAX(k2)", "MAX(k2) FILTER (WHERE b)"]),
                of("v", &["SUM(v)", "COUNT(*)", "COUNT(DISTINCT f)", "MIN(v)", "BIT_XOR(v)", "SUM(DISTINCT v)"]),
                of("f", &["SUM(f)", "MAX(f)", "MEDIAN(f)", "SUM(f) FILTER (WHERE v > 1)", "MIN(f)"]),
                of("b", &["BOOL_AND(b)", "BOOL_OR(b)", "COUNT(*) > 3"]),
                of("ts", &["MIN(ts)", "MAX(ts)", "FIRST_VALUE(ts ORDER BY ts)"]),
            ];
            let group = if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) };
            let having = pick(random, &["", "", " HAVING COUNT(*) > 1"]);
            format!("(SELECT {} FROM {from}{filter}{group}{having})", columns.join(", "))
        }
    }
}

const AGGREGATES: &[&str] = &[
    "COUNT(*)",
    "COUNT(v)",
    "COUNT(DISTINCT k2)",
    "COUNT(DISTINCT v) FILTER (WHERE b)",
    "SUM(v)",
    "SUM(CAST(v AS DECIMAL(12, 2)) + 1)",
    "AVG(CAST(v AS DECIMAL(12, 2)) * 2)",
    "SUM(DISTINCT f)",
    "AVG(v)",
    "AVG(DISTINCT v)",
    "AVG(f)",
    "MIN(k2)",
    "MAX(ts)",
    "MAX(f)",
    "MIN(b)",
    "BIT_AND(v)",
    "BOOL_AND(b)",
    "MEDIAN(v)",
    "STDDEV(f)",
    "CORR(v, f)",
    "APPROX_DISTINCT(v)",
    "ARRAY_AGG(v ORDER BY v)",
    "STRING_AGG(k2, '-' ORDER BY k2)",
    "FIRST_VALUE(v ORDER BY ts, v)",
    "LAST_VALUE(k2 ORDER BY v, k2)",
    "NTH_VALUE(v, 2 ORDER BY v)",
    "PERCENTILE_CONT(0.3) WITHIN GROUP (ORDER BY f)",
];

fn query(random: &mut Random) -> String {
    let depth = random.below(3);
    let from = relation(random, depth);
    let mut calls: Vec<&str> = vec![];
    for _ in 0..=random.below(4) {
        let call = pick(random, AGGREGATES);
        // DataFusion has no answer in batch to two orders in one query.
        let second = call.contains("ORDER BY") && calls.iter().any(|c| c.contains("ORDER BY"));
        if !calls.contains(&call) && !second {
            calls.push(call);
        }
    }
    let calls: Vec<_> = calls.iter().enumerate().map(|(i, c)| format!("{c} AS a{i}")).collect();
    let calls = calls.join(", ");
    match random.below(6) {
        0 => format!("SELECT {calls} FROM {from}"),
        1 => format!("SELECT k1, k2, GROUPING(k1) AS g, {calls} FROM {from} GROUP BY ROLLUP (k1, k2)"),
        2 => format!("SELECT k1, b, {calls} FROM {from} GROUP BY GROUPING SETS ((k1, b), (b), (b))"),
        3 => format!("SELECT v % 3 AS w, {calls} FROM {from} GROUP BY v % 3 HAVING COUNT(*) > 1"),
        _ => format!("SELECT k1, {calls} FROM {from} GROUP BY k1"),
    }
}

fn session(tables: &[(&str, &Table)], stream: bool) -> Session {
    let session = Session::new();
    for (name, table) in tables {
        let all: Vec<Row> = table.iter().flat_map(|(r, w)| std::iter::repeat_n(*r, *w as usize)).collect();
        let batch = rows(&all);
        let changes = if *name == "t" { ChangeMode::Retract } else { ChangeMode::Append };
        let table = if stream {
            MemoryTable::of_changes(batch.schema(), vec![vec![]], changes).unwrap().without_end()
        } else {
            MemoryTable::try_new(batch.schema(), vec![vec![batch]]).unwrap()
        };
        session.register_source(name, Arc::new(table), None).unwrap();
    }
    session
}

/// Some insertions, and where `retracts` some retractions of rows that are there by then.
fn changes(random: &mut Random, table: &mut Table, retracts: bool) -> Delta {
    let mut changes: Vec<(Row, i64)> = vec![];
    let most = [3, 12, 40][random.below(3) as usize];
    for _ in 0..random.below(most) {
        let old = table.keys().nth(random.below(table.len() as u64 + 1) as usize).copied();
        match old {
            Some(row) if retracts && random.below(5) < 2 => {
                let weight = 1 + random.below(table[&row] as u64) as i64;
                changes.push((row, -weight));
                *table.get_mut(&row).unwrap() -= weight;
                table.retain(|_, w| *w > 0);
            }
            _ => {
                let mut value = |n: u64| Some(random.below(n) as i64).filter(|v| *v > 0);
                let row = [value(4), value(5), value(7), value(7), value(4), value(30)];
                let weight = if retracts && random.below(6) == 0 { 2 } else { 1 };
                changes.push((row, weight));
                *table.entry(row).or_insert(0) += weight;
            }
        }
    }
    let batch = rows(&changes.iter().map(|c| c.0).collect::<Vec<_>>());
    match retracts {
        true => Delta::weighted(batch, Int64Array::from_iter_values(changes.iter().map(|c| c.1))),
        false => Delta::insert(batch),
    }
}

async fn one_case(seed: u64) {
    let mut random = Random(seed);
    let text = query(&mut random);
    let (mut t, mut a) = (Table::new(), Table::new());
    let stream = session(&[("t", &t), ("a", &a)], true);
    let mut standing = vec![];
    for workers in [1, 3] {
        let script = stream.prepare(&text).await.unwrap_or_else(|e| panic!("seed {seed}: {text}: {e}"));
        standing.push(Standing::start(&script.pipeline.expect("the text is a query"), workers).unwrap());
    }
    let epochs = 1 + random.below(8);
    for epoch in 0..epochs {
        for _ in 0..=random.below(2) {
            let (of_t, of_a) = (changes(&mut random, &mut t, true), changes(&mut random, &mut a, false));
            for query in &mut standing {
                query.changes("t", &of_t).unwrap();
                query.changes("a", &of_a).unwrap();
            }
        }
        for query in &mut standing {
            query.epoch().await.unwrap_or_else(|e| panic!("seed {seed}: {text}: {e}"));
        }
        if epoch + 1 < epochs && random.below(3) > 0 {
            continue;
        }
        let expected = batch::answer(&session(&[("t", &t), ("a", &a)], false), &text).await;
        let expected = rows_as_text(&expected.unwrap_or_else(|e| panic!("batch of seed {seed}: {text}: {e}")));
        for (query, workers) in standing.iter_mut().zip([1, 3]) {
            let got = query.result(0).unwrap_or_else(|e| panic!("seed {seed}: {text}: {e}"));
            assert_eq!(rows_as_text(&got), expected, "seed {seed}, {workers} workers, epoch {epoch}: {text}");
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_over_groups_follow_their_rows() {
    let first = number("TIDEMILL_GROUPS_SEED", 1);
    for seed in first..first + number("TIDEMILL_GROUPS_CASES", 60) {
        one_case(seed).await;
    }
}
