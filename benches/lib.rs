//! What the benches share: bids in memory, and the two sides of a comparison, run in turn in one process.
//!
//! Machines are shared and noisy: only ratios within one run are worth quoting. Each side runs several times, in turn, and
//! the ratio is of their medians. Each measurement ends in a line `ratio <name> <value>`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::TimestampMillisecondType;
use tidemill::pipeline::Pipeline;
use tidemill::simulate::{Cut, CutRows, Random, Simulation};
use tidemill::{EventTime, Session, batch};
use tokio::runtime::Runtime;

/// Rows of an epoch, and of a batch in memory.
pub const EPOCH_ROWS: usize = 8_192;
/// How often each side runs.
const RUNS: usize = 5;

/// How many rows a bench takes: `TIDEMILL_BENCH_ROWS`, or its default.
pub fn rows(default: usize) -> usize {
    std::env::var("TIDEMILL_BENCH_ROWS").ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// Nexmark bids in batches of an epoch's size: `auction`, `bidder`, `price`, `channel`, `ts`.
pub fn bids(rows: usize) -> Vec<RecordBatch> {
    tidemill::connectors::nexmark::bids(1, rows, EPOCH_ROWS)
        .iter()
        .map(|b| {
            let column = |name: &str| Arc::clone(b.column_by_name(name).expect("a column of bids"));
            RecordBatch::try_from_iter([
                ("auction", column("auction")),
                ("bidder", column("bidder")),
                ("price", column("price")),
                ("channel", column("channel")),
                ("ts", column("dateTime")),
            ])
            .expect("columns of one length")
        })
        .collect()
}

/// The same rows with times up to four seconds earlier.
fn disorder(batches: &[RecordBatch]) -> Vec<RecordBatch> {
    let mut random = Random(7);
    let one = |b: &RecordBatch| {
        let index = b.schema().index_of("ts").expect("bids have a time");
        let times = b.column(index).as_primitive::<TimestampMillisecondType>();
        let moved = times.values().iter().map(|t| t - random.below(4_000) as i64);
        let moved: ArrayRef = Arc::new(TimestampMillisecondArray::from_iter_values(moved));
        let mut columns = b.columns().to_vec();
        columns[index] = moved;
        RecordBatch::try_new(b.schema(), columns).expect("the same columns")
    };
    batches.iter().map(one).collect()
}

/// A session over bids, and the ways to compare.
pub struct Comparison {
    session: Session,
    runtime: Runtime,
    rows: usize,
}

impl Comparison {
    /// Over these bids, as the tables `bid` and `bid_disorder`.
    pub fn new(bids: Vec<RecordBatch>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
        let session = Session::new();
        let rows = bids.iter().map(RecordBatch::num_rows).sum();
        let schema = bids[0].schema();
        let disordered = disorder(&bids);
        let time = |seconds| Some(EventTime::new("ts", Duration::from_secs(seconds)));
        session.register_table("bid_disorder", Arc::clone(&schema), disordered, time(4)).expect("a new table");
        session.register_table("bid", schema, bids, time(0)).expect("a new table");
        Self { session, runtime, rows }
    }

    /// Runs a definition.
    pub fn define(&self, statement: &str) {
        self.runtime.block_on(self.session.execute(&format!("{statement};"))).expect("a right statement");
    }

    fn pipeline(&self, query: &str) -> Pipeline {
        let script = self.runtime.block_on(self.session.prepare(query));
        script.unwrap_or_else(|e| panic!("{}", e.render(query))).pipeline.expect("a query")
    }

    /// Time of the engine over all rows; how many rows it put out, and in how many epochs.
    fn engine(&self, query: &str, workers: usize, epoch_rows: usize) -> (Duration, usize, usize) {
        let cut = Cut { seed: 0, workers, rows: CutRows::Exactly(epoch_rows), start: 0 };
        let pipeline = self.pipeline(query);
        self.runtime.block_on(async {
            let simulation = Simulation::prepare(&pipeline, cut).await.expect("rows in memory");
            let mut out = 0;
            let started = Instant::now();
            let done = simulation.run(|_, delta| out += delta.num_rows()).await.expect("a run to the end");
            (started.elapsed(), out, done.epochs)
        })
    }

    /// Time of DataFusion over all rows at once, and how many rows it put out.
    fn batch(&self, query: &str, threads: usize) -> (Duration, usize) {
        self.runtime.block_on(async {
            let (state, plan) =
                batch::prepare_with(&self.session, query, threads, EPOCH_ROWS).await.expect("a batch plan");
            let started = Instant::now();
            let out = batch::run_counting(&state, &plan).await.expect("a batch answer");
            (started.elapsed(), out)
        })
    }

    /// The engine against DataFusion: above 1 the engine is faster.
    pub fn ratio(&self, name: &str, workers: usize, query: &str) {
        let (mut engine, mut batch) = (vec![], vec![]);
        for _ in 0..RUNS {
            let (time, ours, _) = self.engine(query, workers, EPOCH_ROWS);
            engine.push(time);
            let (time, theirs) = self.batch(query, workers);
            batch.push(time);
            assert_eq!(ours, theirs, "{name}: the engine and the batch put out as many rows");
        }
        let (engine, batch) = (median(engine), median(batch));
        println!(
            "{name}_{workers}w: engine {:.1} ns/row, batch {:.1} ns/row",
            self.per_row(engine),
            self.per_row(batch)
        );
        println!("ratio {name}_{workers}w {:.2}", batch.as_secs_f64() / engine.as_secs_f64());
    }

    /// The engine on one query against the engine on another: above 1 the second is slower.
    pub fn engine_ratio(&self, name: &str, workers: usize, first: &str, second: &str) {
        let (mut a, mut b) = (vec![], vec![]);
        for _ in 0..RUNS {
            a.push(self.engine(first, workers, EPOCH_ROWS).0);
            b.push(self.engine(second, workers, EPOCH_ROWS).0);
        }
        let (a, b) = (median(a), median(b));
        println!("{name}: {:.1} ns/row, {:.1} ns/row", self.per_row(a), self.per_row(b));
        println!("ratio {name} {:.2}", a.as_secs_f64() / b.as_secs_f64());
    }

    /// Two workers against one: above 1 two are faster.
    pub fn workers_ratio(&self, name: &str, query: &str) {
        let (mut one, mut two) = (vec![], vec![]);
        for _ in 0..RUNS {
            one.push(self.engine(query, 1, EPOCH_ROWS).0);
            two.push(self.engine(query, 2, EPOCH_ROWS).0);
        }
        let (one, two) = (median(one), median(two));
        println!("{name}: {:.1} ns/row, {:.1} ns/row", self.per_row(one), self.per_row(two));
        println!("ratio {name} {:.2}", one.as_secs_f64() / two.as_secs_f64());
    }

    /// What an epoch of `epoch_rows` rows costs.
    pub fn micros_per_epoch(&self, name: &str, query: &str, epoch_rows: usize) {
        let mut times = vec![];
        for _ in 0..RUNS {
            let (time, _, epochs) = self.engine(query, 1, epoch_rows);
            times.push(time / u32::try_from(epochs).expect("fewer epochs than that"));
        }
        println!("ratio {name}_micros {:.2}", median(times).as_secs_f64() * 1e6);
    }

    /// Peak memory over ten times as many generated rows, against the rows themselves: flat when windows are let go.
    pub fn memory(&self, name: &str, rows: usize) {
        let run = |rows: usize| {
            let session = Session::new();
            let text = format!(
                "CREATE TABLE bid (auction BIGINT, price BIGINT, ts AS `dateTime`, `dateTime` TIMESTAMP(3), \
                 WATERMARK FOR `dateTime` AS `dateTime`) \
                 WITH ('connector' = 'nexmark', 'table' = 'bid', 'event.num' = '{rows}'); \
                 CREATE TABLE nowhere (n BIGINT) WITH ('connector' = 'blackhole'); \
                 INSERT INTO nowhere SELECT COUNT(*) FROM \
                 TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND)) \
                 GROUP BY window_start, window_end, auction;"
            );
            self.runtime.block_on(session.execute(&text)).unwrap_or_else(|e| panic!("{}", e.render(&text)));
            peak_memory()
        };
        let small = run(rows / 10);
        let large = run(rows);
        println!("{name}: {small} kB after {} events, {large} kB after {rows}", rows / 10);
        println!("ratio {name}_growth {:.2}", large as f64 / small as f64);
    }

    fn per_row(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e9 / self.rows as f64
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The most memory the process has had, in kB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default().to_string();
    line.split_whitespace().nth(1).and_then(|v| v.parse().ok()).unwrap_or(0)
}
