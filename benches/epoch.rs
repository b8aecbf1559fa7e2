//! What an epoch costs: of one row, of a hundred rows, through filter, project and a window aggregate.
//!
//! `cargo bench --bench epoch`. Also: memory over many rows stays flat (`TIDEMILL_BENCH_ROWS`, default 20,000,000).

use tidemill_benches::{Comparison, bids, rows};

fn main() {
    let bench = Comparison::new(bids(200_000));
    let query = "SELECT window_start, window_end, auction, COUNT(*) AS n, MAX(euros) AS highest
                 FROM TABLE(TUMBLE(TABLE euros, DESCRIPTOR(ts), INTERVAL '10' SECOND))
                 GROUP BY window_start, window_end, auction";
    bench.define("CREATE VIEW euros AS SELECT auction, price * 89 / 100 AS euros, ts FROM bid WHERE price > 0");
    bench.micros_per_epoch("epoch_of_1_row", query, 1);
    bench.micros_per_epoch("epoch_of_100_rows", query, 100);
    bench.micros_per_epoch("epoch_of_1000_rows", query, 1_000);
    bench.micros_per_epoch("epoch_of_8192_rows", query, 8_192);
    bench.memory("tumble_memory", rows(20_000_000));
}
