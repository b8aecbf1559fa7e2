//! Distinct rows of groups, each with its weight.
//!
//! The rows themselves are in a dictionary, which can be asked for the number of a row and nothing else; who needs them
//! again keeps them by number. The rows of a group hang together in a list.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use tidemill_core::Result;

use super::{Rows, grow};
use crate::aggregate::Groups;

/// So many dead rows are left alone, however few are alive.
const SLACK: usize = 4_096;
const NONE: u32 = u32::MAX;

/// See the module.
pub struct WeightedRows {
    /// The group, then the columns of the row.
    schema: SchemaRef,
    dictionary: Groups,
    entries: Vec<Entry>,
    /// The first row of each group.
    heads: Vec<u32>,
    live: usize,
    ids: Vec<usize>,
    /// While changes are taken in: the place of a row among those touched.
    place: Vec<u32>,
}

/// A row. Those with a weight are in the list of their group.
#[derive(Debug, Clone, Copy)]
struct Entry {
    weight: i64,
    group: u32,
    next: u32,
    before: u32,
}

/// A row whose weight has changed.
#[derive(Debug, Clone, Copy)]
pub struct Touched {
    /// Its number.
    pub entry: usize,
    /// Where it stands among the changes.
    pub row: u32,
    /// Its weight before them.
    pub before: i64,
    /// Its weight now.
    pub after: i64,
}

impl WeightedRows {
    /// None yet, for rows with these columns.
    pub fn try_new(columns: &[DataType]) -> Result<Self> {
        let columns = columns.iter().enumerate().map(|(i, t)| Field::new(format!("c{i}"), t.clone(), true));
        let group = Field::new("group", DataType::UInt32, false);
        let schema: SchemaRef = Arc::new(Schema::new([group].into_iter().chain(columns).collect::<Vec<_>>()));
        Ok(Self {
            dictionary: Groups::try_new(&schema)?,
            schema,
            entries: vec![],
            heads: vec![],
            live: 0,
            ids: vec![],
            place: vec![],
        })
    }

    /// How many rows there are, each counted once.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Adds the weights of `rows`, whose columns are their arguments. Each row that was touched is put into `touched` once.
    pub fn change(&mut self, rows: Rows, touched: &mut Vec<Touched>) -> Result<()> {
        touched.clear();
        grow(&mut self.heads, rows.groups, NONE);
        let groups: ArrayRef = Arc::new(UInt32Array::from_iter_values(rows.ids.iter().map(|id| *id as u32)));
        let columns: Vec<ArrayRef> = [groups].into_iter().chain(rows.args.iter().cloned()).collect();
        let mut ids = std::mem::take(&mut self.ids);
        self.dictionary.intern(&columns, rows.ids.len(), &mut ids)?;
        let none = Entry { weight: 0, group: NONE, next: NONE, before: NONE };
        grow(&mut self.entries, self.dictionary.len(), none);
        grow(&mut self.place, self.dictionary.len(), NONE);
        for (row, (id, weight)) in ids.iter().zip(rows.weights).enumerate() {
            let entry = &mut self.entries[*id];
            if self.place[*id] == NONE {
                self.place[*id] = touched.len() as u32;
                touched.push(Touched { entry: *id, row: row as u32, before: entry.weight, after: 0 });
                entry.group = rows.ids[row] as u32;
            }
            entry.weight += weight;
        }
        for t in touched.iter_mut() {
            self.place[t.entry] = NONE;
            t.after = self.entries[t.entry].weight;
            match (t.before == 0, t.after == 0) {
                (true, false) => self.link(t.entry as u32),
                (false, true) => self.unlink(t.entry as u32),
                _ => {}
            }
        }
        self.ids = ids;
        Ok(())
    }

