//! The Nexmark queries of `sql-examples/nexmark`: each, as it stands but for the number of events, adds up to the batch answer
//! over the same events, in every cut.
//!
//! Two hundred events a second, so that no two events share a time: which of equal bids is "the last" is left open by SQL.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, SchemaRef, TimestampMillisecondType};
use tidemill::pipeline::Pipeline;
use tidemill::simulate::{Cut, CutRows, Simulated, simulate};
use tidemill::sql::parser::{self, StatementKind};
use tidemill::{Session, batch, consolidate};
use tidemill_tests::law::rows_as_text;

use super::examples::example;

const EVENTS: usize = 5_000;
const EVENTS_PER_SECOND: u64 = 200;

/// A query file, its variables filled in.
fn text_of(query: &str, variables: &[(&str, &str)]) -> String {
    let mut values: BTreeMap<String, String> =
        BTreeMap::from([("EVENTS".into(), EVENTS.to_string()), ("RATE".into(), EVENTS_PER_SECOND.to_string())]);
    values.extend(variables.iter().map(|(k, v)| (k.to_string(), v.to_string())));
    parser::substitute(&example(&format!("nexmark/{query}.sql")), &values).unwrap_or_else(|e| panic!("{query}: {e}"))
}

/// The file's definitions in a session, and its one INSERT.
async fn opened(query: &str) -> (Session, String) {
    let text = text_of(query, &[]);
    let session = Session::new();
    let mut insert = None;
    for statement in parser::parse(&text).unwrap_or_else(|e| panic!("{query}: {}", e.render(&text))) {
        match statement.kind {
            StatementKind::Insert(_) => assert!(insert.replace(statement.text).is_none(), "{query}: one INSERT"),
            _ => drop(session.execute(&format!("{};", statement.text)).await.expect("a definition")),
        }
    }
    (session, insert.expect("a query file writes its results"))
}

async fn pipeline(session: &Session, statement: &str) -> Pipeline {
    let script = session.prepare(statement).await.unwrap_or_else(|e| panic!("{}", e.render(statement)));
    script.pipeline.expect("an INSERT is a query")
}

/// What was written, added up.
fn added_up(written: &Simulated, schema: &SchemaRef) -> RecordBatch {
    consolidate(schema, &written.written[0]).expect("nothing is taken back that was not given")
}

fn cuts() -> [Cut; 4] {
    let cut = |workers, rows| Cut { seed: 7, workers, rows, start: 0 };
    [Cut::whole(), cut(1, CutRows::Exactly(97)), cut(2, CutRows::Exactly(1_000)), cut(3, CutRows::UpTo(400))]
}

async fn check(query: &str, rows: usize) {
    let (session, insert) = opened(query).await;
    let expected = batch::answer(&session, &insert).await.unwrap_or_else(|e| panic!("{query}: {}", e.render(&insert)));
    // A query that finds nothing shows nothing.
    assert_eq!(expected.num_rows(), rows, "{query}: rows of the batch answer");
    let expected_text = rows_as_text(&expected);
    // As it stands, and kept up to date with every epoch.
    for statement in [insert.clone(), format!("{} EMIT CHANGES", insert.trim_end())] {
        if statement != insert && !updates(query) {
            continue;
        }
        let pipeline = pipeline(&session, &statement).await;
        for cut in cuts() {
            let simulated = simulate(&pipeline, cut).await.unwrap_or_else(|e| panic!("{query}, {cut:?}: {e}"));
            let rows = added_up(&simulated, &expected.schema());
            assert!(simulated.late.is_empty(), "{query}, {cut:?}: the generator's events are in order");
            assert_eq!(rows_as_text(&rows), expected_text, "{query}, {cut:?}");
        }
    }
}

/// Queries whose groups change as long as events come.
fn updates(query: &str) -> bool {
    ["q15", "q16", "q17"].contains(&query)
}

macro_rules! queries {
    ($($test:ident: $rows:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                check(stringify!($test), $rows).await;
            }
        )*
    };
}

queries! {
    q0: 4_600;
    q1: 4_600;
    q2: 11;
    q3: 7;
    q4: 5;
    q5: 17;
    q6: 269;
    q7: 3;
    q8: 27;
    q9: 269;
    q10: 4_600;
    q11: 101;
    q13: 4_600;
    q14: 1_338;
    q15: 1;
    q16: 2_053;
    q17: 293;
    q18: 1_003;
    q19: 2_021;
    q20: 471;
    q21: 4_372;
    q22: 4_600;
}

