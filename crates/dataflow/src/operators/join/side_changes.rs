//! What an epoch changes on one side of a join: rows that come, go, or are there more or less often, and rows whose partners
//! change.

use arrow::array::{Int64Array, RecordBatch, UInt32Array};
use tidemill_core::Result;
use tidemill_core::delta::take_rows;

use super::rows_by_content::{Net, RowsByContent, net};
use super::side::{NONE, Side};

/// A row that an epoch has to do with, as it was when the epoch began.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// Its slot.
    pub slot: u32,
    /// How often it was there.
    pub weight: i64,
    /// How many partners it had.
    pub partners: i64,
}

/// By slot of a side: its weight and its partners, and what the epoch changes of them.
#[derive(Debug)]
pub struct SideChanges {
    /// Where rows are taken back: how often each is there, and where it is found by its content.
    weighted: Option<(Vec<i64>, RowsByContent)>,
    /// Where partners are counted by row.
    partners: Option<Vec<i64>>,
    /// The rows that this epoch has to do with: those that came with it, and from `came` on those whose partners change.
    changed: Vec<Change>,
    came: usize,
    /// By slot: its place in `changed`.
    place: Vec<u32>,
}

impl SideChanges {
    /// Of a side whose rows are taken back or not, and whose partners are counted by row or not.
    pub fn new(retracts: bool, counts: bool) -> Self {
        Self {
            weighted: retracts.then(Default::default),
            partners: counts.then(Vec::new),
            changed: vec![],
            came: 0,
            place: vec![],
        }
    }

    /// How often a row is there now.
    #[inline]
    pub fn weight(&self, slot: u32) -> i64 {
        self.weighted.as_ref().map_or(1, |(weights, _)| weights[slot as usize])
    }

    /// How often a row was there when the epoch began.
    #[inline]
    pub fn weight_before(&self, slot: u32) -> i64 {
        match self.place[slot as usize] {
            NONE => self.weight(slot),
            place => self.changed[place as usize].weight,
        }
    }

    /// How many partners a row has now, where they are counted by row.
    #[inline]
    pub fn partners(&self, slot: u32) -> i64 {
        self.partners.as_ref().map_or(0, |p| p[slot as usize])
    }

    /// The rows that came with the epoch.
    pub fn came(&self) -> &[Change] {
        &self.changed[..self.came]
    }

    /// All rows that the epoch has to do with.
    pub fn changed(&self) -> &[Change] {
        &self.changed
    }

    /// Whether a row came with the epoch.
    #[inline]
    pub fn has_come(&self, slot: u32) -> bool {
        (self.place[slot as usize] as usize) < self.came
    }

    /// Whether a row came with the epoch and was not there before.
    #[inline]
    fn is_new(&self, slot: u32) -> bool {
        self.has_come(slot) && self.changed[self.place[slot as usize] as usize].weight == 0
    }

    /// Takes in the rows of an epoch, whose keys are `numbers`, below `keys`. Rows that are new have their slots in `added`,
    /// and their places among `rows` in the other part of it.
    pub fn take_in(
        &mut self,
        side: &mut Side,
        rows: RecordBatch,
        weights: Option<&Int64Array>,
        numbers: &[usize],
        keys: usize,
    ) -> Result<Added> {
        let mut added = Added::default();
        let Some((weight, by_content)) = &mut self.weighted else {
            added.places = None;
            side.add(rows, numbers, keys, &mut added.slots)?;
            self.make_room(side.slots());
            for slot in &added.slots {
                self.begin(*slot, 0);
            }
            self.came = self.changed.len();
            return Ok(added);
        };
        let Net { rows: distinct, weights, hashes } = net(&rows, weights)?;
        let batch = take_rows(&rows, &UInt32Array::from(distinct.clone()))?;
        let found = by_content.find(side, batch.columns(), &hashes)?;
        let new: Vec<usize> = (0..found.len()).filter(|i| found[*i].is_none()).collect();
        let picked = UInt32Array::from_iter_values(new.iter().map(|i| *i as u32));
        let fresh = if new.len() == batch.num_rows() { batch } else { take_rows(&batch, &picked)? };
        let of: Vec<usize> = new.iter().map(|i| numbers[distinct[*i] as usize]).collect();
        side.add(fresh, &of, keys, &mut added.slots)?;
        weight.resize(side.slots().max(weight.len()), 0);
        let mut before: Vec<(u32, i64)> = Vec::with_capacity(found.len());
        for (i, slot) in found.iter().enumerate() {
            if let Some(slot) = slot {
                before.push((*slot, weight[*slot as usize]));
                weight[*slot as usize] += weights[i];
            }
        }
        for (i, slot) in new.iter().zip(&added.slots) {
            by_content.insert(*slot, hashes[*i]);
            before.push((*slot, 0));
            weight[*slot as usize] = weights[*i];
        }
        added.places = Some(new.into_iter().map(|i| distinct[i]).collect());
        self.make_room(side.slots());
        before.into_iter().for_each(|(slot, weight)| self.begin(slot, weight));
        self.came = self.changed.len();
        Ok(added)
    }

