//! The operator: an epoch's changes against what is kept.

use std::cell::Cell;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::op::{Emit, TopNOp};

use super::closing::Closing;
use super::encode::Encoder;
use super::output::Output;
use super::partition::Partition;
use super::pending::{Change, Pending, head};
use super::ranking::{Ranking, Walked};
use crate::operators::keyed_states::{Deadlines, KeyDictionary};
use crate::{Cx, Operator, StateSize};

/// When results are put out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// What changes, as often as that.
    Changes { every: Micros },
    /// Only rows that come in: which of them go again is for the next step to find.
    Insertions,
    /// When the window of a partition closes.
    OnClose,
    /// When the input ends.
    AtEnd,
}

/// From so many pending rows on it is looked which of them are out of the range already; tests have few.
const MANY: usize = if cfg!(test) { 4 } else { 4_096 };

/// The first rows of each partition.
pub struct TopN {
    partition_by: Vec<usize>,
    when: When,
    /// Whether rows are never taken back.
    append: bool,
    ranking: Ranking,
    encoder: Encoder,
    dictionary: KeyDictionary,
    partitions: Vec<Partition>,
    pending: Pending,
    /// From so many pending rows on they are thinned out.
    many: usize,
    output: Output,
    closing: Option<Closing>,
    deadlines: Deadlines,
    watermark: Watermark,
    emitted_at: Option<Micros>,
    live: usize,
    rows: usize,
    bytes: usize,
    ids: Vec<usize>,
    /// Rows that were looked at beyond their place in the order: what an epoch costs.
    pub(super) work: usize,
}

impl TopN {
    /// Over rows of `input`; `append` is whether none of them is taken back.
    pub fn new(op: &TopNOp, input: SchemaRef, output: SchemaRef, append: bool) -> Result<Self> {
        let when = match (op.emit, &op.expire) {
            (Emit::Changes { every }, _) => When::Changes { every },
            (Emit::OnClose, Some(_)) => When::OnClose,
            (Emit::AtEnd, None) => When::AtEnd,
            _ => return Err(Error::internal("a TopN that closes with windows, without one")),
        };
        let closing = op.expire.as_ref().map(|expire| match op.partition_by.get(expire.end_key) {
            Some(end) => Ok(Closing::new(expire, *end)),
            None => Err(Error::internal("window_end is not among the partition's columns")),
        });
        Self::with(op, input, output, append, when, closing.transpose()?)
    }

    /// Of the rows of one worker, those that may be among the first of all.
    pub fn local(op: &TopNOp, schema: SchemaRef) -> Result<Self> {
        let op = TopNOp { first: 1, ranks: vec![], ..op.clone() };
        Self::with(&op, Arc::clone(&schema), schema, true, When::Insertions, None)
    }

    fn with(
        op: &TopNOp,
        input: SchemaRef,
        output: SchemaRef,
        append: bool,
        when: When,
        closing: Option<Closing>,
    ) -> Result<Self> {
        let inserts = !matches!(when, When::Changes { .. });
        Ok(Self {
            ranking: Ranking::new(op.bound, op.first, op.last, &op.ranks),
            encoder: Encoder::new(&input, &op.order_by)?,
            dictionary: KeyDictionary::new(Arc::new(input.project(&op.partition_by)?))?,
            partition_by: op.partition_by.clone(),
            partitions: vec![],
            pending: Pending::default(),
            many: MANY,
            output: Output::new(output, &op.ranks, inserts),
            deadlines: Deadlines::new(closing.as_ref().map_or(1, Closing::stride)),
            closing,
            when,
            append,
            watermark: Watermark::MIN,
            emitted_at: None,
            live: 0,
            rows: 0,
            bytes: 0,
            ids: vec![],
            work: 0,
        })
    }

