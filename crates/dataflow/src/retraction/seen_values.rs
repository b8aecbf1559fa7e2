//! `COUNT(DISTINCT ..)` and the like over rows that are never taken back: a value counts when it is seen for the first time,
//! and how often it comes after that is nothing to remember.
//!
//! Values are kept under a number that their group has at the moment. A group that is forgotten gets a fresh one, which costs
//! nothing; what is left under the old number goes when there is more of it than of all else.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, UInt32Array, downcast_integer, downcast_temporal};
use arrow::compute::take_arrays;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use hashbrown::HashSet;
use tidemill_core::Result;

use super::{Changing, Rows};
use crate::aggregate::Groups;

/// So many values of groups that are gone are left alone, however few others there are.
const SLACK: usize = 4_096;

/// The distinct values of each group, and what is made of them.
pub struct SeenValues {
    seen: Box<dyn Seen>,
    inner: Box<dyn Changing>,
    /// The number of each group at the moment.
    slots: Vec<u32>,
    /// How many values stand under each number.
    sizes: Vec<u32>,
    /// How many values stand under a number that no group has any more.
    dead: usize,
    picks: Vec<u32>,
}

impl SeenValues {
    /// `inner` over distinct values of these types. NULL is no value.
    pub fn try_new(columns: &[DataType], inner: Box<dyn Changing>) -> Result<Self> {
        Ok(Self { seen: seen(columns)?, inner, slots: vec![], sizes: vec![], dead: 0, picks: vec![] })
    }

    fn fresh_slot(&mut self) -> u32 {
        self.sizes.push(0);
        self.sizes.len() as u32 - 1
    }

    /// Lets go of the values of groups that are gone, once they are most of all.
    fn compact(&mut self) -> Result<()> {
        let live = self.seen.len() - self.dead;
        if self.dead <= live + if live == 0 { 0 } else { SLACK } {
            return Ok(());
        }
        let mut new = vec![None; self.sizes.len()];
        let sizes = self.slots.iter().map(|slot| self.sizes[*slot as usize]).collect();
        for (group, slot) in self.slots.iter_mut().enumerate() {
            new[*slot as usize] = Some(group as u32);
            *slot = group as u32;
        }
        (self.sizes, self.dead) = (sizes, 0);
        self.seen.restart(&new)
    }
}

impl Changing for SeenValues {
    fn change(&mut self, rows: Rows) -> Result<()> {
        while self.slots.len() < rows.groups {
            let slot = self.fresh_slot();
            self.slots.push(slot);
        }
        self.picks.clear();
        self.seen.add(&rows, &self.slots, &mut self.picks)?;
        let ids: Vec<usize> = self.picks.iter().map(|row| rows.ids[*row as usize]).collect();
        ids.iter().for_each(|id| self.sizes[self.slots[*id] as usize] += 1);
        let values = take_arrays(rows.args, &UInt32Array::from(self.picks.clone()), None)?;
        let weights = vec![1; ids.len()];
        self.inner.change(Rows { args: &values, ids: &ids, weights: &weights, groups: rows.groups })?;
        self.compact()
    }

    fn values(&mut self, groups: &[usize]) -> Result<ArrayRef> {
        self.inner.values(groups)
    }

    fn forget(&mut self, groups: &[usize]) {
        for group in groups {
            let Some(slot) = self.slots.get(*group).copied() else { continue };
            self.dead += self.sizes[slot as usize] as usize;
            self.slots[*group] = self.fresh_slot();
        }
        self.inner.forget(groups);
    }

    fn renumber(&mut self, old: &[usize]) -> Result<()> {
        let kept: Vec<Option<u32>> = old.iter().map(|id| self.slots.get(*id).copied()).collect();
        self.slots = kept.into_iter().map(|slot| slot.unwrap_or_else(|| self.fresh_slot())).collect();
        let live: usize = self.slots.iter().map(|slot| self.sizes[*slot as usize] as usize).sum();
        self.dead = self.seen.len() - live;
        self.inner.renumber(old)?;
        self.compact()
    }

