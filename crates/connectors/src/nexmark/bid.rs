//! The columns of bids.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringBuilder, TimestampMillisecondArray};

use super::config::{Config, FIRST_AUCTION, FIRST_PERSON, HOT_SPACING, price};
use super::letters::{self, CHANNELS, HOT_CHANNELS, OTHER_CHANNELS};
use super::table::{Made, NUMBER, TEXT, TIME};

/// Names and types.
pub(crate) const FIELDS: &[Made] = &[
    ("auction", NUMBER),
    ("bidder", NUMBER),
    ("price", NUMBER),
    ("channel", TEXT),
    ("url", TEXT),
    ("dateTime", TIME),
    ("extra", TEXT),
];

/// Field number `field` of the bids `ids`.
pub(crate) fn column(config: &Config, ids: &[u64], field: usize) -> ArrayRef {
    let random = config.random.named("bid");
    let numbers = |value: &dyn Fn(u64) -> i64| Arc::new(Int64Array::from_iter_values(ids.iter().map(|id| value(*id))));
    match FIELDS[field].0 {
        "auction" => {
            let (hot, which) = (random.stream(0), random.stream(1));
            numbers(&|id| {
                let auction = if hot.below(id, config.hot_auctions) > 0 {
                    // The first of the latest hundred.
                    config.last_auction(id) / HOT_SPACING * HOT_SPACING
                } else {
                    config.some_auction(id, which)
                };
                FIRST_AUCTION + auction
            })
        }
        "bidder" => {
            let (hot, which) = (random.stream(2), random.stream(3));
            numbers(&|id| {
                let person = if hot.below(id, config.hot_bidders) > 0 {
                    // The second of the latest hundred: the first is a hot seller.
                    config.last_person(id) / HOT_SPACING * HOT_SPACING + 1
                } else {
                    config.some_person(id, which)
                };
                FIRST_PERSON + person
            })
        }
        "price" => {
            let random = random.stream(4);
            numbers(&|id| price(random.unit(id)))
        }
        "dateTime" => Arc::new(TimestampMillisecondArray::from_iter_values(ids.iter().map(|id| config.time(*id)))),
        "channel" => channels(config, ids, 12, |(name, _)| name),
        "url" => channels(config, ids, 72, |(_, url)| url),
        _ => {
            let (len, text) = (random.stream(7), random.stream(8));
            letters::column(ids, config.bid_size, |id, out| {
                letters::push(text, id, letters::extra_len(len, id, 32, config.bid_size), out);
            })
        }
    }
}

fn channels(config: &Config, ids: &[u64], about: usize, of: impl Fn(&(String, String)) -> &String) -> ArrayRef {
    let random = config.random.named("bid");
    let (hot, which) = (random.stream(5), random.stream(6));
    let mut out = StringBuilder::with_capacity(ids.len(), ids.len() * about);
    for id in ids {
        let i = match hot.below(*id, 2) {
            0 => HOT_CHANNELS + which.below(*id, OTHER_CHANNELS),
            _ => which.below(*id, HOT_CHANNELS),
        };
        out.append_value(of(&CHANNELS[i as usize]));
    }
    Arc::new(out.finish())
}