    /// Rows that may change something, into what is pending.
    fn take_in(&mut self, delta: &Delta, ends: &[Micros]) -> Result<()> {
        let keys: Vec<ArrayRef> = self.partition_by.iter().map(|c| delta.batch.column(*c).clone()).collect();
        let mut ids = std::mem::take(&mut self.ids);
        self.dictionary.intern(&keys, delta.num_rows(), &mut ids)?;
        self.partitions.resize_with(self.dictionary.size().max(self.partitions.len()), Partition::new);
        if let Some(closing) = &self.closing {
            for (end, id) in ends.iter().zip(&ids) {
                let partition = &mut self.partitions[*id];
                if partition.end.is_none() {
                    partition.end = Some(*end);
                    self.deadlines.push(end.saturating_add(closing.lateness()), *id as u32);
                }
            }
        }
        let order = self.encoder.order(&delta.batch)?;
        let excluded = |row: usize| {
            let bytes = order.get(row);
            self.partitions[ids[row]].excludes(head(bytes), bytes)
        };
        let candidates: Vec<u32> = match self.append {
            true => {
                let candidates = (0..delta.num_rows() as u32).filter(|row| !excluded(*row as usize)).collect();
                self.ranking.contenders(candidates, |row| ids[row], |row| order.get(row))
            }
            false => (0..delta.num_rows() as u32).collect(),
        };
        self.work += candidates.len();
        let all = candidates.len() == delta.num_rows();
        let candidates = UInt32Array::from(candidates);
        let chosen = if all { delta.clone() } else { delta.take(&candidates)? };
        let rows = self.encoder.rows(&chosen.batch)?;
        for (i, row) in candidates.values().iter().enumerate() {
            let weight = chosen.weights.as_ref().map_or(1, |w| w.value(i));
            self.pending.push(ids[*row as usize] as u32, order.get(*row as usize), rows.get(i), weight);
        }
        self.ids = ids;
        if self.append && self.pending.len() >= self.many {
            self.thin_out();
        }
        Ok(())
    }

    /// Lets go of pending rows that are out of the range whatever comes: a large epoch need not hold more than what its
    /// partitions will keep, nor take in what small ones would not.
    fn thin_out(&mut self) {
        self.pending.settle();
        let mut kept = Pending::default();
        for changes in self.pending.by_partition() {
            let Some(first) = changes.first() else { continue };
            let partition = &mut self.partitions[first.partition as usize];
            let ranked = || self.pending.ranked(changes);
            let cut = self.ranking.walk(partition.rows(), ranked(), false, |_, _, _| {}).cut;
            for row in ranked().take_while(|row| cut.as_deref().is_none_or(|cut| row.bytes < cut)) {
                let (order, rest) = row.bytes.split_at(row.order);
                kept.push(first.partition, order, rest, row.weight);
            }
            if let Some(cut) = cut {
                partition.out_from(&cut);
            }
        }
        self.work += self.pending.len();
        self.many = MANY.max(2 * kept.len());
        self.pending = kept;
    }