    fn bytes(&self) -> usize {
        self.seen.bytes() + size_of_val(&self.slots[..]) + size_of_val(&self.sizes[..]) + self.inner.bytes()
    }
}

/// Values under numbers.
trait Seen: Send {
    /// Takes in the rows that count, each under the number that `slots` has for its group; the rows whose value was not there
    /// yet go to `new`.
    fn add(&mut self, rows: &Rows, slots: &[u32], new: &mut Vec<u32>) -> Result<()>;

    /// What stood under number `i` now stands under `new[i]`, or is forgotten.
    fn restart(&mut self, new: &[Option<u32>]) -> Result<()>;

    /// How many values there are.
    fn len(&self) -> usize;

    fn bytes(&self) -> usize;
}

fn seen(columns: &[DataType]) -> Result<Box<dyn Seen>> {
    macro_rules! numbers {
        ($t:ty) => {
            Ok(Box::new(NumbersSeen::<$t>::default()))
        };
    }
    match columns {
        [one] => downcast_integer! {
            one => (numbers),
            one => downcast_temporal! {
                one => (numbers),
                _ => Ok(Box::new(AnySeen::try_new(columns)?)),
            },
        },
        _ => Ok(Box::new(AnySeen::try_new(columns)?)),
    }
}

/// Whole numbers and times.
struct NumbersSeen<T: ArrowPrimitiveType> {
    values: HashSet<(u32, T::Native)>,
}

impl<T: ArrowPrimitiveType> Default for NumbersSeen<T> {
    fn default() -> Self {
        Self { values: HashSet::new() }
    }
}

