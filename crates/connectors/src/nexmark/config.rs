//! The numbers of the benchmark, and what follows from them: which event is what, when it happens, and which people and
//! auctions there are by then.

use crate::random::Random;

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Person,
    Auction,
    Bid,
}

/// The benchmark's configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// How many of each kind there are in a round of events.
    pub(crate) people: u64,
    pub(crate) auctions: u64,
    pub(crate) bids: u64,
    /// Average size in bytes: the field `extra` is made as long as is missing.
    pub(crate) person_size: usize,
    pub(crate) auction_size: usize,
    pub(crate) bid_size: usize,
    /// All but one in so many sellers, auctions and bidders are hot ones.
    pub(crate) hot_sellers: u64,
    pub(crate) hot_auctions: u64,
    pub(crate) hot_bidders: u64,
    /// Events a second of event time.
    pub(crate) rate: u64,
    /// Time of the first event, in milliseconds.
    pub(crate) base_time: i64,
    /// Events are shuffled within groups of so many; 1 keeps them in order.
    pub(crate) group: u64,
    pub(crate) random: Random,
}

/// The first identifiers.
pub(crate) const FIRST_PERSON: i64 = 1000;
pub(crate) const FIRST_AUCTION: i64 = 1000;
pub(crate) const FIRST_CATEGORY: i64 = 10;
pub(crate) const CATEGORIES: u64 = 5;
/// One in so many people and auctions is a hot one.
pub(crate) const HOT_SPACING: i64 = 100;
/// People who may sell and bid, and auctions that may get bids: the latest so many ...
const ACTIVE_PEOPLE: i64 = 1000;
pub(crate) const AUCTIONS_IN_FLIGHT: i64 = 100;
/// ... and a few that are yet to come.
const LEAD: i64 = 10;
/// 2015-07-15 00:00:00, the time at which the benchmark has always begun.
const BASE_TIME: i64 = 1_436_918_400_000;

impl Config {
    /// The benchmark's own numbers.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            people: 1,
            auctions: 3,
            bids: 46,
            person_size: 200,
            auction_size: 500,
            bid_size: 100,
            hot_sellers: 4,
            hot_auctions: 2,
            hot_bidders: 4,
            rate: 10_000,
            base_time: BASE_TIME,
            group: 1,
            random: Random::new(seed),
        }
    }

    fn round(&self) -> u64 {
        self.people + self.auctions + self.bids
    }

    /// The event that comes at place `n`.
    #[inline]
    pub(crate) fn event_at(&self, n: u64) -> u64 {
        // The multiplier is prime, so within a group every event comes once.
        if self.group == 1 { n } else { n / self.group * self.group + (n * 953) % self.group }
    }

    /// What event `id` is.
    #[inline]
    pub(crate) fn kind(&self, id: u64) -> Kind {
        let place = id % self.round();
        if place < self.people {
            Kind::Person
        } else if place < self.people + self.auctions {
            Kind::Auction
        } else {
            Kind::Bid
        }
    }

    /// When event `id` happens, in milliseconds.
    #[inline]
    pub(crate) fn time(&self, id: u64) -> i64 {
        let after = match id.checked_mul(1_000) {
            Some(thousandfold) => thousandfold / self.rate,
            None => (u128::from(id) * 1_000 / u128::from(self.rate)) as u64,
        };
        self.base_time.saturating_add(i64::try_from(after).unwrap_or(i64::MAX))
    }

    /// The last person by event `id`, itself included; from 0.
    #[inline]
    pub(crate) fn last_person(&self, id: u64) -> i64 {
        let (round, place) = (id / self.round(), id % self.round());
        let in_round = (place as i64).min(self.people as i64 - 1);
        ((round * self.people) as i64 + in_round).max(0)
    }

    /// The last auction by event `id`, itself included; from 0.
    #[inline]
    pub(crate) fn last_auction(&self, id: u64) -> i64 {
        let (round, place) = (id / self.round(), id % self.round());
        // Among the people of a round the last auction is that of the round before.
        let in_round = (place as i64 - self.people as i64).clamp(-1, self.auctions as i64 - 1);
        ((round * self.auctions) as i64 + in_round).max(0)
    }

    /// One of the people who are active by event `id`, or a few who are yet to come; from 0.
    #[inline]
    pub(crate) fn some_person(&self, id: u64, random: Random) -> i64 {
        let people = self.last_person(id) + 1;
        let active = people.min(ACTIVE_PEOPLE);
        people - active + random.below(id, (active + LEAD) as u64) as i64
    }

    /// One of the auctions that are open by event `id`, or a few that are yet to come; from 0.
    #[inline]
    pub(crate) fn some_auction(&self, id: u64, random: Random) -> i64 {
        let last = self.last_auction(id);
        let first = (last - AUCTIONS_IN_FLIGHT).max(0);
        first + random.below(id, (last - first + 1 + LEAD) as u64) as i64
    }

    /// How long an auction that begins with event `id` is open, in milliseconds: on average until the auctions in flight
    /// have all been followed by others.
    pub(crate) fn auction_length(&self, id: u64, random: Random) -> i64 {
        let events = AUCTIONS_IN_FLIGHT as u64 * self.round() / self.auctions.max(1);
        let horizon = (self.time(id.saturating_add(events)) - self.time(id)).max(0) as u64;
        1 + random.below(id, (horizon * 2).max(1)) as i64
    }
}

/// A random price in cents: each power of ten from 1 to 10^6 as often as the others.
#[inline]
pub(crate) fn price(unit: f64) -> i64 {
    // A table and a straight line between its entries: only products and sums, so the same on every machine, and no `pow`.
    static POWERS: std::sync::LazyLock<[f64; STEPS + 1]> = std::sync::LazyLock::new(|| {
        let mut powers = [1.0; STEPS + 1];
        (1..=STEPS).for_each(|i| powers[i] = powers[i - 1] * RATIO);
        powers
    });
    let at = unit * STEPS as f64;
    let step = (at as usize).min(STEPS - 1);
    let (low, high) = (POWERS[step], POWERS[step + 1]);
    ((low + (high - low) * (at - step as f64)) * 100.0).round() as i64
}

const STEPS: usize = 4096;
/// 10^(6 / 4096).
const RATIO: f64 = 1.0033786221027048;
