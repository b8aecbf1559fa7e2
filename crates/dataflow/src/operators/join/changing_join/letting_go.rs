//! The end of an epoch, of rows whose time is over, and of the input: what is let go of, and what is put out as it goes.

use tidemill_core::{Result, Watermark};

use super::super::key_totals::KeyTotals;
use super::super::side::NONE;
use super::ChangingJoin;
use crate::Cx;

impl ChangingJoin {
    /// The epoch's rows are accounted for.
    pub(super) fn finish(&mut self) -> Result<()> {
        for side in [0, 1] {
            let by_partner = self.shape.settled_by_partner(side);
            let (own, totals, by_key) = (&self.sides[side], &self.totals[1 - side], self.shape.by_key);
            let settled: Vec<u32> = match by_partner {
                false => vec![],
                true => {
                    let changes = &self.changes[side];
                    let partnered = |slot: &u32| match by_key {
                        true => totals.now(own.key(*slot)) > 0,
                        false => changes.partners(*slot) > 0,
                    };
                    changes.changed().iter().map(|c| c.slot).filter(partnered).collect()
                }
            };
            self.changes[side].finish(&mut self.sides[side], &settled);
            self.tidy(side)?;
        }
        self.totals.iter_mut().for_each(KeyTotals::finish);
        self.not_in.finish();
        self.forget_keys()
    }

    /// Gives memory back where rows have gone.
    pub(super) fn tidy(&mut self, side: usize) -> Result<()> {
        if self.sides[side].live() == 0 && self.sides[side].slots() > 0 {
            self.changes[side].clear();
            if let Some(time) = &mut self.time {
                time.deadlines[side].clear();
                time.at[side] = vec![];
            }
        }
        self.sides[side].compact()
    }

    /// Forgets keys that no row has any more.
    pub(super) fn forget_keys(&mut self) -> Result<()> {
        // The key that is NULL has a meaning of its own.
        if self.shape.null_aware || !self.keys.many() {
            return Ok(());
        }
        let used =
            |key: &usize| [0, 1].iter().any(|s| self.sides[*s].first(*key) != NONE || self.totals[*s].now(*key) != 0);
        let live: Vec<usize> = (0..self.keys.count()).filter(used).collect();
        self.keys.keep(&live)?;
        self.sides.iter_mut().for_each(|s| s.renumber_keys(&live));
        if self.shape.by_key {
            self.totals.iter_mut().for_each(|t| t.renumber(&live));
        }
        Ok(())
    }

    /// Puts out and lets go of the rows that are over.
    pub(super) fn expire(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<()> {
        for side in [0, 1] {
            let Some(time) = &mut self.time else { return Ok(()) };
            let mut due = vec![];
            time.deadlines[side].take_due(watermark, &mut due);
            let (own, at) = (&self.sides[side], &time.at[side]);
            let over = |slot: &u32| own.has(*slot) && at[*slot as usize] <= watermark.0;
            let mut slots: Vec<u32> = due.into_iter().map(|(_, slot)| slot).filter(over).collect();
            slots.sort_unstable();
            slots.dedup();
            self.show_over(side, &slots, cx)?;
            for slot in slots {
                self.changes[side].forget(slot);
                self.sides[side].remove(slot);
            }
            self.tidy(side)?;
        }
        self.forget_keys()
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self, cx: &mut Cx) -> Result<()> {
        for side in [0, 1] {
            let slots: Vec<u32> = self.sides[side].all().collect();
            self.show_over(side, &slots, cx)?;
        }
        for side in [0, 1] {
            self.sides[side].clear();
            self.changes[side].clear();
            self.totals[side] = KeyTotals::default();
        }
        Ok(())
    }
}