    fn make_room(&mut self, slots: usize) {
        self.place.resize(slots.max(self.place.len()), NONE);
        if let Some(partners) = &mut self.partners {
            partners.resize(slots.max(partners.len()), 0);
        }
    }

    /// From here on the epoch has to do with the row in `slot`, which was there `weight` times.
    fn begin(&mut self, slot: u32, weight: i64) {
        if weight == 0
            && let Some(partners) = &mut self.partners
        {
            partners[slot as usize] = 0;
        }
        self.place[slot as usize] = self.changed.len() as u32;
        self.changed.push(Change { slot, weight, partners: self.partners(slot) });
    }

    /// The partners of the row in `slot` change, or may: it is as it was until now.
    pub fn look_at(&mut self, slot: u32) {
        if self.place[slot as usize] == NONE {
            self.begin_known(slot);
        }
    }

    fn begin_known(&mut self, slot: u32) {
        self.place[slot as usize] = self.changed.len() as u32;
        self.changed.push(Change { slot, weight: self.weight(slot), partners: self.partners(slot) });
    }

    /// A partner of the row in `slot` was there `before` times and is there `now` times.
    #[inline]
    pub fn partner(&mut self, slot: u32, before: i64, now: i64) {
        let before = if self.is_new(slot) { 0 } else { before };
        if self.partners.is_none() || before == now {
            return;
        }
        self.look_at(slot);
        if let Some(partners) = &mut self.partners {
            partners[slot as usize] += now - before;
        }
    }

    /// The epoch is over: lets go of rows that are there no more, and of those that are `settled`.
    pub fn finish(&mut self, side: &mut Side, settled: &[u32]) {
        let gone: Vec<u32> = self.changed.iter().map(|c| c.slot).filter(|slot| self.weight(*slot) == 0).collect();
        for change in self.changed.drain(..) {
            self.place[change.slot as usize] = NONE;
        }
        self.came = 0;
        for slot in gone.iter().chain(settled) {
            self.forget(*slot);
            side.remove(*slot);
        }
    }

    /// The row in `slot` goes.
    pub fn forget(&mut self, slot: u32) {
        if let Some((_, by_content)) = &mut self.weighted {
            by_content.remove(slot);
        }
    }

    /// Lets go of everything, and of the memory.
    pub fn clear(&mut self) {
        *self = Self::new(self.weighted.is_some(), self.partners.is_some());
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let weighted = self.weighted.as_ref().map_or(0, |(w, by)| 8 * w.len() + by.bytes());
        weighted + self.partners.as_ref().map_or(0, |p| 8 * p.len()) + 4 * self.place.len()
    }
}

/// Rows that are new on a side.
#[derive(Debug, Default)]
pub struct Added {
    /// Their slots.
    pub slots: Vec<u32>,
    /// Their places among the rows of the epoch. `None`: as they came.
    pub places: Option<Vec<u32>>,
}
