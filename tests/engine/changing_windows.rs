//! Windows over rows that come and go: what closes and what changes is, after each of many epochs, what DataFusion answers
//! over the rows that are there, restricted to the windows that the watermark has passed where results wait for that.
//!
//! `TIDEMILL_WINDOWS_CASES` says how many (default 60), `TIDEMILL_WINDOWS_SEED` where to begin.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use tidemill::core::ChangeMode;
use tidemill::simulate::{Random, Standing};
use tidemill::tables::memory::MemoryTable;
use tidemill::{Delta, EventTime, Session, batch};
use tidemill_tests::law::rows_as_text;

/// `ts` in seconds, `k`, `v`.
type Row = (i64, Option<i64>, Option<i64>);
/// The rows of the table with how often each is there.
type Table = BTreeMap<Row, i64>;

/// How far the watermark is behind, in seconds. Rows come and go within it: none is late.
const DELAY: i64 = 12;

fn rows(rows: &[Row]) -> RecordBatch {
    let times = TimestampMillisecondArray::from_iter_values(rows.iter().map(|r| r.0 * 1_000));
    let columns: [(&str, ArrayRef); 3] = [
        ("ts", Arc::new(times)),
        ("k", Arc::new(StringArray::from_iter(rows.iter().map(|r| r.1.map(|k| format!("key {k}")))))),
        ("v", Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.2)))),
    ];
    let fields = columns.iter().map(|(n, c)| arrow::datatypes::Field::new(*n, c.data_type().clone(), true));
    let schema = Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, c)| c).collect()).unwrap()
}

fn session(table: &Table, stream: bool, changes: ChangeMode) -> Session {
    let session = Session::new();
    let all: Vec<Row> = table.iter().flat_map(|(r, w)| std::iter::repeat_n(*r, *w as usize)).collect();
    let batch = rows(&all);
    let table = match stream {
        true => MemoryTable::of_changes(batch.schema(), vec![vec![]], changes).unwrap().without_end(),
        false => MemoryTable::try_new(batch.schema(), vec![vec![batch]]).unwrap(),
    };
    let time = EventTime::new("ts", Duration::from_secs(DELAY as u64));
    session.register_source("t", Arc::new(table), Some(time)).unwrap();
    session
}

fn pick<'a>(random: &mut Random, list: &[&'a str]) -> &'a str {
    list[random.below(list.len() as u64) as usize]
}

struct Query {
    /// Without `EMIT`.
    text: String,
    /// What is asked for by `EMIT`.
    emit: &'static str,
    sessions: bool,
}

fn query(random: &mut Random) -> Query {
    let sessions = random.below(4) == 0;
    let window = match sessions {
        true => pick(random, &["SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECOND)"]),
        false => pick(
            random,
            &[
                "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND)",
                "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '7' SECOND, INTERVAL '2' SECOND)",
                "HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '6' SECOND)",
                "CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECOND, INTERVAL '9' SECOND)",
            ],
        ),
    };
    let mut calls: Vec<&str> = vec![];
    for _ in 0..=random.below(3) {
        let call = pick(
            random,
            &[
                "COUNT(*)",
                "SUM(v)",
                "MAX(v)",
                "COUNT(DISTINCT v)",
                "MEDIAN(v)",
                "MIN(ts)",
                "SUM(v) FILTER (WHERE v > 2)",
            ],
        );
        if !calls.contains(&call) {
            calls.push(call);
        }
    }
    let calls = calls.iter().enumerate().map(|(i, c)| format!("{c} AS a{i}")).collect::<Vec<_>>().join(", ");
    let bounds = "window_start, window_end";
    let text = match random.below(if sessions { 2 } else { 6 }) {
        0 => format!("SELECT {bounds}, k, {calls} FROM TABLE({window}) GROUP BY {bounds}, k"),
        1 => format!("SELECT {bounds}, k, {calls} FROM TABLE({window}) GROUP BY {bounds}, k HAVING COUNT(*) > 1"),
        2 => format!("SELECT {bounds}, {calls} FROM TABLE({window}) WHERE v > 1 GROUP BY {bounds}"),
        3 => format!("SELECT {bounds}, k, {calls} FROM TABLE({window}) GROUP BY {bounds}, ROLLUP (k)"),
        4 => format!(
            "SELECT {bounds}, COUNT(*) AS n, MAX(c) AS m FROM (SELECT {bounds}, k, COUNT(*) AS c FROM TABLE({window}) \
             GROUP BY {bounds}, k) GROUP BY {bounds}"
        ),
        _ => format!("SELECT DISTINCT {bounds}, window_time, k FROM TABLE({window})"),
    };
    let emit =
        pick(random, &["", "", " EMIT ON WINDOW CLOSE", " EMIT CHANGES", " EMIT CHANGES EVERY INTERVAL '3' SECOND"]);
    Query { text, emit, sessions }
}

