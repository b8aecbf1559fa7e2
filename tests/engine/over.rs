//! Functions with `OVER` against DataFusion in batch: over tables without an end, by event time and in any order, over
//! results that are updated, in many cuts, with one worker and several.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{Field, Schema};
use tidemill::core::{ChangeMode, Delta};
use tidemill::simulate::{Cut, CutRows, Random, simulate};
use tidemill::tables::memory::MemoryTable;
use tidemill::{EventTime, Result, Session, batch, consolidate};
use tidemill_tests::law::{rows, rows_as_text};

/// The same rows of `t`, each with an `id` of its own, in a table without an end and in one with.
struct Tables {
    endless: Session,
    bounded: Session,
}

fn tables(random: &mut Random, on_time: bool) -> Tables {
    let rows = rows::generate(random, false, on_time);
    let mut next = 0;
    let numbered = |batch: RecordBatch| {
        let ids = Int64Array::from_iter_values(next..next + batch.num_rows() as i64);
        next += batch.num_rows() as i64;
        let mut fields = batch.schema().fields().to_vec();
        fields.push(Arc::new(Field::new("id", ids.data_type().clone(), true)));
        let schema = Arc::new(Schema::new(fields));
        let columns = batch.columns().iter().cloned().chain([Arc::new(ids) as ArrayRef]);
        RecordBatch::try_new(schema, columns.collect()).unwrap()
    };
    let batches: Vec<RecordBatch> = rows.batches().into_iter().map(numbered).collect();
    let table = MemoryTable::try_new(batches[0].schema(), batches.into_iter().map(|b| vec![b]).collect()).unwrap();
    let time = || Some(EventTime::new("ts", std::time::Duration::from_micros(rows.delay as u64)));
    let (endless, bounded) = (Session::new(), Session::new());
    endless.register_source("t", Arc::new(table.clone().without_end()), time()).unwrap();
    bounded.register_source("t", Arc::new(table), time()).unwrap();
    Tables { endless, bounded }
}

fn cuts(seed: u64) -> [Cut; 5] {
    let cut = |workers, rows| Cut { seed, workers, rows, start: 0 };
    [
        Cut::whole(),
        cut(1, CutRows::Exactly(1)),
        cut(3, CutRows::UpTo(7)),
        cut(1, CutRows::UpTo(40)),
        cut(3, CutRows::All),
    ]
}

async fn stream(session: &Session, query: &str, cut: Cut) -> Result<(Vec<String>, bool)> {
    let pipeline = session.prepare(query).await?.pipeline.expect("the text is a query");
    let schema = pipeline.results()[0].schema.clone();
    let simulated = simulate(&pipeline, cut).await?;
    let append =
        simulated.results[0].iter().all(|d| d.weights.as_ref().is_none_or(|w| w.values().iter().all(|w| *w == 1)));
    Ok((rows_as_text(&consolidate(&schema, &simulated.results[0])?), append))
}

/// `asked` over the endless table must add up to what the batch says to `answer`. Where the batch refuses, so must the stream.
async fn check(seed: u64, tables: &Tables, asked: &str, answer: &str, append: bool) {
    let expected = match batch::answer(&tables.bounded, answer).await {
        Ok(rows) => rows_as_text(&rows),
        Err(refused) => {
            let stream = stream(&tables.endless, asked, Cut::whole()).await;
            assert!(stream.is_err(), "seed {seed}: {answer}\nthe batch refuses: {refused}");
            return;
        }
    };
    for (session, what) in [(&tables.endless, "endless"), (&tables.bounded, "bounded")] {
        for cut in cuts(seed) {
            let (got, only_inserts) = match stream(session, asked, cut).await {
                Ok(got) => got,
                Err(e) => panic!("seed {seed} {what} {cut:?}\n{asked}\n{e}"),
            };
            let missing: Vec<_> = expected.iter().filter(|r| !got.contains(r)).take(5).collect();
            let wrong: Vec<_> = got.iter().filter(|r| !expected.contains(r)).take(5).collect();
            assert!(
                got == expected,
                "seed {seed} {what} {cut:?}\n{asked}\nmissing {missing:#?}\nwrong {wrong:#?}\n{} rows for {}",
                got.len(),
                expected.len()
            );
            assert!(only_inserts || !append, "seed {seed} {what}: {asked}\nis not append only");
        }
    }
}

fn pick<'a>(random: &mut Random, list: &[&'a str]) -> &'a str {
    list[random.below(list.len() as u64) as usize]
}