    /// What is pending becomes state; what it changes in the result is put out.
    fn absorb(&mut self, cx: &mut Cx) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut pending = std::mem::take(&mut self.pending);
        pending.settle();
        for changes in pending.by_partition() {
            self.change(&pending, changes);
            self.output.flush_full(&self.encoder, cx)?;
        }
        pending.clear();
        self.pending = pending;
        self.output.flush(&self.encoder, cx)?;
        self.emitted_at = Some(cx.now);
        Ok(())
    }

    fn change(&mut self, pending: &Pending, changes: &[Change]) {
        let Some(first) = changes.first() else { return };
        let (partition, output, when) = (&mut self.partitions[first.partition as usize], &mut self.output, self.when);
        let looked_at = Cell::new(0);
        let walked = if !self.append && matches!(when, When::AtEnd | When::OnClose) {
            // Every row is kept, and nobody asks yet which are the first.
            Walked { cut: None, full: None }
        } else {
            let held = partition.rows().inspect(|_| looked_at.set(looked_at.get() + 1));
            self.ranking.walk(held, pending.ranked(changes), false, |row, numbers, weight| match when {
                When::Changes { .. } => output.push(row, numbers, weight),
                When::Insertions if weight > 0 => output.push(row, numbers, weight),
                _ => {}
            })
        };
        let (rows, bytes, was_empty) = (partition.len(), partition.bytes(), partition.is_empty());
        partition.apply(pending.ranked(changes), &walked, self.append);
        self.work += looked_at.get() + changes.len();
        self.rows = self.rows + partition.len() - rows;
        self.bytes = self.bytes + partition.bytes() - bytes;
        self.live = self.live + usize::from(was_empty) - usize::from(partition.is_empty());
    }

    /// Puts out all rows of a partition that are in the range, in order.
    fn put_out(&mut self, partition: usize, cx: &mut Cx) -> Result<()> {
        let output = &mut self.output;
        let held = self.partitions[partition].rows();
        let Walked { .. } =
            self.ranking.walk(held, std::iter::empty(), true, |row, numbers, weight| output.push(row, numbers, weight));
        self.output.flush_full(&self.encoder, cx)
    }

    /// Puts out and lets go of partitions whose window is over.
    fn close(&mut self, due: Vec<(Micros, u32)>, cx: &mut Cx) -> Result<()> {
        for (_, id) in due {
            if self.when == When::OnClose {
                self.put_out(id as usize, cx)?;
            }
            let partition = &mut self.partitions[id as usize];
            self.live -= usize::from(!partition.is_empty());
            self.rows -= partition.len();
            self.bytes -= partition.bytes();
            *partition = Partition::new();
        }
        self.output.flush(&self.encoder, cx)
    }

    /// Forgets the keys of partitions without rows, when there are more of them than of others.
    fn forget(&mut self) -> Result<()> {
        if !self.dictionary.wasteful(self.live) || !self.pending.is_empty() {
            return Ok(());
        }
        let mut partitions = std::mem::take(&mut self.partitions);
        partitions.retain(|p| !p.is_empty());
        let firsts = partitions.iter().filter_map(|p| p.rows().next());
        let rows = self.encoder.decode(firsts.map(|row| &row.bytes[row.order..]))?;
        let keys: Vec<ArrayRef> = self.partition_by.iter().map(|c| rows[*c].clone()).collect();
        self.dictionary.restart(&keys, partitions.len())?;
        self.partitions = partitions;
        if let Some(closing) = &self.closing {
            self.deadlines.clear();
            for (id, partition) in self.partitions.iter().enumerate() {
                let end = partition.end.unwrap_or(Micros::MAX);
                self.deadlines.push(end.saturating_add(closing.lateness()), id as u32);
            }
        }
        Ok(())
    }

    /// Whether what is pending waits.
    fn waits(&self, now: Micros) -> bool {
        match self.when {
            When::Changes { every } => self.emitted_at.is_some_and(|at| now.saturating_sub(at) < every),
            _ => false,
        }
    }
}

impl Operator for TopN {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        if self.ranking.is_empty() || delta.is_empty() {
            return Ok(());
        }
        let (delta, ends) = match &self.closing {
            Some(closing) => closing.on_time(delta, self.watermark, cx)?,
            None => (delta, vec![]),
        };
        self.take_in(&delta, &ends)
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        self.watermark = watermark;
        let mut due = vec![];
        self.deadlines.take_due(watermark, &mut due);
        if !self.waits(cx.now) || watermark == Watermark::MAX || !due.is_empty() {
            self.absorb(cx)?;
        }
        due.sort_unstable();
        self.close(due, cx)?;
        if watermark == Watermark::MAX && self.when == When::AtEnd {
            for partition in 0..self.partitions.len() {
                self.put_out(partition, cx)?;
            }
            self.output.flush(&self.encoder, cx)?;
            (self.partitions, self.live, self.rows, self.bytes) = (vec![], 0, 0, 0);
        }
        self.forget()?;
        Ok(self.closing.as_ref().map_or(watermark, |c| c.forwarded(watermark)))
    }

    fn state(&self) -> StateSize {
        StateSize {
            rows: self.rows,
            bytes: self.bytes
                + self.pending.size()
                + self.partitions.capacity() * size_of::<Partition>()
                + self.dictionary.bytes(),
            oldest: self.deadlines.earliest(),
        }
    }
}
