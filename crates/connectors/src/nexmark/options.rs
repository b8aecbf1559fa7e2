//! The options, called as in the public benchmark's connector; other names that are about are taken too.

use tidemill_core::{Error, OptionKind, OptionSpec, OptionValues, Result};

use super::config::{Config, Kind};
use super::table::Rows;
use crate::pace::parse_rate;
use crate::random::Random;

const TABLE: OptionSpec = OptionSpec::new(
    "table",
    OptionKind::OneOf(&["all", "person", "auction", "bid"]),
    "all",
    "`all`: `event_type` and a ROW for each kind, of which two are NULL; otherwise the fields of one kind.",
);
const EVENTS: OptionSpec =
    OptionSpec::new("events.num", OptionKind::Int, "0", "How many events of all kinds; `0` is without end.");
const RATE: OptionSpec =
    OptionSpec::new("first-event.rate", OptionKind::Int, "10000", "Events a second of event time.");
const NEXT_RATE: OptionSpec = OptionSpec::optional(
    "next-event.rate",
    OptionKind::Int,
    "The same as `first-event.rate`: a rate that changes is not supported.",
);
const LIMITED: OptionSpec = OptionSpec::new(
    "rate.limited",
    OptionKind::Bool,
    "false",
    "Give events when they are due by their time, not as fast as they are taken.",
);
const ROWS_PER_SECOND: OptionSpec = OptionSpec::new(
    "rows-per-second",
    OptionKind::Text,
    "unlimited",
    "How many rows a second of real time. `0` or `unlimited`: as fast as they are taken.",
);
const SEED: OptionSpec = OptionSpec::new("seed", OptionKind::Int, "0", "The same seed makes the same events.");
const BASE_TIME: OptionSpec = OptionSpec::new(
    "base-time",
    OptionKind::Text,
    "2015-07-15 00:00:00",
    "Time of the first event, as `2015-07-15 00:00:00`, or `now`.",
);
const GROUP: OptionSpec = OptionSpec::new(
    "out-of-order-group-size",
    OptionKind::Int,
    "1",
    "Events are shuffled within groups of so many, which is how far they are out of order.",
);
const PEOPLE: OptionSpec = OptionSpec::new("person.proportion", OptionKind::Int, "1", "People in a round of events.");
const AUCTIONS: OptionSpec =
    OptionSpec::new("auction.proportion", OptionKind::Int, "3", "Auctions in a round of events.");
const BIDS: OptionSpec = OptionSpec::new("bid.proportion", OptionKind::Int, "46", "Bids in a round of events.");
const PERSON_SIZE: OptionSpec =
    OptionSpec::new("person.avg-size", OptionKind::Size, "200", "Average size of a person; `extra` fills it up.");
const AUCTION_SIZE: OptionSpec =
    OptionSpec::new("auction.avg-size", OptionKind::Size, "500", "Average size of an auction; `extra` fills it up.");
const BID_SIZE: OptionSpec =
    OptionSpec::new("bid.avg-size", OptionKind::Size, "100", "Average size of a bid; `extra` fills it up.");
const HOT_SELLERS: OptionSpec = OptionSpec::new(
    "auction.hot-ratio.sellers",
    OptionKind::Int,
    "4",
    "One auction in so many is not by a hot seller.",
);
const HOT_AUCTIONS: OptionSpec =
    OptionSpec::new("bid.hot-ratio.auctions", OptionKind::Int, "2", "One bid in so many is not for a hot auction.");
const HOT_BIDDERS: OptionSpec =
    OptionSpec::new("bid.hot-ratio.bidders", OptionKind::Int, "4", "One bid in so many is not by a hot bidder.");

/// All options, for the reference page.
pub(crate) const OPTIONS: &[OptionSpec] = &[
    TABLE,
    EVENTS,
    RATE,
    NEXT_RATE,
    LIMITED,
    ROWS_PER_SECOND,
    SEED,
    BASE_TIME,
    GROUP,
    PEOPLE,
    AUCTIONS,
    BIDS,
    PERSON_SIZE,
    AUCTION_SIZE,
    BID_SIZE,
    HOT_SELLERS,
    HOT_AUCTIONS,
    HOT_BIDDERS,
];

/// What `WITH (..)` said, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) rows: Rows,
    pub(crate) config: Config,
    /// How many events; `None` without end.
    pub(crate) events: Option<u64>,
    /// Rows a second of real time; `None` as fast as possible.
    pub(crate) rows_per_second: Option<u64>,
}

/// Other names for options, as other connectors for the benchmark have them: `nexmark.` before them is passed over.
const ALIASES: &[(&str, &str)] = &[("tps", RATE.name), ("event.num", EVENTS.name), ("table.type", TABLE.name)];