impl<T: ArrowPrimitiveType> Seen for NumbersSeen<T>
where
    T::Native: Hash + Eq,
{
    fn add(&mut self, rows: &Rows, slots: &[u32], new: &mut Vec<u32>) -> Result<()> {
        let column = rows.args[0].as_primitive::<T>().values();
        let values = &mut self.values;
        rows.each(|row, id, _| {
            if values.insert((slots[id], column[row])) {
                new.push(row as u32);
            }
        });
        Ok(())
    }

    fn restart(&mut self, new: &[Option<u32>]) -> Result<()> {
        let values = std::mem::take(&mut self.values).into_iter();
        self.values = values.filter_map(|(slot, value)| Some((new[slot as usize]?, value))).collect();
        Ok(())
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn bytes(&self) -> usize {
        self.values.allocation_size()
    }
}

/// Values of any type, or of several columns.
struct AnySeen {
    /// The number, then the columns of the value.
    schema: SchemaRef,
    dictionary: Groups,
    ids: Vec<usize>,
}

impl AnySeen {
    fn try_new(columns: &[DataType]) -> Result<Self> {
        let columns = columns.iter().enumerate().map(|(i, t)| Field::new(format!("c{i}"), t.clone(), true));
        let slot = Field::new("slot", DataType::UInt32, false);
        let schema: SchemaRef = Arc::new(Schema::new([slot].into_iter().chain(columns).collect::<Vec<_>>()));
        Ok(Self { dictionary: Groups::try_new(&schema)?, schema, ids: vec![] })
    }
}

impl Seen for AnySeen {
    fn add(&mut self, rows: &Rows, slots: &[u32], new: &mut Vec<u32>) -> Result<()> {
        let (mut picks, mut of) = (vec![], vec![]);
        rows.each(|row, id, _| {
            picks.push(row as u32);
            of.push(slots[id]);
        });
        let values = match picks.len() == rows.ids.len() {
            true => rows.args.to_vec(),
            false => take_arrays(rows.args, &UInt32Array::from(picks.clone()), None)?,
        };
        let columns: Vec<ArrayRef> = [Arc::new(UInt32Array::from(of)) as _].into_iter().chain(values).collect();
        // New values get the next numbers, in the order in which they come.
        let mut next = self.dictionary.len();
        self.dictionary.intern(&columns, picks.len(), &mut self.ids)?;
        for (row, id) in picks.iter().zip(&self.ids) {
            if *id == next {
                new.push(*row);
                next += 1;
            }
        }
        Ok(())
    }

    fn restart(&mut self, new: &[Option<u32>]) -> Result<()> {
        let mut columns = self.dictionary.emit()?;
        let slots = columns[0].as_primitive::<UInt32Type>();
        let (mut picks, mut of) = (vec![], vec![]);
        for (row, slot) in slots.values().iter().enumerate() {
            if let Some(slot) = new[*slot as usize] {
                picks.push(row as u32);
                of.push(slot);
            }
        }
        let rows = picks.len();
        columns = take_arrays(&columns, &UInt32Array::from(picks), None)?;
        columns[0] = Arc::new(UInt32Array::from(of));
        self.dictionary = Groups::try_new(&self.schema)?;
        if rows > 0 {
            self.dictionary.intern(&columns, rows, &mut self.ids)?;
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.dictionary.len()
    }

    fn bytes(&self) -> usize {
        if self.dictionary.is_empty() { 0 } else { self.dictionary.bytes() }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::super::count::Count;
    use super::super::distinct::Distinct;
    use super::*;
    use crate::operators::keyed_states::testing::Chance;

    /// The same steps over values that are counted with their weights.
    fn agrees(seed: u64, texts: bool) {
        let mut chance = Chance(seed);
        let of = [if texts { DataType::Utf8 } else { DataType::Int64 }];
        let mut seen = SeenValues::try_new(&of, Box::new(Count::default())).unwrap();
        let mut counted = Distinct::try_new(&of, Box::new(Count::default())).unwrap();
        let mut groups = 0;
        for _ in 0..40 {
            match chance.below(4) {
                0 if groups > 0 => {
                    let gone: Vec<usize> = (0..groups).filter(|_| chance.one_in(3)).collect();
                    seen.forget(&gone);
                    counted.forget(&gone);
                }
                1 if groups > 0 => {
                    let old: Vec<usize> = (0..groups).filter(|_| chance.one_in(2)).collect();
                    seen.renumber(&old).unwrap();
                    counted.renumber(&old).unwrap();
                    groups = old.len();
                }
                _ => {
                    groups = groups.max(1 + chance.below(8) as usize);
                    let rows = chance.below(60) as usize;
                    let ids: Vec<usize> = (0..rows).map(|_| chance.below(groups as i64) as usize).collect();
                    let numbers: Vec<Option<i64>> =
                        (0..rows).map(|_| Some(chance.below(20)).filter(|v| *v > 0)).collect();
                    let weights: Vec<i64> = (0..rows).map(|_| i64::from(!chance.one_in(5))).collect();
                    let column: ArrayRef = match texts {
                        true => Arc::new(StringArray::from_iter(numbers.iter().map(|n| n.map(|n| n.to_string())))),
                        false => Arc::new(Int64Array::from(numbers)),
                    };
                    let args = [column];
                    let rows = Rows { args: &args, ids: &ids, weights: &weights, groups };
                    seen.change(rows).unwrap();
                    counted.change(rows).unwrap();
                }
            }
            let all: Vec<usize> = (0..groups).collect();
            assert_eq!(&seen.values(&all).unwrap(), &counted.values(&all).unwrap(), "seed {seed}");
        }
    }

    #[test]
    fn they_are_the_values_that_are_there() {
        for seed in 0..60 {
            agrees(seed, seed % 2 == 0);
        }
    }

    #[test]
    fn what_is_forgotten_is_let_go() {
        let mut seen = SeenValues::try_new(&[DataType::Int64], Box::new(Count::default())).unwrap();
        for round in 0..50 {
            let args = [Arc::new(Int64Array::from_iter_values(0..1_000)) as ArrayRef];
            let ids: Vec<usize> = (0..1_000).map(|i| i % 10).collect();
            seen.change(Rows { args: &args, ids: &ids, weights: &vec![1; 1_000], groups: 10 }).unwrap();
            assert!(seen.bytes() < 400_000, "{} bytes after round {round}", seen.bytes());
            seen.forget(&(0..10).collect::<Vec<_>>());
        }
    }
}
