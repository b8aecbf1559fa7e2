//! Filter and project, TUMBLE, HOP, CUMULATE and SESSION over Nexmark bids held in memory, against DataFusion answering the
//! same SQL in one batch over the same Arrow data, with as many threads, in one run.
//!
//! `cargo bench --bench windows`. `TIDEMILL_BENCH_ROWS` (default 5,000,000) sets the number of bids.

use tidemill_benches::{Comparison, bids, rows};

fn main() {
    let bids = bids(rows(5_000_000));
    let bench = Comparison::new(bids);

    for workers in [1, 2] {
        bench.ratio("stateless", workers, "SELECT auction, price * 89 / 100 AS euros FROM bid WHERE auction % 4 = 1");
        bench.ratio(
            "tumble",
            workers,
            "SELECT window_start, window_end, auction, COUNT(*) AS n, MAX(price) AS highest
             FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' SECOND))
             GROUP BY window_start, window_end, auction",
        );
        bench.ratio(
            "hop",
            workers,
            "SELECT window_start, window_end, auction, COUNT(*) AS n
             FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
             GROUP BY window_start, window_end, auction",
        );
        bench.ratio(
            "cumulate",
            workers,
            "SELECT window_start, window_end, channel, COUNT(*) AS n, SUM(price) AS total
             FROM TABLE(CUMULATE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '1' MINUTE))
             GROUP BY window_start, window_end, channel",
        );
        bench.ratio(
            "session",
            workers,
            "SELECT window_start, window_end, bidder, COUNT(*) AS n
             FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND))
             GROUP BY window_start, window_end, bidder",
        );
    }

    let tumble = "SELECT window_start, window_end, auction, COUNT(*) AS n, MAX(price) AS highest
                  FROM TABLE(TUMBLE(TABLE {t}, DESCRIPTOR(ts), INTERVAL '10' SECOND))
                  GROUP BY window_start, window_end, auction";
    let hop = |slide: u32, size: u32| {
        format!(
            "SELECT window_start, window_end, bucket, COUNT(*) AS n
             FROM TABLE(HOP(TABLE buckets, DESCRIPTOR(ts), INTERVAL '{slide}' SECOND, INTERVAL '{size}' SECOND))
             GROUP BY window_start, window_end, bucket"
        )
    };
    bench.define("CREATE VIEW buckets AS SELECT auction % 100 AS bucket, ts FROM bid");
    // Above the target where the first, which has more to do, costs little more than the second.
    let (in_order, disorder) = (tumble.replace("{t}", "bid"), tumble.replace("{t}", "bid_disorder"));
    bench.engine_ratio("disorder_4s_to_in_order", 1, &disorder, &in_order);
    bench.engine_ratio("hop_1h_by_1s_to_10s_by_2s", 1, &hop(1, 3_600), &hop(2, 10));
    bench.workers_ratio("tumble_two_workers_over_one", &in_order);
    bench.workers_ratio("hop_two_workers_over_one", &hop(2, 10));
}
