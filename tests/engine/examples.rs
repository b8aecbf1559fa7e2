//! The examples: each runs as it stands, and its results are the batch answers.

use std::path::{Path, PathBuf};

use tidemill::sql::parser::{self, StatementKind};
use tidemill::{Output, Session, batch};
use tidemill_tests::law::rows_as_text;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the project is there")
}

/// The text of an example; its paths are relative to the project's folder.
pub(crate) fn example(name: &str) -> String {
    let text = std::fs::read_to_string(root().join("sql-examples").join(name)).expect("the example is there");
    let root = root();
    let data = root.join("sql-examples/data");
    let target = root.join("target");
    text.replace("'sql-examples/data", &format!("'{}", data.display()))
        .replace("'sql-examples/nexmark", &format!("'{}", root.join("sql-examples/nexmark").display()))
        .replace("'target/", &format!("'{}/", target.display()))
}

/// Runs an example; its `SELECT`s must give rows, and those that `batch` answers too must agree with it.
async fn check(name: &str) -> Vec<usize> {
    let text = example(name);
    let outputs = Session::new().execute(&text).await.unwrap_or_else(|e| panic!("{name}: {}", e.render(&text)));
    let mut tables = outputs.iter().filter_map(|o| match o {
        Output::Rows(rows) => Some(rows),
        _ => None,
    });
    let session = Session::new();
    let mut counts = vec![];
    for statement in parser::parse(&text).expect("it has just been run") {
        match statement.kind {
            StatementKind::Select(_) => {
                let rows = tables.next().expect("a table for each SELECT");
                counts.push(rows.num_rows());
                // What was late is late for the stream alone.
                if !text.contains("late_rows") {
                    let expected = batch::answer(&session, &statement.text).await.expect("a batch answer");
                    assert_eq!(rows_as_text(rows), rows_as_text(&expected), "{name}: {}", statement.text);
                }
            }
            StatementKind::Insert(_) => {}
            _ => drop(session.execute(&format!("{};", statement.text)).await.expect("a definition")),
        }
    }
    counts
}

macro_rules! examples {
    ($($test:ident: $file:literal, $rows:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let counts = check($file).await;
                let enough: fn(&[usize]) -> bool = $rows;
                assert!(enough(&counts), "{:?} rows", counts);
            }
        )*
    };
}

examples! {
    departures_by_hour: "01-departures-by-hour.sql", |n| n[0] > 50;
    on_time_by_carrier: "02-on-time-by-carrier.sql", |n| n[0] > 20;
    aircraft_sessions: "03-aircraft-sessions.sql", |n| n[0] > 5;
    running_daily_total: "04-running-daily-total.sql", |n| n[0] == 8;
    late_rows: "05-late-rows.sql", |n| n[0] > 5 && n[1] > 1;
}
