//! What the benches share: bids in memory, and the two sides of a comparison, run in turn in one process.
//!
//! Machines are shared and noisy: only ratios within one run are worth quoting. Each side runs several times, in turn, and
//! the ratio is of the best run of each, since noise only ever adds. Beside it stands the same of processor time, which other
//! work on the machine disturbs less. Each measurement ends in a line `ratio <name> <value>`.
//!
//! Words on the command line choose measurements: `cargo bench --bench windows -- tumble session`.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::TimestampMillisecondType;
use tidemill::pipeline::Pipeline;
use tidemill::simulate::{Cut, CutRows, Random, Simulation};
use tidemill::{EventTime, Session, batch};
use tokio::runtime::Runtime;

pub mod checksum;
pub mod cost;
#[path = "nexmark_run.rs"]
pub mod nexmark;

use cost::Cost;

/// What the binary has, for both sides of a comparison.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of an epoch, and of a batch in memory.
pub const EPOCH_ROWS: usize = 8_192;
/// How often each side runs.
const RUNS: usize = 7;

/// How many rows a bench takes: `TIDEMILL_BENCH_ROWS`, or its default.
pub fn rows(default: usize) -> usize {
    number("TIDEMILL_BENCH_ROWS", default)
}

/// A number from the environment, or its default.
pub fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// Numbers with commas between them from the environment, or their default.
pub fn numbers(name: &str, default: &[usize]) -> Vec<usize> {
    let given = std::env::var(name).unwrap_or_default();
    let given: Vec<usize> = given.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    if given.is_empty() { default.to_vec() } else { given }
}

/// Whether the command line asks for the measurement `name`: it names a part of it, or nothing at all.
pub fn wanted(name: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|a| !a.starts_with('-')).peekable();
    words.peek().is_none() || words.any(|word| name.contains(&word))
}

/// As [`wanted`], where `q1` is not a part of `q11`.
pub fn wanted_query(name: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|a| !a.starts_with('-')).peekable();
    words.peek().is_none() || words.any(|word| name == word)
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

    /// Cost of the engine over all rows; how many rows it put out, and in how many epochs.
    fn engine(&self, query: &str, workers: usize, epoch_rows: usize) -> (Cost, usize, usize) {
        let cut = Cut { seed: 0, workers, rows: CutRows::Exactly(epoch_rows), start: 0 };
        let pipeline = self.pipeline(query);
        self.runtime.block_on(async {
            let simulation = Simulation::prepare(&pipeline, cut).await.expect("rows in memory");
            let mut out = 0;
            let started = Cost::so_far();
            let done = simulation.run(|_, delta| out += delta.num_rows()).await.expect("a run to the end");
            (started.until_now(), out, done.epochs)
        })
    }

    /// Cost of DataFusion over all rows at once, and how many rows it put out.
    fn batch(&self, query: &str, threads: usize) -> (Cost, usize) {
        self.runtime.block_on(async {
            let (state, plan) =
                batch::prepare_with(&self.session, query, threads, EPOCH_ROWS).await.expect("a batch plan");
            let started = Cost::so_far();
            let out = batch::run_counting(&state, &plan).await.expect("a batch answer");
            (started.until_now(), out)
        })
    }

    /// The engine against DataFusion: above 1 the engine is faster.
    pub fn ratio(&self, name: &str, workers: usize, query: &str) {
        let name = format!("{name}_{workers}w");
        self.compare(&name, ["engine", "batch"], |first| {
            let (cost, rows) = if first {
                let (cost, rows, _) = self.engine(query, workers, EPOCH_ROWS);
                (cost, rows)
            } else {
                self.batch(query, workers)
            };
            (cost, Some(rows))
        });
    }

    /// The engine on one query against the engine on another: above 1 the second is faster.
    pub fn engine_ratio(&self, name: &str, workers: usize, first: &str, second: &str) {
        self.compare(name, ["first", "second"], |is_first| {
            let query = if is_first { first } else { second };
            (self.engine(query, workers, EPOCH_ROWS).0, None)
        });
    }

    /// Two workers against one: above 1 two are faster.
    pub fn workers_ratio(&self, name: &str, query: &str) {
        self.compare(name, ["two workers", "one worker"], |two| {
            let (cost, rows, _) = self.engine(query, if two { 2 } else { 1 }, EPOCH_ROWS);
            (cost, Some(rows))
        });
    }

    /// Runs two sides in turn, and prints the ratio of the second to the first. Both put out as many rows, where they say.
    fn compare(&self, name: &str, sides: [&str; 2], run: impl Fn(bool) -> (Cost, Option<usize>)) {
        if !wanted(name) {
            return;
        }
        let (mut first, mut second) = (Cost::MAX, Cost::MAX);
        for _ in 0..RUNS {
            let (cost, rows) = run(true);
            first = first.best(cost);
            let (cost, others) = run(false);
            second = second.best(cost);
            assert_eq!(rows, others, "{name}: both sides put out as many rows");
        }
        let [a, b] = [first, second].map(|cost| {
            let ns = |time: Duration| time.as_secs_f64() * 1e9 / self.rows as f64;
            format!("{:.1} ns/row (processor {:.1})", ns(cost.wall), ns(cost.processor))
        });
        println!("{name}: {} {a}, {} {b}", sides[0], sides[1]);
        println!("processor_ratio {name} {:.2}", second.processor.as_secs_f64() / first.processor.as_secs_f64());
        println!("ratio {name} {:.2}", second.wall.as_secs_f64() / first.wall.as_secs_f64());
    }

    /// What an epoch of `epoch_rows` rows costs.
    pub fn micros_per_epoch(&self, name: &str, query: &str, epoch_rows: usize) {
        let name = format!("{name}_micros");
        if !wanted(&name) {
            return;
        }
        let mut best = Duration::MAX;
        for _ in 0..RUNS {
            let (cost, _, epochs) = self.engine(query, 1, epoch_rows);
            // One thread does it all: its processor time is the cost, whatever else the machine is at.
            best = best.min(cost.processor / u32::try_from(epochs).expect("fewer epochs than that"));
        }
        println!("ratio {name} {:.2}", best.as_secs_f64() * 1e6);
    }

    /// Peak memory over ten times as many generated rows, against the rows themselves: flat when windows are let go.
    pub fn memory(&self, name: &str, rows: usize) {
        if !wanted(name) {
            return;
        }
        let run = |rows: usize| {
            let session = Session::new();
            let text = format!(
                "CREATE TABLE bid (auction BIGINT, `dateTime` TIMESTAMP(3), WATERMARK FOR `dateTime` AS `dateTime`) \
                 WITH ('connector' = 'nexmark', 'table' = 'bid', 'events.num' = '{rows}'); \
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
}

/// The most memory the process has had, in kB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default().to_string();
    line.split_whitespace().nth(1).and_then(|v| v.parse().ok()).unwrap_or(0)
}
