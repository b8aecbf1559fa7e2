//! The Nexmark queries of `sql-examples/nexmark`, over events held in memory: the engine, which keeps each answer up to date
//! with every epoch, against DataFusion answering the same SQL once over all events, with as many threads, in one process.
//!
//! `cargo bench --bench nexmark` or, for some of them, `cargo bench --bench nexmark -- q4 q18`. Environment:
//! `TIDEMILL_BENCH_EVENTS` (default 5,000,000), `TIDEMILL_BENCH_RUNS` (default 2, of which the best counts),
//! `TIDEMILL_BENCH_WORKERS` (default `1,2`), `TIDEMILL_BENCH_EPOCHS` (rows of an epoch, default `65536,1024`).
//!
//! Lines: `ratio <query>_<epoch rows>_<workers>w <value>` (above 1 the engine is faster), `events_per_s <the same> <value>`, `state
//! <query> ..` (what the operators kept at most, at the ends of epochs). A query whose answers differ ends the bench.

use tidemill_benches::nexmark::{Nexmark, QUERIES};
use tidemill_benches::{number, numbers, wanted_query};

fn main() {
    let events = number("TIDEMILL_BENCH_EVENTS", 5_000_000);
    let runs = number("TIDEMILL_BENCH_RUNS", 2);
    let workers = numbers("TIDEMILL_BENCH_WORKERS", &[1, 2]);
    let epochs = numbers("TIDEMILL_BENCH_EPOCHS", &[65_536, 1_024]);
    let bench = Nexmark::new(events, runs);
    for query in QUERIES.iter().filter(|q| wanted_query(q)) {
        if let Err(e) = bench.measure(query, &workers, &epochs) {
            println!("skipped {query}: {e}");
        }
    }
}
