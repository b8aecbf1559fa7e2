//! The second step of an updating aggregation: what an epoch brought is merged into what is kept, and the results of the
//! groups it touched are put out where they changed.
//!
//! Work is proportional to the groups that were touched, never to those that are kept.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::{Schema, SchemaRef};
use tidemill_core::{Delta, Micros, Result, Watermark};

use super::changes::{Side, changes};
use super::expiry::Expiry;
use super::states::{GroupStates, Touched};
use crate::aggregate::Kernel;
use crate::expression::conform;
use crate::operators::keyed_states::{Deadlines, LatestRows};
use crate::{Cx, Operator, StateSize};

/// The groups of the keys that come to this worker.
pub struct UpdatingMerge<S> {
    states: S,
    when: When,
    expiry: Option<Expiry>,
    output: SchemaRef,
    /// The results of each group as they were put out.
    results: LatestRows,
    result_schema: SchemaRef,
    incoming: Vec<Delta>,
    /// Groups whose results are wanted and may differ from those put out, each once.
    touched: Vec<usize>,
    group: Vec<Group>,
    deadlines: Deadlines,
    /// How long a group is kept that no row touches, and when to look at which.
    ttl: Option<Micros>,
    idle: Deadlines,
    watermark: Watermark,
    emitted_at: Option<Micros>,
    /// How many groups were merged and evaluated so far: what the tests bound the work by.
    pub(super) work: usize,
}

/// When results are put out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// With the epoch, at most once in so many microseconds.
    Changed {
        /// The least time from one emission to the next.
        every: Micros,
    },
    /// When the group's window closes, and again where it is corrected.
    Closed,
    /// When the input has ended.
    AtEnd,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    /// Whether anything is kept of it.
    known: bool,
    touched: bool,
    /// Whether its results are wanted already.
    wanted: bool,
    /// When its window ends, as an instant.
    end: Micros,
    /// When a row of it came or went last, by the epoch's clock.
    used: Micros,
}

impl<S: GroupStates> UpdatingMerge<S> {
    /// Of `kernel`, whose groups are kept as `states`; puts out columns of `output`.
    pub fn new(kernel: &Kernel, states: S, when: When, expiry: Option<Expiry>, output: SchemaRef) -> Self {
        let values: Vec<_> =
            kernel.value_fields().iter().map(|f| Arc::new(f.as_ref().clone().with_nullable(true))).collect();
        let result_schema = Arc::new(Schema::new(values));
        Self {
            states,
            results: LatestRows::new(result_schema.clone()),
            result_schema,
            deadlines: Deadlines::new(expiry.as_ref().map_or(1, Expiry::stride)),
            when,
            expiry,
            output,
            incoming: vec![],
            touched: vec![],
            group: vec![],
            ttl: None,
            idle: Deadlines::new(1),
            watermark: Watermark::MIN,
            emitted_at: None,
            work: 0,
        }
    }

    /// With groups let go that no row has touched for so long.
    #[must_use]
    pub fn with_ttl(self, ttl: Option<Micros>) -> Self {
        Self { ttl, idle: Deadlines::new(ttl.unwrap_or(1) / 32), ..self }
    }

    /// Merges what the epoch brought into what is kept.
    fn absorb(&mut self, now: Micros) -> Result<()> {
        let incoming = std::mem::take(&mut self.incoming);
        if incoming.is_empty() {
            return Ok(());
        }
        let Touched { groups, keys } = self.states.absorb(incoming)?;
        self.work += groups.len();
        self.touch(&groups, &keys, now)
    }

    /// The results of these groups may have changed; those that are new are registered.
    fn touch(&mut self, groups: &[usize], keys: &[ArrayRef], now: Micros) -> Result<()> {
        let ends = self.expiry.as_ref().map(|e| e.ends(keys)).transpose()?;
        let new =
            Group { known: false, touched: false, wanted: self.when != When::Closed, end: Micros::MAX, used: now };
        self.group.resize(self.states.size().max(self.group.len()), new);
        for (i, id) in groups.iter().enumerate() {
            if !self.group[*id].known {
                let end = ends.as_ref().map_or(Micros::MAX, |ends| ends[i]);
                self.group[*id] = Group { known: true, end, ..new };
                self.register(*id);
                if let Some(ttl) = self.ttl {
                    self.idle.push(now.saturating_add(ttl), *id as u32);
                }
            }
            let group = &mut self.group[*id];
            group.used = now;
            if !std::mem::replace(&mut group.touched, true) && group.wanted {
                self.touched.push(*id);
            }
        }
        Ok(())
    }

    /// A group is looked at when its results are wanted, and again when it is over.
    fn register(&mut self, id: usize) {
        let Some(expiry) = &self.expiry else { return };
        let group = &self.group[id];
        let lateness = if group.wanted { expiry.lateness() } else { 0 };
        self.deadlines.push(group.end.saturating_add(lateness), id as u32);
    }

