//! A window of many panes: a queue as two stacks.
//!
//! New panes are added to the sum of the *back*. Old ones leave the *front*, of which the sums of all its ends are known,
//! so that the window is one of these and the back. When the front is used up, the back becomes the front. To know all n
//! sums at once would take n times the room; so the front is cut into about √n blocks, with the sum of all blocks after
//! each, and within the first block the sum of the rest of it. A pane is merged three times, a window from three sums.
//!
//! A straggler for a pane of the front, rare as it is, is merged for each window by itself, until there are so many that
//! to begin again is cheaper.

use std::collections::VecDeque;
use std::sync::Arc;

use tidemill_core::{Micros, Result};

use crate::aggregate::{Kernel, Segment};
use crate::operator::StateSize;
use crate::operators::window_aggregate::output::Rows;
use crate::operators::window_aggregate::rolling::Panes;
use crate::operators::window_aggregate::rolling::dictionary::Dictionary;
use crate::operators::window_aggregate::rolling::part::{Pane, Part, Sum};

/// The panes of the window, in two stacks.
pub(super) struct Stacks {
    kernel: Arc<Kernel>,
    dictionary: Dictionary,
    /// Blocks of the front, the earliest first.
    front: VecDeque<Block>,
    /// For each pane left of the first block its start, and the sum from it to the end of the block; the earliest last.
    first: Vec<(Micros, Part)>,
    back: Sum,
    /// What the sum of the back is, until a pane is added to it.
    back_part: Option<Part>,
    /// The panes in the sum of the back.
    back_panes: Vec<Pane>,
    /// Groups that came for panes of the front.
    stragglers: Vec<Pane>,
    /// Groups of stragglers merged since the front was made.
    extra: usize,
    sum: Sum,
    /// Adds up ends of the front.
    scratch: Sum,
}

struct Block {
    /// In their order.
    panes: VecDeque<Pane>,
    /// The sum of all blocks after it.
    after: Part,
}

impl Stacks {
    pub(super) fn try_new(kernel: &Arc<Kernel>) -> Result<Self> {
        Ok(Self {
            kernel: kernel.clone(),
            dictionary: Dictionary::try_new(kernel)?,
            front: VecDeque::new(),
            first: vec![],
            back: Sum::try_new(kernel)?,
            back_part: None,
            back_panes: vec![],
            stragglers: vec![],
            extra: 0,
            sum: Sum::try_new(kernel)?,
            scratch: Sum::try_new(kernel)?,
        })
    }

    /// The start of the last pane of the front.
    fn front_end(&self) -> Option<Micros> {
        self.front.back().and_then(|b| b.panes.back()).map(|p| p.start)
    }

    fn rows(&self) -> usize {
        let front = self.front.iter().flat_map(|b| &b.panes);
        front.chain(&self.back_panes).chain(&self.stragglers).map(|p| p.part.ids.len()).sum()
    }

    /// Makes all panes the front, with numbers for their keys alone.
    fn restack(&mut self) -> Result<()> {
        let mut panes: Vec<Pane> = std::mem::take(&mut self.front).into_iter().flat_map(|b| b.panes).collect();
        panes.append(&mut self.stragglers);
        panes.append(&mut self.back_panes);
        panes.sort_by_key(|p| p.start);
        self.extra = 0;
        self.first.clear();
        self.back.clear()?;
        self.back_part = None;
        self.dictionary = Dictionary::try_new(&self.kernel)?;
        for pane in &mut panes {
            self.dictionary.renumber(pane)?;
        }
        let len = panes.len().isqrt().max(1);
        while !panes.is_empty() {
            // Blocks from the last to the first: what was added up so far is what comes after the block.
            let block: VecDeque<Pane> = panes.split_off(panes.len() - len.min(panes.len())).into();
            let after = self.scratch.snapshot()?;
            for pane in block.iter().rev() {
                self.scratch.add(&pane.part, self.dictionary.len())?;
            }
            self.front.push_front(Block { panes: block, after });
        }
        self.scratch.clear()?;
        self.enter_block()
    }

    /// Adds up the ends of the first block.
    fn enter_block(&mut self) -> Result<()> {
        self.first.clear();
        if let Some(block) = self.front.front() {
            for pane in block.panes.iter().rev() {
                self.scratch.add(&pane.part, self.dictionary.len())?;
                self.first.push((pane.start, self.scratch.snapshot()?));
            }
        }
        self.scratch.clear()?;
        Ok(())
    }
}

impl Panes for Stacks {
    fn add(&mut self, start: Micros, segment: Segment) -> Result<()> {
        let pane = self.dictionary.number(start, segment)?;
        if self.front_end().is_some_and(|end| start <= end) {
            self.stragglers.push(pane);
        } else {
            self.back.add(&pane.part, self.dictionary.len())?;
            self.back_part = None;
            self.back_panes.push(pane);
        }
        Ok(())
    }

    fn evict(&mut self, start: Micros) -> Result<()> {
        self.stragglers.retain(|p| p.start >= start);
        while let Some(block) = self.front.front_mut() {
            while block.panes.pop_front_if(|p| p.start < start).is_some() {
                self.first.pop();
            }
            if !block.panes.is_empty() {
                return Ok(());
            }
            self.front.pop_front();
            self.enter_block()?;
        }
        // The front is used up. The back has panes that go as well: not before it is the front.
        if self.back_panes.iter().any(|p| p.start < start) {
            self.back_panes.retain(|p| p.start >= start);
            self.restack()?;
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.front.is_empty() && self.back_panes.is_empty() && self.stragglers.is_empty()
    }

    fn read(&mut self) -> Result<Rows> {
        let extra: usize = self.stragglers.iter().map(|p| p.part.ids.len()).sum();
        self.extra += extra;
        if extra > 0 && self.extra > self.rows() {
            self.restack()?;
        }
        let numbers = self.dictionary.len();
        for straggler in &self.stragglers {
            self.sum.add(&straggler.part, numbers)?;
        }
        if let (Some((_, rest)), Some(block)) = (self.first.last(), self.front.front()) {
            self.sum.add(rest, numbers)?;
            self.sum.add(&block.after, numbers)?;
        }
        if self.back_part.is_none() {
            self.back_part = Some(self.back.snapshot()?);
        }
        if let Some(back) = &self.back_part {
            self.sum.add(back, numbers)?;
        }
        self.sum.finish()
    }

    fn state(&self) -> StateSize {
        let front = || self.front.iter().flat_map(|b| &b.panes);
        let panes = || front().chain(&self.back_panes).chain(&self.stragglers);
        let sums: usize = self.front.iter().map(|b| b.after.bytes()).sum::<usize>()
            + self.first.iter().map(|(_, p)| p.bytes()).sum::<usize>();
        let running = self.back.bytes() + self.sum.bytes() + self.scratch.bytes();
        StateSize {
            rows: self.rows(),
            bytes: panes().map(|p| p.part.bytes()).sum::<usize>() + sums + running + self.dictionary.bytes(),
            oldest: panes().map(|p| p.start).min(),
        }
    }
}
