//! How many rows of a side there are for each key: all that the other side needs to know where nothing but the keys decides.

use super::side::NONE;

/// Rows by key, now and when the epoch began.
#[derive(Debug, Default)]
pub struct KeyTotals {
    now: Vec<i64>,
    /// The keys that this epoch touches, and how many rows they had.
    changed: Vec<(u32, i64)>,
    /// By key: its place in `changed`.
    place: Vec<u32>,
}

impl KeyTotals {
    /// A row of this key comes `weight` times.
    pub fn add(&mut self, key: usize, weight: i64) {
        if self.now.len() <= key {
            self.now.resize(key + 1, 0);
            self.place.resize(key + 1, NONE);
        }
        if self.place[key] == NONE {
            self.place[key] = self.changed.len() as u32;
            self.changed.push((key as u32, self.now[key]));
        }
        self.now[key] += weight;
    }

    /// How many rows a key has now.
    pub fn now(&self, key: usize) -> i64 {
        self.now.get(key).copied().unwrap_or(0)
    }

    /// How many rows a key had when the epoch began.
    pub fn before(&self, key: usize) -> i64 {
        match self.place.get(key) {
            Some(place) if *place != NONE => self.changed[*place as usize].1,
            _ => self.now(key),
        }
    }

    /// The keys that had no row and have one now, or the other way round.
    pub fn flipped(&self) -> impl Iterator<Item = usize> {
        let keys = self.changed.iter().map(|(key, before)| (*key as usize, *before));
        keys.filter(|(key, before)| (*before > 0) != (self.now[*key] > 0)).map(|(key, _)| key)
    }

    /// The epoch is over.
    pub fn finish(&mut self) {
        for (key, _) in self.changed.drain(..) {
            self.place[key as usize] = NONE;
        }
    }

    /// How many keys have rows.
    pub fn live(&self) -> usize {
        self.now.iter().filter(|n| **n != 0).count()
    }

    /// Key `live[i]` is called `i` from now on. No other key has rows.
    pub fn renumber(&mut self, live: &[usize]) {
        self.now = live.iter().map(|key| self.now(*key)).collect();
        self.place = vec![NONE; live.len()];
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        8 * self.now.len() + 4 * self.place.len()
    }
}
