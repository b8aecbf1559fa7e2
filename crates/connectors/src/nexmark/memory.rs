//! Events as batches in memory, for benches and tests.

use arrow::array::RecordBatch;
use tidemill_core::Result;

use super::config::{Config, Kind};
use super::table::{self, Rows};

/// `rows` bids in batches of `batch_rows`: auction, bidder, price, channel, url, dateTime, extra.
pub fn bids(seed: u64, rows: usize, batch_rows: usize) -> Vec<RecordBatch> {
    batches(Rows::Only(Kind::Bid), seed, rows, batch_rows)
}

/// `rows` auctions in batches of `batch_rows`.
pub fn auctions(seed: u64, rows: usize, batch_rows: usize) -> Vec<RecordBatch> {
    batches(Rows::Only(Kind::Auction), seed, rows, batch_rows)
}

/// `rows` people in batches of `batch_rows`.
pub fn people(seed: u64, rows: usize, batch_rows: usize) -> Vec<RecordBatch> {
    batches(Rows::Only(Kind::Person), seed, rows, batch_rows)
}

/// `rows` events of all kinds in batches of `batch_rows`: `event_type`, and a row of `person`, `auction` or `bid`.
pub fn events(seed: u64, rows: usize, batch_rows: usize) -> Vec<RecordBatch> {
    batches(Rows::All, seed, rows, batch_rows)
}

fn batches(which: Rows, seed: u64, rows: usize, batch_rows: usize) -> Vec<RecordBatch> {
    let config = Config::new(seed);
    let schema = which.schema();
    let make = || -> Result<Vec<RecordBatch>> {
        let columns = which.columns(&schema)?;
        let (mut place, mut left, mut out) = (0, rows, Vec::new());
        while left > 0 {
            let (ids, next) = which.ids(&config, place..u64::MAX, batch_rows.max(1).min(left));
            left -= ids.len();
            place = next;
            out.push(table::rows(&config, &ids, &columns, &schema)?);
        }
        Ok(out)
    };
    make().expect("the benchmark's own columns can be made")
}