    /// The rows of a group: number and weight.
    pub fn of(&self, group: usize) -> impl Iterator<Item = (usize, i64)> + '_ {
        let mut next = self.heads.get(group).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let entry = self.entries.get(next as usize)?;
            Some((std::mem::replace(&mut next, entry.next) as usize, entry.weight))
        })
    }

    /// Forgets the rows of a group, and shows each to `gone`.
    pub fn forget(&mut self, group: usize, mut gone: impl FnMut(usize)) {
        let Some(head) = self.heads.get_mut(group) else { return };
        let mut next = std::mem::replace(head, NONE);
        while let Some(entry) = self.entries.get_mut(next as usize) {
            gone(next as usize);
            entry.weight = 0;
            next = entry.next;
            self.live -= 1;
        }
    }

    /// Forgets what rows that are gone looked like, once there are many. Then row `i` is the one that was `old[i]`.
    pub fn compact(&mut self) -> Result<Option<Vec<usize>>> {
        let slack = if self.live == 0 { 0 } else { SLACK };
        match self.dictionary.len() > 2 * self.live + slack {
            true => self.restart(Some).map(Some),
            false => Ok(None),
        }
    }

    /// Gives groups new numbers: `old[i]`, ascending, becomes group `i`, and the rows of all others are forgotten. Rows get
    /// new numbers too: row `i` is the one whose number is at `i` in what is returned.
    pub fn renumber(&mut self, old: &[usize]) -> Result<Vec<usize>> {
        self.restart(|group| old.binary_search(&(group as usize)).ok().map(|new| new as u32))
    }

    fn restart(&mut self, new: impl Fn(u32) -> Option<u32>) -> Result<Vec<usize>> {
        let rows = self.dictionary.emit()?;
        let groups = rows[0].as_primitive::<UInt32Type>();
        let before = std::mem::take(&mut self.entries);
        let (mut old, mut group_of) = (vec![], vec![]);
        for (id, entry) in before.iter().enumerate().filter(|(_, e)| e.weight != 0) {
            if let Some(group) = new(groups.value(id)) {
                old.push(id);
                group_of.push(group);
                self.entries.push(Entry { weight: entry.weight, group, next: NONE, before: NONE });
            }
        }
        let picks = UInt32Array::from_iter_values(old.iter().map(|id| *id as u32));
        let mut columns = take_arrays(&rows, &picks, None)?;
        self.heads = vec![NONE; group_of.iter().max().map_or(0, |g| *g as usize + 1)];
        columns[0] = Arc::new(UInt32Array::from(group_of));
        self.dictionary = Groups::try_new(&self.schema)?;
        (self.place, self.live) = (vec![], 0);
        if !old.is_empty() {
            self.dictionary.intern(&columns, old.len(), &mut self.ids)?;
            debug_assert!(self.ids.iter().enumerate().all(|(i, id)| i == *id), "rows are distinct");
        }
        (0..old.len()).for_each(|entry| self.link(entry as u32));
        Ok(old)
    }

    fn link(&mut self, entry: u32) {
        let head = &mut self.heads[self.entries[entry as usize].group as usize];
        let next = std::mem::replace(head, entry);
        if let Some(next) = self.entries.get_mut(next as usize) {
            next.before = entry;
        }
        let entry = &mut self.entries[entry as usize];
        (entry.next, entry.before) = (next, NONE);
        self.live += 1;
    }

    fn unlink(&mut self, entry: u32) {
        let Entry { group, next, before, .. } = self.entries[entry as usize];
        if let Some(next) = self.entries.get_mut(next as usize) {
            next.before = before;
        }
        match self.entries.get_mut(before as usize) {
            Some(before) => before.next = next,
            None => self.heads[group as usize] = next,
        }
        self.live -= 1;
    }

    /// About how many bytes are held.
    pub fn bytes(&self) -> usize {
        let dictionary = if self.dictionary.is_empty() { 0 } else { self.dictionary.bytes() };
        dictionary + size_of_val(&self.entries[..]) + size_of_val(&self.heads[..]) + size_of_val(&self.place[..])
    }
}
