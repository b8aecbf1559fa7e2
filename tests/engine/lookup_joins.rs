//! Lookup joins: in simulation and for real, against tables that change and tables that answer by key.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt32Array,
};
use arrow::datatypes::{Int64Type, SchemaRef};
use futures::StreamExt;
use tidemill::core::lookup::{Found, Lookup, LookupRequest};
use tidemill::core::source::{ReadRequest, Source, SplitReader, Splits};
use tidemill::core::{Position, SplitId};
use tidemill::simulate::{Cut, CutRows, simulate};
use tidemill::tables::memory::MemoryTable;
use tidemill::{Error, EventTime, Result, Session, batch, consolidate};
use tidemill_tests::law::rows_as_text;

fn table(columns: Vec<(&str, ArrayRef)>) -> MemoryTable {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    MemoryTable::try_new(batch.schema(), vec![vec![batch]]).unwrap()
}

fn orders() -> MemoryTable {
    let count = 200;
    table(vec![
        ("id", Arc::new(Int64Array::from_iter_values(0..count))),
        ("k", Arc::new(Int64Array::from_iter((0..count).map(|i| (i % 7 != 3).then_some(i % 11))))),
        ("ts", Arc::new(TimestampMillisecondArray::from_iter_values((0..count).map(|i| i * 100)))),
    ])
}

fn names() -> MemoryTable {
    table(vec![
        ("k", Arc::new(Int64Array::from(vec![Some(1), Some(2), Some(2), None, Some(5)]))),
        ("name", Arc::new(StringArray::from(vec!["one", "two", "zwei", "none", "five"]))),
    ])
}

const QUERIES: &[&str] = &[
    "SELECT o.id, n.name FROM o LEFT JOIN n FOR SYSTEM_TIME AS OF PROCTIME() AS n ON n.k = 2 AND o.k = n.k",
    "SELECT o.id, n.name FROM o JOIN n FOR SYSTEM_TIME AS OF PROCTIME() AS n ON 2 = n.k",
    "SELECT u.id, n.name FROM (SELECT id, k, PROCTIME() AS p FROM o UNION ALL SELECT id + 1000, k + 1, PROCTIME() FROM o) AS u JOIN n FOR SYSTEM_TIME AS OF u.p AS n ON n.k = u.k",
    "SELECT o.id, n.name FROM o JOIN n FOR SYSTEM_TIME AS OF PROCTIME() AS n ON o.k = n.k",
    "SELECT o.id, n.name FROM o LEFT JOIN n FOR SYSTEM_TIME AS OF PROCTIME() AS n ON o.k = n.k AND n.name <> 'two' AND o.id > 20",
    "SELECT o.id, n.k FROM (SELECT *, PROCTIME() AS p FROM o) AS o LEFT JOIN (SELECT k, COUNT(*) AS c FROM n GROUP BY k) AS x ON FALSE JOIN n FOR SYSTEM_TIME AS OF o.p AS n ON o.k + 1 = n.k WHERE o.id % 2 = 0",
    "SELECT window_start, window_end, name, COUNT(*) AS c FROM TABLE(TUMBLE((SELECT o.ts, n.name FROM o LEFT JOIN n FOR SYSTEM_TIME AS OF PROCTIME() AS n ON n.k = o.k), DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, name",
];

#[tokio::test(flavor = "multi_thread")]
async fn over_a_table_that_does_not_change_it_is_a_join() {
    let session = Session::new();
    session.register_source("o", Arc::new(orders()), Some(EventTime::new("ts", Duration::from_millis(10)))).unwrap();
    session.register_source("n", Arc::new(names()), None).unwrap();
    for query in QUERIES {
        let expected = rows_as_text(&batch::answer(&session, query).await.unwrap());
        let pipeline = session.prepare(query).await.unwrap().pipeline.unwrap();
        let cut = |workers, rows| Cut { seed: 1, workers, rows, start: 0 };
        for cut in [Cut::whole(), cut(1, CutRows::Exactly(1)), cut(3, CutRows::UpTo(9))] {
            let got = simulate(&pipeline, cut).await.unwrap_or_else(|e| panic!("{cut:?}: {query}: {e}"));
            let got = rows_as_text(&consolidate(&pipeline.results()[0].schema, &got.results[0]).unwrap());
            assert_eq!(got, expected, "{cut:?}: {query}");
        }
        // For real.
        let mut result = session.sql(query).await.unwrap();
        let mut batches = vec![];
        while let Some(batch) = result.next().await {
            batches.push(batch.unwrap());
        }
        let all = consolidate(&pipeline.results()[0].schema, &batches).unwrap();
        assert_eq!(rows_as_text(&all), expected, "for real: {query}");
    }
}

