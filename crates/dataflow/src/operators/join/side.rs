//! The rows of one side of a join, found by key.
//!
//! Each row has a slot: a number that stays while the row is there. Rows with one key are a chain of slots. What a slot
//! means beyond that (its weight, its partners, its time) is for the owner to keep, by the same number.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use tidemill_core::Result;

use crate::operators::keyed_states::{RowRef, Segments};

/// No slot.
pub const NONE: u32 = u32::MAX;

/// Rows by key.
#[derive(Debug)]
pub struct Side {
    schema: SchemaRef,
    rows: Segments,
    /// By slot: where its row stands.
    at: Vec<RowRef>,
    /// By slot: the next one with the same key.
    next: Vec<u32>,
    /// By key: the first slot.
    first: Vec<u32>,
    /// Where rows are removed one by one: what that takes.
    back: Option<Back>,
    scratch: Vec<RowRef>,
}

#[derive(Debug, Default)]
struct Back {
    /// By slot: the one before it in its chain, or none where it is the first.
    previous: Vec<u32>,
    /// By slot: its key.
    key: Vec<u32>,
    /// Slots without a row.
    free: Vec<u32>,
}

impl Side {
    /// Of rows with these columns. Only `removable` rows can be removed, which costs eight bytes a row.
    pub fn new(schema: SchemaRef, removable: bool) -> Self {
        Self {
            rows: Segments::new(schema.clone()),
            schema,
            at: vec![],
            next: vec![],
            first: vec![],
            back: removable.then(Back::default),
            scratch: vec![],
        }
    }

    /// How many rows there are.
    pub fn live(&self) -> usize {
        self.rows.live()
    }

    /// One more than the greatest slot.
    pub fn slots(&self) -> usize {
        self.at.len()
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        let back = self.back.as_ref().map_or(0, |b| 4 * (b.previous.len() + b.key.len() + b.free.len()));
        self.rows.bytes() + 12 * self.at.len() + 4 * self.first.len() + back
    }

    /// The first row with a key, or [`NONE`].
    #[inline]
    pub fn first(&self, key: usize) -> u32 {
        self.first.get(key).copied().unwrap_or(NONE)
    }

    /// The next row with the same key, or [`NONE`].
    #[inline]
    pub fn next(&self, slot: u32) -> u32 {
        self.next[slot as usize]
    }

    /// The key of a removable row.
    pub fn key(&self, slot: u32) -> usize {
        self.back.as_ref().map_or(0, |b| b.key[slot as usize] as usize)
    }

    /// Adds rows with these keys, which are below `keys`, and puts their slots into `slots`.
    pub fn add(&mut self, rows: RecordBatch, of: &[usize], keys: usize, slots: &mut Vec<u32>) -> Result<()> {
        slots.clear();
        if self.first.len() < keys {
            self.first.resize(keys, NONE);
        }
        let segment = self.rows.push(rows)?;
        for (row, key) in of.iter().enumerate() {
            let at = RowRef { segment, row: row as u32 };
            let head = &mut self.first[*key];
            let slot = match self.back.as_mut().and_then(|b| b.free.pop()) {
                Some(slot) => {
                    self.at[slot as usize] = at;
                    self.next[slot as usize] = *head;
                    slot
                }
                None => {
                    self.at.push(at);
                    self.next.push(*head);
                    (self.at.len() - 1) as u32
                }
            };
            if let Some(back) = &mut self.back {
                if back.key.len() <= slot as usize {
                    back.previous.push(NONE);
                    back.key.push(*key as u32);
                } else {
                    back.previous[slot as usize] = NONE;
                    back.key[slot as usize] = *key as u32;
                }
                if *head != NONE {
                    back.previous[*head as usize] = slot;
                }
            }
            *head = slot;
            slots.push(slot);
        }
        Ok(())
    }

    /// Lets go of a row. Its slot may be another row's from now on.
    pub fn remove(&mut self, slot: u32) {
        let Some(back) = &mut self.back else { return };
        let (previous, next) = (back.previous[slot as usize], self.next[slot as usize]);
        match previous {
            NONE => self.first[back.key[slot as usize] as usize] = next,
            previous => self.next[previous as usize] = next,
        }
        if next != NONE {
            back.previous[next as usize] = previous;
        }
        back.free.push(slot);
        self.rows.release(std::mem::replace(&mut self.at[slot as usize], RowRef::NONE));
    }

    /// Whether there is a row in a slot.
    pub fn has(&self, slot: u32) -> bool {
        self.at.get(slot as usize).is_some_and(|at| at.is_some())
    }

    /// All slots that have a row.
    pub fn all(&self) -> impl Iterator<Item = u32> {
        self.at.iter().enumerate().filter(|(_, at)| at.is_some()).map(|(slot, _)| slot as u32)
    }

    /// Columns of the rows in these slots.
    pub fn gather(&mut self, columns: impl IntoIterator<Item = usize>, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        self.scratch.clear();
        self.scratch.extend(slots.iter().map(|s| self.at[*s as usize]));
        self.rows.gather(columns, &self.scratch)
    }

    /// How many columns a row has.
    pub fn width(&self) -> usize {
        self.schema.fields().len()
    }

    /// Drops the rows that were removed, where they outweigh the others. Slots stay.
    pub fn compact(&mut self) -> Result<()> {
        if self.live() == 0 && !self.at.is_empty() {
            self.clear();
        } else if self.rows.wasteful(self.live()) {
            let slots: Vec<u32> = self.all().collect();
            let columns = self.gather(0..self.width(), &slots)?;
            let options = RecordBatchOptions::new().with_row_count(Some(slots.len()));
            let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
            let segment = self.rows.replace(rows)?;
            for (row, slot) in slots.into_iter().enumerate() {
                self.at[slot as usize] = RowRef { segment, row: row as u32 };
            }
        }
        Ok(())
    }

    /// Lets go of everything, and of the memory.
    pub fn clear(&mut self) {
        *self = Self::new(self.schema.clone(), self.back.is_some());
    }

    /// Key `live[i]` is called `i` from now on. No row has another key.
    pub fn renumber_keys(&mut self, live: &[usize]) {
        let Some(back) = &mut self.back else { return };
        self.first = live.iter().map(|key| self.first.get(*key).copied().unwrap_or(NONE)).collect();
        for (key, first) in self.first.iter().enumerate() {
            let mut slot = *first;
            while slot != NONE {
                back.key[slot as usize] = key as u32;
                slot = self.next[slot as usize];
            }
        }
    }
}
