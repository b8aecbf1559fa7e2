//! A catalog with some tables, and what a text comes to in it.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::util::pretty::pretty_format_batches;
use expect_test::Expect;
use tidemill_core::sink::{Accepts, Sink, SinkWriter};
use tidemill_core::source::{ReadRequest, Source, SplitReader, Splits};
use tidemill_core::table::TableSpec;
use tidemill_core::{EpochClock, Error, OptionKind, OptionSpec, Position, Result, SplitId};

use crate::bind::{Connect, Connected};
use crate::catalog::{Catalog, Outcome};
use crate::parser::{StatementKind, parse};
use crate::session::Planner;

const TABLES: &str = "
CREATE TABLE bid (
  auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, extra ROW<Kind STRING, tags ARRAY<STRING>>,
  ms BIGINT,
  ts AS TO_TIMESTAMP_LTZ(ms, 3),
  WATERMARK FOR ts AS ts - INTERVAL '4' SECOND
) WITH ('connector' = 'test');
CREATE TABLE flights (
  Carrier STRING, delay INT, sched TIMESTAMP(3), file STRING METADATA FROM 'file.name' VIRTUAL,
  late AS delay > 15,
  WATERMARK FOR sched AS sched - INTERVAL '1' HOUR
) WITH ('connector' = 'test', 'bounded' = 'true');
CREATE TABLE sink (a BIGINT, b STRING, c DOUBLE, total AS a + 1) WITH ('connector' = 'test');
CREATE VIEW dear AS SELECT auction, price, ts FROM bid WHERE price > 100;
";

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::required("connector", OptionKind::Text, "The connector."),
    OptionSpec::new("bounded", OptionKind::Bool, "false", "Whether it ends."),
    OptionSpec::optional("path", OptionKind::Text, "Where."),
];

/// Tables that hold nothing.
pub(super) struct TestConnect;

#[async_trait]
impl Connect for TestConnect {
    async fn connect(&self, spec: TableSpec) -> Result<Connected> {
        match spec.options.get("connector") {
            Some("test") => {}
            Some(other) => {
                return Err(Error::statement(format!("there is no connector '{other}'")).with_nearest(other, ["test"]));
            }
            None => return Err(Error::statement(format!("table '{}' names no connector", spec.name))),
        }
        spec.options.check("connector 'test'", &[OPTIONS])?;
        let found =
            Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("Name", DataType::Utf8, true)]);
        let schema = spec.schema.clone().unwrap_or_else(|| Arc::new(found));
        Ok(Connected {
            schema,
            metadata: vec![
                Field::new("file.name", DataType::Utf8, false),
                Field::new("offset", DataType::Int64, false),
            ],
            source: Arc::new(|spec| {
                spec.options.check("connector 'test'", &[OPTIONS])?;
                let mut fields: Vec<_> = spec.schema.iter().flat_map(|s| s.fields()).cloned().collect();
                fields.extend(spec.metadata.iter().map(|m| {
                    let data_type = if m.key == "offset" { DataType::Int64 } else { DataType::Utf8 };
                    Arc::new(Field::new(&m.name, data_type, false))
                }));
                let bounded = spec.options.get("bounded") == Some("true");
                Ok(Arc::new(TestTable { schema: Arc::new(Schema::new(fields)), bounded }))
            }),
            sink: Arc::new(|spec| {
                let schema = spec.schema.clone().unwrap_or_else(|| Arc::new(Schema::empty()));
                Ok(Arc::new(TestTable { schema, bounded: true }))
            }),
        })
    }
}

#[derive(Debug)]
struct TestTable {
    schema: SchemaRef,
    bounded: bool,
}

#[async_trait]
impl Source for TestTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn bounded(&self) -> bool {
        self.bounded
    }

    async fn splits(&self) -> Result<Splits> {
        Ok(Splits::default())
    }

    async fn open(&self, _: &SplitId, _: Option<&Position>, _: &ReadRequest) -> Result<Box<dyn SplitReader>> {
        Err(Error::internal("nothing is read here"))
    }
}

#[async_trait]
impl Sink for TestTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn accepts(&self) -> Accepts {
        Accepts::Retract
    }

    async fn open(&self) -> Result<Box<dyn SinkWriter>> {
        Err(Error::internal("nothing is written here"))
    }
}

/// A catalog with the tables of this file.
pub(super) fn catalog() -> Catalog {
    let catalog = Catalog::new();
    run(&catalog, TABLES).unwrap_or_else(|e| panic!("the tables of the tests: {}", e.render(TABLES)));
    catalog
}

/// Executes or plans all statements; what each says, or its optimised plan.
pub(super) fn run(catalog: &Catalog, text: &str) -> Result<String> {
    let mut out = String::new();
    for statement in parse(text)? {
        match &statement.kind {
            StatementKind::Select(_) | StatementKind::Insert(_) | StatementKind::StatementSet(_) => {
                for query in Planner::new(catalog, EpochClock::default())?.query(&statement)? {
                    if let Some(target) = &query.target {
                        out += &format!("into {target}\n");
                    }
                    out += &format!("{}\n", query.plan.display_indent());
                }
            }
            _ => match block_on(catalog.execute(&statement, &TestConnect))? {
                Outcome::Done(message) => out += &format!("{message}\n"),
                Outcome::Rows(rows) => out += &format!("{}\n", pretty_format_batches(&[rows])?),
            },
        }
    }
    Ok(out)
}

/// The fixture never waits, so its futures are done when they are first polled.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("nothing in the tests waits"),
    }
}

/// Checks what `text` comes to, or how its error looks.
#[track_caller]
pub(super) fn check(text: &str, expected: Expect) {
    let out = match run(&catalog(), text) {
        Ok(out) => out,
        Err(e) => format!("{}\n", e.render(text)),
    };
    expected.assert_eq(&out);
}