async fn one_case(seed: u64) {
    let mut random = Random(seed);
    let query = query(&mut random);
    let retracts = !query.emit.contains("CHANGES") || random.below(3) > 0;
    let mode = if retracts { ChangeMode::Retract } else { ChangeMode::Append };
    let mut table = Table::new();
    let stream = session(&table, true, mode.clone());
    let text = format!("{}{}", query.text, query.emit);
    let mut standing = vec![];
    for workers in [1, 3] {
        let script = stream.prepare(&text).await.unwrap_or_else(|e| panic!("seed {seed}: {text}: {e}"));
        standing.push(Standing::start(&script.pipeline.expect("the text is a query"), workers).unwrap());
    }
    let epochs = 1 + random.below(10);
    let (mut now, mut latest) = (0, i64::MIN);
    for epoch in 0..epochs {
        now += random.below(8) as i64;
        let mut changes: Vec<(Row, i64)> = vec![];
        for _ in 0..random.below(25) {
            let recent: Vec<Row> = table.keys().filter(|r| r.0 >= now - DELAY + 6).copied().collect();
            let old = recent.get(random.below(recent.len() as u64 + 1) as usize).copied();
            match old {
                Some(row) if retracts && random.below(5) < 2 => {
                    changes.push((row, -1));
                    *table.get_mut(&row).unwrap() -= 1;
                    table.retain(|_, w| *w > 0);
                }
                _ => {
                    let mut value = |n: u64| Some(random.below(n) as i64).filter(|v| *v > 0);
                    let row = (now - 5 + value(10).unwrap_or(0), value(4), value(6));
                    changes.push((row, 1));
                    *table.entry(row).or_insert(0) += 1;
                }
            }
        }
        latest = changes.iter().map(|c| c.0.0).fold(latest, i64::max);
        now = now.max(latest.saturating_sub(5));
        let batch = rows(&changes.iter().map(|c| c.0).collect::<Vec<_>>());
        let delta = match retracts {
            true => Delta::weighted(batch, Int64Array::from_iter_values(changes.iter().map(|c| c.1))),
            false => Delta::insert(batch),
        };
        let last = epoch + 1 == epochs;
        for query in &mut standing {
            if !changes.is_empty() {
                query.changes("t", &delta).unwrap();
            }
            query.epoch().await.unwrap_or_else(|e| panic!("seed {seed}: {text}: {e}"));
            if last {
                query.end().await.unwrap();
            }
        }
        if query.emit.contains("EVERY") && !last || latest == i64::MIN {
            continue;
        }
        let mut asked = query.text.clone();
        // What is below a grouping of windows waits whatever is asked for of it.
        let waits = !query.emit.contains("CHANGES") || query.text.contains("COUNT(*) AS c");
        if waits && !last {
            // A session closes one gap later: a row that is not late could still join it.
            let closed = latest - DELAY - if query.sessions { 2 } else { 0 };
            asked = format!("SELECT * FROM ({asked}) WHERE window_end <= to_timestamp_seconds({closed})");
        }
        let expected = batch::answer(&session(&table, false, mode.clone()), &asked).await;
        let expected = rows_as_text(&expected.unwrap_or_else(|e| panic!("batch of seed {seed}: {asked}: {e}")));
        for (query, workers) in standing.iter_mut().zip([1, 3]) {
            let got = query.result(0).unwrap_or_else(|e| panic!("seed {seed}: {text}: {e}"));
            assert_eq!(
                rows_as_text(&got),
                expected,
                "seed {seed}, {workers} workers, epoch {epoch} of {epochs}: {text}"
            );
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_over_changes_are_the_batch_answer() {
    let first = number("TIDEMILL_WINDOWS_SEED", 1);
    for seed in first..first + number("TIDEMILL_WINDOWS_CASES", 60) {
        one_case(seed).await;
    }
}