    /// Puts out what has changed for `groups`. Where they are over, what was put out need not be remembered.
    fn put_out(&mut self, groups: &[usize], over: bool, cx: &mut Cx) -> Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        self.work += groups.len();
        let has: Vec<u32> = (0..groups.len()).filter(|i| self.states.lives(groups[*i])).map(|i| i as u32).collect();
        let live: Vec<usize> = has.iter().map(|i| groups[*i as usize]).collect();
        let new = self.states.values(&live)?;
        let keys = self.states.keys(groups)?;
        let had: Vec<u32> = (0..groups.len()).filter(|i| self.results.has(groups[*i])).map(|i| i as u32).collect();
        let before: Vec<usize> = had.iter().map(|i| groups[*i as usize]).collect();
        let old = self.results.gather(0..new.len(), &before)?;
        let changes =
            changes(&keys, groups.len(), Side { groups: &has, values: &new }, Side { groups: &had, values: &old })?;
        if !over {
            let kept = take_arrays(&new, &UInt32Array::from(changes.changed.clone()), None)?;
            let changed: Vec<usize> = changes.changed.iter().map(|i| live[*i as usize]).collect();
            self.results.put(&changed, conform(&self.result_schema, kept, changed.len())?)?;
            self.let_go(groups);
        }
        let rows = changes.weights.as_ref().map_or(changes.changed.len(), |w| w.len());
        let batch = conform(&self.output, changes.columns, rows)?;
        cx.emit(Delta { batch, weights: changes.weights, split_watermark: None });
        Ok(())
    }

    /// Forgets those of `groups` whose rows were all taken back.
    fn let_go(&mut self, groups: &[usize]) {
        let mut gone = vec![];
        for id in groups.iter().filter(|id| !self.states.lives(**id)) {
            self.results.remove(*id);
            if self.states.empty(*id) {
                self.group[*id].known = false;
                gone.push(*id);
            }
        }
        self.states.remove(&gone);
    }

    /// Puts out and lets go of what the watermark has passed.
    fn expire(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<()> {
        let Some(lateness) = self.expiry.as_ref().map(Expiry::lateness) else { return Ok(()) };
        let mut due = vec![];
        self.deadlines.take_due(watermark, &mut due);
        if due.is_empty() {
            return Ok(());
        }
        due.sort_unstable();
        let mut over = vec![];
        for (at, id) in due {
            let id = id as usize;
            let group = &mut self.group[id];
            // Of a group that went and came again there is an older entry.
            if !group.known || at != group.end.saturating_add(if group.wanted { lateness } else { 0 }) {
                continue;
            }
            let wanted = std::mem::replace(&mut group.wanted, true);
            if group.end.saturating_add(lateness) <= watermark.0 {
                group.known = false;
                over.push(id);
                continue;
            }
            // Closed, but it may be corrected: put out when the epoch ends.
            if !wanted && group.touched {
                self.touched.push(id);
            }
            self.register(id);
        }
        let last: Vec<usize> = over.iter().copied().filter(|id| self.group[*id].touched).collect();
        self.put_out(&last, true, cx)?;
        self.states.remove(&over);
        for id in over {
            self.results.remove(id);
            self.group[id].touched = false;
        }
        let group = &self.group;
        self.touched.retain(|id| group[*id].touched);
        Ok(())
    }

    /// Lets go of groups that no row has touched for long. What was put out of them stays.
    fn let_go_of_idle(&mut self, now: Micros) {
        let Some(ttl) = self.ttl else { return };
        let mut due = vec![];
        self.idle.take_due(Watermark(now), &mut due);
        let mut over = vec![];
        for (_, id) in due {
            let group = &mut self.group[id as usize];
            let until = group.used.saturating_add(ttl);
            if !group.known {
                continue;
            }
            // Touched since, or with a change that is held back.
            if until > now || group.touched {
                self.idle.push(until.max(now.saturating_add(1)), id);
                continue;
            }
            group.known = false;
            over.push(id as usize);
        }
        over.iter().for_each(|id| self.results.remove(*id));
        self.states.remove(&over);
    }

    /// Forgets the keys of groups that are over.
    fn renumber(&mut self) -> Result<()> {
        let Some(live) = self.states.renumber()? else { return Ok(()) };
        self.results.renumber(&live)?;
        self.group = live.iter().map(|id| self.group[*id]).collect();
        self.touched = (0..live.len()).filter(|id| self.group[*id].touched && self.group[*id].wanted).collect();
        self.deadlines.clear();
        self.idle.clear();
        for id in 0..live.len() {
            self.register(id);
            if let Some(ttl) = self.ttl {
                self.idle.push(self.group[id].used.saturating_add(ttl), id as u32);
            }
        }
        Ok(())
    }
}

impl<S: GroupStates> Operator for UpdatingMerge<S> {
    fn push(&mut self, _port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        if !delta.is_empty() {
            self.incoming.push(delta);
        }
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        self.watermark = watermark;
        self.absorb(cx.now)?;
        self.expire(watermark, cx)?;
        Ok(match &self.expiry {
            Some(expiry) => expiry.forwarded(watermark),
            None if self.when == When::AtEnd && watermark != Watermark::MAX => Watermark::MIN,
            None => watermark,
        })
    }

    fn end_epoch(&mut self, cx: &mut Cx) -> Result<()> {
        let held_back = match self.when {
            When::Changed { every } => self.emitted_at.is_some_and(|at| cx.now.saturating_sub(at) < every),
            When::Closed => false,
            When::AtEnd => true,
        };
        if !held_back || self.watermark == Watermark::MAX {
            let touched = std::mem::take(&mut self.touched);
            touched.iter().for_each(|id| self.group[*id].touched = false);
            if !touched.is_empty() {
                self.emitted_at = Some(cx.now);
            }
            self.put_out(&touched, false, cx)?;
        }
        self.let_go_of_idle(cx.now);
        self.renumber()
    }

    fn state(&self) -> StateSize {
        StateSize {
            rows: self.states.known(),
            bytes: self.states.bytes() + self.results.bytes(),
            oldest: self.deadlines.earliest(),
        }
    }
}