/// The clock decides which window a bid is counted in: the one of the epoch that it came in.
#[tokio::test(flavor = "multi_thread")]
async fn q12() {
    const ROWS: usize = 300;
    const WINDOW_MS: i64 = 10_000;
    let (session, insert) = opened("q12").await;
    let pipeline = pipeline(&session, &insert).await;
    let start = 1_700_000_003_000_000;
    let cut = Cut { seed: 0, workers: 2, rows: CutRows::Exactly(ROWS), start };
    let simulated = simulate(&pipeline, cut).await.expect("a run to the end");

    let events = tidemill::connectors::nexmark::events(0, EVENTS, ROWS);
    let mut expected: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for (epoch, events) in events.iter().enumerate() {
        let clock_ms = (start + epoch as i64 * 1_000_000) / 1_000;
        let window_start = clock_ms / WINDOW_MS * WINDOW_MS;
        let bids = events["bid"].as_struct();
        let bidders = bids.column_by_name("bidder").expect("bids have a bidder").as_primitive::<Int64Type>();
        for (event, bidder) in bidders.iter().enumerate() {
            if let (Some(bidder), 2) =
                (bidder, events["event_type"].as_primitive::<arrow::datatypes::Int32Type>().value(event))
            {
                *expected.entry((bidder, window_start)).or_default() += 1;
            }
        }
    }
    assert!(expected.keys().any(|(_, window)| *window != 1_700_000_000_000), "the run is longer than a window");

    let batches: Vec<RecordBatch> = simulated.written[0].iter().map(|d| d.batch.clone()).collect();
    let rows = concat_batches(&batches[0].schema(), &batches).expect("batches of one schema");
    let numbers = |i: usize| rows.column(i).as_primitive::<Int64Type>().values().to_vec();
    let times = |i: usize| rows.column(i).as_primitive::<TimestampMillisecondType>().values().to_vec();
    let (bidders, counts, starts, ends) = (numbers(0), numbers(1), times(2), times(3));
    let found: BTreeMap<(i64, i64), i64> = (0..rows.num_rows()).map(|i| ((bidders[i], starts[i]), counts[i])).collect();
    assert_eq!(found.len(), rows.num_rows(), "a bidder has one row in a window");
    assert!((0..rows.num_rows()).all(|i| ends[i] - starts[i] == WINDOW_MS));
    assert_eq!(found, expected);
}

/// Events go through files and give the same answer.
#[tokio::test(flavor = "multi_thread")]
async fn from_json_files() {
    let folder = example("nexmark/to_json.sql"); // the file is there
    assert!(folder.contains("${EVENTS_PATH"));
    let path = std::env::temp_dir().join(format!("tidemill-nexmark-{}", std::process::id()));
    let path = path.to_str().expect("a path of this test");
    let variables = [("EVENTS_PATH", path)];
    let session = Session::new();
    session
        .execute(&text_of("to_json", &[("EVENTS_PATH", path), ("EVENTS", "2000")]))
        .await
        .expect("events are written");
    let session = Session::new();
    session.execute(&text_of("from_json", &variables)).await.expect("a definition");
    // `q17` leaves the table alone that is there already.
    for statement in parser::parse(&text_of("q17", &[])).expect("a file of statements") {
        if let StatementKind::Insert(_) = statement.kind {
            let json = batch::answer(&session, &statement.text).await.expect("an answer from files");
            let direct = Session::new();
            for statement in parser::parse(&text_of("q17", &[("EVENTS", "2000"), ("RATE", "10000")])).expect("the same")
            {
                if !matches!(statement.kind, StatementKind::Insert(_)) {
                    direct.execute(&format!("{};", statement.text)).await.expect("a definition");
                }
            }
            let made = batch::answer(&direct, &statement.text).await.expect("an answer from the generator");
            assert_eq!(rows_as_text(&json), rows_as_text(&made));
        } else {
            session.execute(&format!("{};", statement.text)).await.expect("a definition");
        }
    }
    std::fs::remove_dir_all(path).expect("the files are this test's own");
}