/// A file is read again once it has changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_is_read_again() {
    let dir = std::env::temp_dir().join(format!("tidemill-lookup-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("names.csv");
    std::fs::write(&file, "1,one\n").unwrap();
    let session = Session::new();
    let schema = orders_schema();
    let orders = session.register_push("o", schema.clone(), None).unwrap();
    let ddl = format!(
        "CREATE TABLE n (k BIGINT, name STRING) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'csv', 'lookup.full-cache.periodic-reload.interval' = '0 s')",
        file.display()
    );
    session.execute(&ddl).await.unwrap();
    let query = "SELECT o.k, n.name FROM o LEFT JOIN n FOR SYSTEM_TIME AS OF PROCTIME() AS n ON o.k = n.k";
    let mut result = session.sql(query).await.unwrap();
    let mut ask = async |expected: &str| {
        let rows = RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from(vec![1]))]).unwrap();
        orders.send(rows).await.unwrap();
        let got = result.next().await.unwrap().unwrap();
        assert_eq!(rows_as_text(&got.batch), [expected]);
    };
    ask("1 | one").await;
    std::fs::write(&file, "1,uno e basta\n").unwrap();
    ask("1 | uno e basta").await;
    std::fs::write(&file, "").unwrap();
    ask("1 | NULL").await;
    std::fs::remove_dir_all(&dir).unwrap();
}

fn orders_schema() -> SchemaRef {
    Arc::new(arrow::datatypes::Schema::new(vec![arrow::datatypes::Field::new(
        "k",
        arrow::datatypes::DataType::Int64,
        true,
    )]))
}

/// A table that answers by key, and fails now and then: `k`, and its square.
#[derive(Debug)]
struct Squares {
    schema: SchemaRef,
    calls: Arc<AtomicU64>,
}

#[async_trait::async_trait]
impl Source for Squares {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn bounded(&self) -> bool {
        false
    }

    fn lookup(&self, request: &LookupRequest) -> Result<Option<Arc<dyn Lookup>>> {
        assert_eq!(request.keys, [0]);
        let schema = Arc::new(self.schema.project(&request.projection)?);
        Ok(Some(Arc::new(Squares { schema, calls: Arc::clone(&self.calls) })))
    }

    async fn splits(&self) -> Result<Splits> {
        Err(Error::internal("it is never read"))
    }

    async fn open(&self, _: &SplitId, _: Option<&Position>, _: &ReadRequest) -> Result<Box<dyn SplitReader>> {
        Err(Error::internal("it is never read"))
    }
}

#[async_trait::async_trait]
impl Lookup for Squares {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    async fn look_up(&self, keys: &RecordBatch) -> Result<Found> {
        if self.calls.fetch_add(1, Ordering::SeqCst).is_multiple_of(3) {
            return Err(Error::external("the line is dead"));
        }
        let keys = keys.column(0).as_primitive::<Int64Type>();
        assert_eq!(keys.null_count(), 0);
        // Nothing for odd numbers.
        let even: Vec<u32> = (0..keys.len()).filter(|i| keys.value(*i) % 2 == 0).map(|i| i as u32).collect();
        let found = |name: &str| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(even.iter().map(|i| {
                let k = keys.value(*i as usize);
                if name == "k" { k } else { k * k }
            })))
        };
        let columns = self.schema.fields().iter().map(|f| found(f.name())).collect();
        Ok(Found { rows: RecordBatch::try_new(self.schema.clone(), columns)?, key: UInt32Array::from(even) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_asked_by_key_and_again_when_it_fails() {
    let session = Session::new();
    let fields = ["k", "square"].map(|n| arrow::datatypes::Field::new(n, arrow::datatypes::DataType::Int64, true));
    let schema = Arc::new(arrow::datatypes::Schema::new(fields.to_vec()));
    let calls = Arc::new(AtomicU64::new(0));
    session.register_source("o", Arc::new(orders()), None).unwrap();
    session.register_source("s", Arc::new(Squares { schema, calls: Arc::clone(&calls) }), None).unwrap();
    let query = "SELECT o.id, s.square FROM o LEFT JOIN s FOR SYSTEM_TIME AS OF PROCTIME() AS s ON o.k = s.k";
    let pipeline = session.prepare(query).await.unwrap().pipeline.unwrap();
    for rows in [CutRows::All, CutRows::UpTo(30)] {
        let got = simulate(&pipeline, Cut { rows, ..Cut::whole() }).await.unwrap();
        let got = consolidate(&pipeline.results()[0].schema, &got.results[0]).unwrap();
        let expected = (0..200_i64).map(|id| match Some(id % 11).filter(|k| id % 7 != 3 && k % 2 == 0) {
            Some(k) => format!("{id} | {}", k * k),
            None => format!("{id} | NULL"),
        });
        let mut expected: Vec<String> = expected.collect();
        expected.sort();
        assert_eq!(rows_as_text(&got), expected);
    }
    assert!(calls.load(Ordering::SeqCst) > 3);
}
