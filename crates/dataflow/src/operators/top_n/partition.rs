//! The rows of a partition in their order.

use std::collections::BTreeMap;

use tidemill_core::Micros;

use super::pending::head;
use super::ranking::{Ranked, Walked};

/// How often a row is there, and how many of its bytes are its place in the order.
#[derive(Debug, Clone, Copy)]
struct Held {
    weight: i64,
    order: u32,
}

/// What is known of rows that are out of the range for good: with insertions alone it only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    No,
    /// Those behind the last row that is kept. `last` is the head of its place in the order.
    Behind,
    /// Those behind some row that was let go while others were pending. `last` is the head of it.
    Pending,
}

/// What a row costs beside its bytes: its place in the map.
const ROW_OVERHEAD: usize = size_of::<Box<[u8]>>() + size_of::<Held>() + 8;

/// A partition.
#[derive(Debug)]
pub(super) struct Partition {
    rows: BTreeMap<Box<[u8]>, Held>,
    bytes: usize,
    full: Full,
    last: u128,
    /// The instant at which its window ends, once a row has said so.
    pub(super) end: Option<Micros>,
}

impl Partition {
    pub(super) fn new() -> Self {
        Self { rows: BTreeMap::new(), bytes: 0, full: Full::No, last: 0, end: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Ranked<'_>> {
        self.rows.iter().map(|(bytes, held)| Ranked { bytes, order: held.order as usize, weight: held.weight })
    }

    /// Whether a row at this place in the order is out of the range, whatever else it is. `first` is the head of `order`.
    pub(super) fn excludes(&self, first: u128, order: &[u8]) -> bool {
        match self.full {
            Full::No => false,
            Full::Pending => first > self.last,
            Full::Behind => {
                first > self.last
                    || (first == self.last
                        && self.rows.last_key_value().is_some_and(|(last, held)| *order > last[..held.order as usize]))
            }
        }
    }

    /// Notes that this row is out of the range, by what is kept and what is pending.
    pub(super) fn out_from(&mut self, cut: &[u8]) {
        let cut = head(cut);
        if self.full == Full::No || cut < self.last {
            (self.full, self.last) = (Full::Pending, cut);
        }
    }

    /// Takes in what has changed. Where rows are never taken back, those behind the `cut` are let go for ever.
    pub(super) fn apply<'a>(&mut self, changes: impl Iterator<Item = Ranked<'a>>, walked: &Walked, append: bool) {
        let cut = walked.cut.as_deref().filter(|_| append);
        if let Some(cut) = cut
            && self.rows.last_key_value().is_some_and(|(last, _)| last.as_ref() >= cut)
        {
            let gone = self.rows.split_off(cut);
            self.bytes -= gone.keys().map(|k| k.len() + ROW_OVERHEAD).sum::<usize>();
        }
        for change in changes {
            if cut.is_some_and(|cut| change.bytes >= cut) {
                break;
            }
            self.add(change);
        }
        if append {
            match walked.full {
                Some(true) => {
                    let last = self.rows.last_key_value();
                    self.last = last.map_or(0, |(bytes, held)| head(&bytes[..held.order as usize]));
                    self.full = Full::Behind;
                }
                Some(false) => self.full = Full::No,
                None => {}
            }
        }
    }

    fn add(&mut self, change: Ranked<'_>) {
        match self.rows.get_mut(change.bytes) {
            Some(held) => {
                held.weight += change.weight;
                if held.weight == 0 {
                    self.rows.remove(change.bytes);
                    self.bytes -= change.bytes.len() + ROW_OVERHEAD;
                }
            }
            None => {
                let held = Held { weight: change.weight, order: change.order as u32 };
                self.rows.insert(change.bytes.into(), held);
                self.bytes += change.bytes.len() + ROW_OVERHEAD;
            }
        }
    }
}
