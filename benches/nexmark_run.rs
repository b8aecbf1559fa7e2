//! Running a Nexmark query over events in memory, as the engine does and as DataFusion does.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::Int32Array;
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use tidemill::pipeline::Pipeline;
use tidemill::simulate::{Cut, CutRows, Simulation};
use tidemill::sql::parser::{self, StatementKind};
use tidemill::tables::memory::MemoryTable;
use tidemill::{Delta, Error, EventTime, Result, Session, batch};
use tokio::runtime::Runtime;

use crate::cost::Cost;
use crate::{EPOCH_ROWS, checksum};

/// All queries, in order.
pub const QUERIES: &[&str] = &[
    "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9", "q10", "q11", "q12", "q13", "q14", "q15", "q16", "q17",
    "q18", "q19", "q20", "q21", "q22",
];

/// Queries whose answers may rightly differ: by the clock, and in which of several equal bids is the last or the tenth.
const LEFT_OPEN: &[&str] = &["q6", "q9", "q12", "q18", "q19"];

/// Events in memory.
pub struct Nexmark {
    events: Vec<RecordBatch>,
    count: usize,
    runs: usize,
    runtime: Runtime,
}

/// A query file, opened twice: over a table without an end, as a stream has it, and over the same rows as a bounded table.
struct Opened {
    pipeline: Pipeline,
    bounded: Session,
    insert: String,
}

impl Nexmark {
    /// So many events; of `runs` runs the best counts.
    pub fn new(count: usize, runs: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
        let events = tidemill::connectors::nexmark::events(1, count, EPOCH_ROWS);
        let events = events.iter().map(with_time).collect();
        Self { events, count, runs: runs.max(1), runtime }
    }

    /// Checks that both sides agree, then prints a line for each measurement.
    ///
    /// # Errors
    /// If the engine does not take the query.
    pub fn measure(&self, query: &str, workers: &[usize], epochs: &[usize]) -> Result<()> {
        let opened = self.open(query)?;
        self.check(query, &opened)?;
        for workers in workers {
            let batch = self.best(|| self.batch(&opened, *workers))?;
            for epoch in epochs {
                let engine = self.best(|| self.engine(&opened, *workers, *epoch))?;
                let name = format!("{query}_{epoch}_{workers}w");
                let per_second = |cost: Cost| self.count as f64 / cost.wall.as_secs_f64();
                println!(
                    "{name}: engine {} ms (processor {}), batch {} ms (processor {})",
                    millis(engine.wall),
                    millis(engine.processor),
                    millis(batch.wall),
                    millis(batch.processor)
                );
                println!("ratio {name} {:.2}", batch.wall.as_secs_f64() / engine.wall.as_secs_f64());
                println!("events_per_s {name} {:.0}", per_second(engine));
            }
        }
        Ok(())
    }

    fn best(&self, run: impl Fn() -> Result<Cost>) -> Result<Cost> {
        (0..self.runs).try_fold(Cost::MAX, |best, _| Ok(best.best(run()?)))
    }

    fn open(&self, query: &str) -> Result<Opened> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql-examples/nexmark");
        let text = std::fs::read_to_string(path.join(format!("{query}.sql")))?;
        let text = text.replace("'sql-examples/nexmark", &format!("'{}", path.display()));
        let text = parser::substitute(&text, &BTreeMap::new())?;
        let mut sessions = [(Session::new(), false), (Session::new(), true)];
        let mut insert = String::new();
        for (session, bounded) in &mut sessions {
            let table = MemoryTable::try_new(self.events[0].schema(), vec![self.events.clone()])?;
            let table = if *bounded { table } else { table.without_end() };
            let time = EventTime::new("dateTime", Duration::from_secs(4));
            session.register_source("nexmark", Arc::new(table), Some(time))?;
            for statement in parser::parse(&text)? {
                match statement.kind {
                    StatementKind::Insert(_) => insert = statement.text,
                    _ => drop(self.runtime.block_on(session.execute(&format!("{};", statement.text)))?),
                }
            }
        }
        let [(stream, _), (bounded, _)] = sessions;
        let script = self.runtime.block_on(stream.prepare(&insert))?;
        let pipeline = script.pipeline.ok_or_else(|| Error::internal("the file has no query"))?;
        Ok(Opened { pipeline, bounded, insert })
    }

    /// Both sides give the same rows; and how much the operators keep.
    fn check(&self, query: &str, opened: &Opened) -> Result<()> {
        let cut = Cut { seed: 0, workers: 2, rows: CutRows::Exactly(65_536), start: 0 };
        let mut ours = checksum::Checksum::default();
        let done = self.runtime.block_on(async {
            let simulation = Simulation::prepare(&opened.pipeline, cut).await?;
            simulation.watching_state().run(|_, delta| ours.add(&delta)).await
        })?;
        let mut theirs = checksum::Checksum::default();
        self.runtime.block_on(async {
            let (state, plan) = batch::prepare_with(&opened.bounded, &opened.insert, 2, EPOCH_ROWS).await?;
            theirs.add(&Delta::insert(batch::run(&state, &plan).await?));
            Ok::<_, Error>(())
        })?;
        if query != "q12" {
            assert_eq!(ours.rows, theirs.rows, "{query}: both sides give as many rows");
        }
        if !LEFT_OPEN.contains(&query) {
            assert_eq!(ours, theirs, "{query}: both sides give the same rows");
        }
        println!("rows {query} {}", ours.rows);
        for (operator, most) in &done.most_state {
            let per_row = most.bytes as f64 / most.rows.max(1) as f64;
            println!("state {query} {operator}: {} rows, {} bytes, {per_row:.0} bytes a row", most.rows, most.bytes);
        }
        Ok(())
    }

    fn engine(&self, opened: &Opened, workers: usize, epoch_rows: usize) -> Result<Cost> {
        let cut = Cut { seed: 0, workers, rows: CutRows::Exactly(epoch_rows), start: 0 };
        self.runtime.block_on(async {
            let simulation = Simulation::prepare(&opened.pipeline, cut).await?;
            let mut out = 0;
            let started = Cost::so_far();
            simulation.run(|_, delta| out += delta.num_rows()).await?;
            Ok(started.until_now())
        })
    }

    fn batch(&self, opened: &Opened, threads: usize) -> Result<Cost> {
        self.runtime.block_on(async {
            let (state, plan) = batch::prepare_with(&opened.bounded, &opened.insert, threads, EPOCH_ROWS).await?;
            let started = Cost::so_far();
            batch::run_counting(&state, &plan).await?;
            Ok(started.until_now())
        })
    }
}

fn millis(time: Duration) -> u128 {
    time.as_millis()
}

/// An event's time as a column of its own, as the table of the query files computes it.
fn with_time(events: &RecordBatch) -> RecordBatch {
    let time = |kind: &str| -> ArrayRef {
        let rows = events.column_by_name(kind).expect("a column for each kind").as_struct();
        Arc::clone(rows.column_by_name("dateTime").expect("events have a time"))
    };
    let is = |kind: i32| {
        let kinds = events.column_by_name("event_type").expect("events have a kind");
        eq(kinds, &Int32Array::new_scalar(kind)).expect("kinds are numbers")
    };
    let time =
        zip(&is(0), &time("person"), &zip(&is(1), &time("auction"), &time("bid")).expect("times")).expect("times");
    let mut fields: Vec<_> = events.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("dateTime", DataType::Timestamp(TimeUnit::Millisecond, None), true)));
    let mut columns = events.columns().to_vec();
    columns.push(time);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a column more")
}