/// The options under the names that they have here.
fn renamed(options: &OptionValues) -> OptionValues {
    let own = |key: &str| OPTIONS.iter().chain(crate::TABLE_OPTIONS).any(|spec| spec.name == key);
    let name = |key: &str| {
        let short = key.strip_prefix("nexmark.").unwrap_or(key);
        let alias = ALIASES.iter().find(|(alias, _)| *alias == short).map(|(_, name)| *name);
        alias.filter(|_| !own(key)).unwrap_or(if own(short) { short } else { key }).to_owned()
    };
    // `Person`, `Auction`, `Bid`: the kinds of events as those connectors write them.
    let value = |name: &str, value: &str| if name == TABLE.name { value.to_lowercase() } else { value.to_owned() };
    OptionValues::from_pairs(options.0.iter().map(|(key, text)| {
        let name = name(key);
        let text = value(&name, text);
        (name, text)
    }))
}

/// Checks and reads all options.
pub(crate) fn settings(options: &OptionValues) -> Result<Settings> {
    let options = &renamed(options);
    options.check("connector 'nexmark'", &[crate::TABLE_OPTIONS, OPTIONS])?;
    let int = |spec: &OptionSpec| options.int(spec).map(Option::unwrap_or_default);
    let rows = match options.one_of(&TABLE)? {
        Some("person") => Rows::Only(Kind::Person),
        Some("auction") => Rows::Only(Kind::Auction),
        Some("bid") => Rows::Only(Kind::Bid),
        _ => Rows::All,
    };
    let rate = at_least_one(options, &RATE)?;
    if options.int(&NEXT_RATE)?.is_some_and(|next| next != rate) {
        return Err(Error::unsupported("connector 'nexmark': a rate that changes is not supported")
            .with_hint("Give 'next-event.rate' the value of 'first-event.rate', or leave it out."));
    }
    let mut config = Config {
        people: int(&PEOPLE)?,
        auctions: int(&AUCTIONS)?,
        bids: int(&BIDS)?,
        person_size: size(options, &PERSON_SIZE)?,
        auction_size: size(options, &AUCTION_SIZE)?,
        bid_size: size(options, &BID_SIZE)?,
        hot_sellers: at_least_one(options, &HOT_SELLERS)?,
        hot_auctions: at_least_one(options, &HOT_AUCTIONS)?,
        hot_bidders: at_least_one(options, &HOT_BIDDERS)?,
        rate,
        group: at_least_one(options, &GROUP)?,
        ..Config::new(0)
    };
    config.random = Random::new(int(&SEED)?);
    config.base_time = base_time(options.text(&BASE_TIME).unwrap_or_default())?;
    let share = match rows {
        Rows::Only(Kind::Person) => config.people,
        Rows::Only(Kind::Auction) => config.auctions,
        Rows::Only(Kind::Bid) => config.bids,
        Rows::All => config.people.saturating_add(config.auctions).saturating_add(config.bids),
    };
    let round = config.people.max(config.auctions).max(config.bids);
    if share == 0 || round > 1_000_000 {
        return Err(Error::statement("connector 'nexmark' makes no event of this table by these proportions")
            .with_hint("Proportions are at most 1000000, and that of the table's kind is at least 1."));
    }
    if config.group.is_multiple_of(953) {
        return Err(Error::statement("option 'out-of-order-group-size' cannot be a multiple of 953"));
    }
    let paced = options.text(&ROWS_PER_SECOND).map(|v| parse_rate(ROWS_PER_SECOND.name, v)).transpose()?.flatten();
    let round = config.people + config.auctions + config.bids;
    // At the rate of events, rows of one kind come at that kind's share of it.
    let limited = options.bool(&LIMITED)?.then(|| (rate.saturating_mul(share) / round).max(1));
    let events = Some(int(&EVENTS)?).filter(|n| *n > 0);
    Ok(Settings { rows, config, events, rows_per_second: paced.or(limited) })
}

fn at_least_one(options: &OptionValues, spec: &OptionSpec) -> Result<u64> {
    match options.int(spec)? {
        Some(n) if n > 0 => Ok(n),
        _ => Err(Error::statement(format!("option '{}' must be at least 1", spec.name))),
    }
}

fn size(options: &OptionValues, spec: &OptionSpec) -> Result<usize> {
    let size = options.size(spec)?.unwrap_or_default();
    usize::try_from(size)
        .ok()
        .filter(|s| *s <= 1 << 20)
        .ok_or_else(|| Error::statement(format!("option '{}' must be at most 1 mb", spec.name)))
}

fn base_time(text: &str) -> Result<i64> {
    if text.eq_ignore_ascii_case("now") {
        return Ok(chrono::Utc::now().timestamp_millis());
    }
    let time = arrow::compute::kernels::cast_utils::string_to_timestamp_nanos(text);
    time.map(|nanos| nanos.div_euclid(1_000_000)).map_err(|e| {
        Error::statement(format!("option 'base-time' is '{text}', which is not a time like '2015-07-15 00:00:00'"))
            .caused_by(e)
    })
}