/// Functions whose value does not depend on the order of peers.
const FOR_PEERS: &[&str] = &[
    "SUM(v)",
    "COUNT(*)",
    "COUNT(v)",
    "AVG(f)",
    "MIN(v)",
    "MAX(k2)",
    "SUM(v) FILTER (WHERE b)",
    "MAX(f)",
    "BOOL_OR(b)",
    "COUNT(v) FILTER (WHERE k2 <> 'a')",
];
/// Functions that need an order without ties.
const IN_ORDER: &[&str] = &[
    "FIRST_VALUE(v)",
    "LAST_VALUE(k2)",
    "NTH_VALUE(v, 2)",
    "FIRST_VALUE(v) IGNORE NULLS",
    "LAST_VALUE(v) IGNORE NULLS",
    "ARRAY_AGG(v)",
    "MEDIAN(v)",
    "STRING_AGG(k2, '-')",
    "COUNT(DISTINCT v)",
];
/// Functions without a frame that only look back.
const BACK: &[&str] =
    &["ROW_NUMBER()", "RANK()", "DENSE_RANK()", "LAG(v)", "LAG(v, 3, -1)", "LAG(k2) IGNORE NULLS", "LEAD(v, -2)"];
/// Functions without a frame that look anywhere.
const ANYWHERE: &[&str] = &["LEAD(v)", "LEAD(k2, 2, 'none')", "NTILE(3)", "PERCENT_RANK()", "CUME_DIST()"];

const PARTITION: &[&str] = &["", "PARTITION BY k1", "PARTITION BY k2, b", "PARTITION BY v % 3", "PARTITION BY id % 7"];
const BACK_FRAMES: &[&str] = &[
    "",
    "ROWS UNBOUNDED PRECEDING",
    "ROWS 2 PRECEDING",
    "ROWS BETWEEN 5 PRECEDING AND 2 PRECEDING",
    "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
    "ROWS BETWEEN CURRENT ROW AND CURRENT ROW",
    "RANGE UNBOUNDED PRECEDING",
    "GROUPS 1 PRECEDING",
    "RANGE CURRENT ROW",
    "GROUPS BETWEEN 3 PRECEDING AND 1 PRECEDING",
];
const FRAMES: &[&str] = &[
    "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
    "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    "ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING",
    "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
    "RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
];

/// Up to three functions over the same partition and order. `order` leaves no ties where `total`.
fn functions(random: &mut Random, order: &str, total: bool, looks_back: bool, frames: &[&str]) -> String {
    let partition = pick(random, PARTITION);
    // DataFusion cannot plan several functions by one computed partition in a build that checks itself.
    let count = if partition.contains('%') { 1 } else { 1 + random.below(3) };
    let one = (0..count).map(|i| {
        let framed = match (total, random.below(3)) {
            (true, 0) => pick(random, IN_ORDER),
            (true, 1) if looks_back => pick(random, BACK),
            (true, 1) => {
                let list = [BACK, ANYWHERE][random.below(2) as usize];
                pick(random, list)
            }
            _ => pick(random, FOR_PEERS),
        };
        let unframed = BACK.contains(&framed) || ANYWHERE.contains(&framed);
        let frame = if unframed { "" } else { pick(random, frames) };
        format!("{framed} OVER ({partition} ORDER BY {order} {frame}) AS x{i}")
    });
    one.collect::<Vec<_>>().join(", ")
}

fn cases(default: u64) -> std::ops::Range<u64> {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let first = number("TIDEMILL_LAW_SEED", 1);
    first..first + number("TIDEMILL_OVER_CASES", default)
}

