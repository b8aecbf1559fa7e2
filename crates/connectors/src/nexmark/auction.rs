//! The columns of auctions.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMillisecondArray};

use super::config::{CATEGORIES, Config, FIRST_AUCTION, FIRST_CATEGORY, FIRST_PERSON, HOT_SPACING, price};
use super::letters;
use super::table::{Made, NUMBER, TEXT, TIME};

/// Names and types.
pub(crate) const FIELDS: &[Made] = &[
    ("id", NUMBER),
    ("itemName", TEXT),
    ("description", TEXT),
    ("initialBid", NUMBER),
    ("reserve", NUMBER),
    ("dateTime", TIME),
    ("expires", TIME),
    ("seller", NUMBER),
    ("category", NUMBER),
    ("extra", TEXT),
];

/// Lengths of the texts, and of an auction without `extra`.
const NAME: usize = 20;
const DESCRIPTION: usize = 100;
const SIZE: usize = NAME + DESCRIPTION + 6 * 8;

/// Field number `field` of the auctions `ids`.
pub(crate) fn column(config: &Config, ids: &[u64], field: usize) -> ArrayRef {
    let random = config.random.named("auction");
    let numbers = |value: &dyn Fn(u64) -> i64| Arc::new(Int64Array::from_iter_values(ids.iter().map(|id| value(*id))));
    let times = |value: &dyn Fn(u64) -> i64| {
        Arc::new(TimestampMillisecondArray::from_iter_values(ids.iter().map(|id| value(*id))))
    };
    let text = |stream: u64, len: usize| {
        letters::column(ids, len, |id, out| letters::push(random.stream(stream), id, len, out))
    };
    let initial_bid = |id| price(random.stream(2).unit(id));
    match FIELDS[field].0 {
        "id" => numbers(&|id| FIRST_AUCTION + config.last_auction(id)),
        "itemName" => text(0, NAME),
        "description" => text(1, DESCRIPTION),
        "initialBid" => numbers(&initial_bid),
        "reserve" => numbers(&|id| initial_bid(id) + price(random.stream(3).unit(id))),
        "dateTime" => times(&|id| config.time(id)),
        "expires" => times(&|id| config.time(id) + config.auction_length(id, random.stream(4))),
        "seller" => numbers(&|id| {
            let person = if random.stream(5).below(id, config.hot_sellers) > 0 {
                // The first of the latest hundred.
                config.last_person(id) / HOT_SPACING * HOT_SPACING
            } else {
                config.some_person(id, random.stream(6))
            };
            FIRST_PERSON + person
        }),
        "category" => numbers(&|id| FIRST_CATEGORY + random.stream(7).below(id, CATEGORIES) as i64),
        _ => {
            let (len, text) = (random.stream(8), random.stream(9));
            letters::column(ids, config.auction_size, |id, out| {
                letters::push(text, id, letters::extra_len(len, id, SIZE, config.auction_size), out);
            })
        }
    }
}