#[tokio::test(flavor = "multi_thread")]
async fn by_event_time_rows_come_out_once() {
    for seed in cases(20) {
        let mut random = Random(seed);
        let tables = tables(&mut random, false);
        let range = &[
            "RANGE BETWEEN INTERVAL '2' SECOND PRECEDING AND CURRENT ROW",
            "RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND INTERVAL '1' SECOND PRECEDING",
            "",
            "RANGE CURRENT ROW",
        ];
        let asked = match random.below(2) {
            0 => functions(&mut random, "ts", false, true, range),
            _ => functions(&mut random, "ts, id", true, true, BACK_FRAMES),
        };
        let where_on_time = format!("SELECT id, k1, ts, {asked} FROM t WHERE w IS NULL");
        check(seed, &tables, &format!("SELECT id, k1, ts, {asked} FROM t"), &where_on_time, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_any_order_values_are_kept_up_to_date() {
    for seed in cases(20) {
        let mut random = Random(seed);
        let tables = tables(&mut random, true);
        let frames: Vec<&str> = BACK_FRAMES.iter().chain(FRAMES).copied().collect();
        let range = &["RANGE BETWEEN 3 PRECEDING AND CURRENT ROW", "RANGE BETWEEN 1 PRECEDING AND 2 FOLLOWING", ""];
        let asked = match random.below(4) {
            0 => functions(&mut random, "v", false, false, range),
            1 => functions(&mut random, "k2 DESC, id", true, false, &frames),
            2 => functions(&mut random, "id DESC", true, false, &frames),
            _ => functions(&mut random, "v DESC NULLS LAST, id", true, false, &frames),
        };
        let query = format!("SELECT id, v, {asked} FROM t");
        check(seed, &tables, &query, &query, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_results_that_are_updated() {
    for seed in cases(12) {
        let mut random = Random(seed);
        let tables = tables(&mut random, true);
        let frames: Vec<&str> = BACK_FRAMES.iter().chain(FRAMES).copied().collect();
        let functions = functions(&mut random, "v, id", true, false, &frames);
        // The names that the functions read, of groups.
        let of = "(SELECT id % 11 AS id, SUM(v) AS v, MAX(k2) AS k2, MIN(f) AS f, BOOL_OR(b) AS b, MIN(k1) AS k1 FROM t GROUP BY id % 11) g";
        let query = format!("SELECT id, v, {functions} FROM {of}");
        check(seed, &tables, &query, &query, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_a_row_count() {
    for seed in cases(10) {
        let mut random = Random(seed);
        let tables = tables(&mut random, true);
        let functions = pick(
            &mut random,
            &[
                "ROW_NUMBER() OVER (PARTITION BY k1 ORDER BY v) AS n",
                "SUM(v) OVER (ORDER BY v, k1 ROWS 2 PRECEDING) AS n",
                "RANK() OVER (PARTITION BY k1 ORDER BY v) AS n, COUNT(*) OVER (PARTITION BY k1 ORDER BY v) AS c",
                "NTILE(4) OVER (PARTITION BY k1 ORDER BY v) AS n",
            ],
        );
        let query = format!("SELECT k1, v, {functions} FROM (SELECT k1, v FROM t)");
        check(seed, &tables, &query, &query, false).await;
        let of = "(SELECT v AS k1, COUNT(*) AS v FROM (SELECT k1, v % 3 AS v FROM t) GROUP BY k1, v)";
        let query = format!("SELECT k1, v, {functions} FROM {of} g");
        check(seed, &tables, &query, &query, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_close_above_it_and_below_it() {
    for seed in cases(10) {
        let mut random = Random(seed);
        let tables_with_late = tables(&mut random, false);
        let above = |on_time: &str| {
            format!(
                "SELECT window_start, MAX(x) AS x, COUNT(*) AS n FROM TABLE(TUMBLE(
                   (SELECT ts, SUM(v) OVER (PARTITION BY k1 ORDER BY ts, id ROWS 2 PRECEDING) AS x FROM t {on_time}),
                   DESCRIPTOR(ts), INTERVAL '3' SECOND)) GROUP BY window_start, window_end"
            )
        };
        check(seed, &tables_with_late, &above(""), &above("WHERE w IS NULL"), true).await;
        let tables = tables(&mut random, true);
        let frames: Vec<&str> = BACK_FRAMES.iter().chain(FRAMES).copied().collect();
        let functions = functions(&mut random, "v, id", true, false, &frames);
        let functions =
            functions.replace("OVER (", "OVER (PARTITION BY window_start, window_end, ").replace(", PARTITION BY", ",");
        let functions = functions.replace("window_end,  ORDER", "window_end ORDER");
        let rows = "TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '4' SECOND))";
        let query = format!("SELECT id, window_start, {functions} FROM {rows}");
        check(seed, &tables, &query, &query, true).await;
        let groups = format!(
            "SELECT window_start, window_end, k1, k2, COUNT(*) AS n FROM {rows} GROUP BY window_start, window_end, k1, k2"
        );
        let share = format!(
            "SELECT window_end, k1, k2, n * 100 / SUM(n) OVER (PARTITION BY window_start, window_end) AS s FROM ({groups})"
        );
        check(seed, &tables, &share, &share, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_too_late_are_reported() {
    let mut late = 0;
    for seed in cases(10) {
        let tables = tables(&mut Random(seed), false);
        let expected = batch::answer(&tables.bounded, "SELECT id FROM t WHERE w IS NOT NULL").await.unwrap().num_rows();
        let query = "SELECT id, LAG(v) OVER (PARTITION BY k1 ORDER BY ts) AS x FROM t";
        for cut in cuts(seed) {
            let pipeline = tables.endless.prepare(query).await.unwrap().pipeline.unwrap();
            let reported: usize = simulate(&pipeline, cut).await.unwrap().late.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(reported, expected, "seed {seed} {cut:?}");
        }
        late += expected;
    }
    assert!(late > 0, "no seed had a late row");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_rows_that_are_taken_back() {
    for seed in cases(12) {
        let mut random = Random(seed);
        let rows = tables(&mut random, true);
        let frames: Vec<&str> = BACK_FRAMES.iter().chain(FRAMES).copied().collect();
        let functions = functions(&mut random, "v, id", true, false, &frames);
        let all = batch::answer(&rows.bounded, "SELECT * FROM t").await.unwrap();
        // Rows come and go, some of them several times over; what is left is what the batch sees.
        let (mut changes, mut left) = (vec![], vec![]);
        for row in 0..all.num_rows() {
            let row = all.slice(row, 1);
            let weighted = |weight: i64| Delta::weighted(row.clone(), Int64Array::from(vec![weight]));
            changes.push(weighted(1));
            match random.below(4) {
                0 => changes.push(weighted(-1)),
                1 => {
                    changes.insert(random.below(changes.len() as u64) as usize, weighted(1));
                    changes.push(weighted(-1));
                    left.push(row);
                }
                _ => left.push(row),
            }
        }
        let left = arrow::compute::concat_batches(&all.schema(), &left).unwrap();
        let table = MemoryTable::of_changes(all.schema(), vec![changes], ChangeMode::Retract).unwrap().without_end();
        let (endless, bounded) = (Session::new(), Session::new());
        endless.register_source("t", Arc::new(table), None).unwrap();
        bounded
            .register_source("t", Arc::new(MemoryTable::try_new(all.schema(), vec![vec![left]]).unwrap()), None)
            .unwrap();
        let query = format!("SELECT id, v, {functions} FROM t");
        check(seed, &Tables { endless, bounded }, &query, &query, false).await;
    }
}

/// A table of one split, in which rows have an order; `p` is the clock.
fn one_split(random: &mut Random, endless: bool) -> Session {
    let rows = 20 + random.below(30);
    let mut column = |n: u64| -> ArrayRef {
        let value = |_| Some(random.below(n) as i64).filter(|v| *v > 0);
        Arc::new((0..rows).map(value).collect::<Int64Array>())
    };
    let columns = [("k", column(4)), ("j", column(3)), ("v", column(6))];
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows as i64).rev()));
    let columns = columns.into_iter().chain([("id", ids)]).map(|(n, c)| (n, c, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let table = MemoryTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
    let session = Session::new();
    let table = if endless { table.without_end() } else { table };
    session.register_source("t", Arc::new(table), None).unwrap();
    session
}

/// Each row sees those that came before it, whatever the clock said, and on several workers; a batch reads them in the same order.
#[tokio::test(flavor = "multi_thread")]
async fn by_processing_time_rows_stand_as_they_came() {
    const FROM: &str = "FROM (SELECT *, PROCTIME() AS p FROM t) AS t";
    let queries = [
        "SELECT id, SUM(v) OVER (PARTITION BY k ORDER BY p) AS s, COUNT(*) OVER (PARTITION BY k ORDER BY p ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS c",
        "SELECT id, ROW_NUMBER() OVER (ORDER BY PROCTIME()) AS n, RANK() OVER (PARTITION BY j ORDER BY p) AS r, LAG(id) OVER (PARTITION BY j ORDER BY p) AS l",
        "SELECT id, MAX(v) OVER (PARTITION BY k ORDER BY p) AS m, FIRST_VALUE(id) OVER (PARTITION BY j ORDER BY p) AS f, LAST_VALUE(id) OVER (PARTITION BY v ORDER BY p) AS z",
        "SELECT id, SUM(n) OVER (PARTITION BY k ORDER BY p ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM (SELECT *, LAG(v) OVER (PARTITION BY j ORDER BY p) AS n",
    ];
    for seed in 0..8 {
        for query in queries {
            let query = match query.matches("SELECT").count() {
                1 => format!("{query} {FROM}"),
                _ => format!("{query} {FROM}) AS t WHERE id > 5"),
            };
            let expected = rows_as_text(&batch::answer(&one_split(&mut Random(seed), false), &query).await.unwrap());
            for endless in [false, true] {
                let session = one_split(&mut Random(seed), endless);
                for cut in cuts(seed) {
                    let (got, append) = stream(&session, &query, cut).await.unwrap();
                    assert_eq!(got, expected, "seed {seed}, {cut:?}: {query}");
                    assert!(append, "{query}");
                }
            }
        }
    }
}

/// By hand.
#[tokio::test]
async fn by_processing_time_the_sum_runs() {
    let session = Session::new();
    let columns: [(&str, ArrayRef); 2] =
        [("id", Arc::new(Int64Array::from(vec![3, 1, 2]))), ("v", Arc::new(Int64Array::from(vec![10, 20, 30])))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let table = MemoryTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
    session.register_source("t", Arc::new(table), None).unwrap();
    let (got, _) =
        stream(&session, "SELECT id, SUM(v) OVER (ORDER BY PROCTIME()) AS s FROM t", Cut::whole()).await.unwrap();
    assert_eq!(got, ["1 | 30", "2 | 60", "3 | 10"]);
}
