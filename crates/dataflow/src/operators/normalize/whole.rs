//! Changes of a table without a key: rows are told apart by all their columns, and counted.

use arrow::array::Array;
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result, Watermark};
use tidemill_plan::op::{NormalizeOp, OnError};

use super::out::{NEW, Out, Times};
use super::reject;
use crate::event_time::micros;
use crate::operator::{Cx, Operator, StateSize};
use crate::operators::incoming::Incoming;
use crate::operators::keyed_states::KeyDictionary;

/// How often each row that comes to this worker is there.
pub(super) struct WholeRows {
    schema: SchemaRef,
    event_time: Option<usize>,
    on_error: OnError,
    dictionary: KeyDictionary,
    /// By the number of the row.
    counts: Vec<i64>,
    /// How many rows are there at least once.
    live: usize,
    incoming: Incoming,
    /// While working: what the epoch adds to each row.
    added: Vec<i64>,
}

impl WholeRows {
    pub(super) fn new(op: &NormalizeOp, schema: SchemaRef) -> Result<Self> {
        Ok(Self {
            event_time: op.event_time,
            on_error: op.on_error,
            dictionary: KeyDictionary::new(schema.clone())?,
            schema,
            counts: vec![],
            live: 0,
            incoming: Incoming::default(),
            added: vec![],
        })
    }

    fn absorb(&mut self, cx: &mut Cx) -> Result<()> {
        let Some(delta) = self.incoming.take()? else { return Ok(()) };
        let mut ids = vec![];
        self.dictionary.intern(delta.batch.columns(), delta.num_rows(), &mut ids)?;
        let known = self.dictionary.size().max(self.counts.len());
        self.counts.resize(known, 0);
        self.added.resize(known, 0);
        let times = self.event_time.map(|t| micros(delta.batch.column(t))).transpose()?;
        let times = Times(times);
        let watermark = |row: usize| delta.split_watermark.as_ref().filter(|w| w.is_valid(row)).map(|w| w.value(row));
        let (mut out, mut rejected) = (Out::default(), vec![]);
        for (row, id) in ids.iter().enumerate() {
            let weight = delta.weights.as_ref().map_or(1, |w| w.value(row));
            let count = &mut self.counts[*id];
            if *count + weight < 0 {
                rejected.push(row as u32);
                continue;
            }
            let was = *count > 0;
            *count += weight;
            self.live = self.live + usize::from(*count > 0) - usize::from(was);
            match times.below(row, watermark(row)) {
                None => self.added[*id] += weight,
                below => out.push(NEW, row, weight, below),
            }
        }
        for (row, id) in ids.into_iter().enumerate() {
            let weight = std::mem::take(&mut self.added[id]);
            if weight != 0 {
                out.push(NEW, row, weight, None);
            }
        }
        let text = "no such row is there to be taken back".to_string();
        reject(rejected, &delta.batch, text, self.on_error, cx)?;
        out.emit(&self.schema, &[], delta.batch.columns(), cx)?;
        self.forget()
    }

    /// Lets go of the rows that are no longer there.
    fn forget(&mut self) -> Result<()> {
        if !self.dictionary.wasteful(self.live) {
            return Ok(());
        }
        let live: Vec<usize> = (0..self.dictionary.size()).filter(|id| self.counts[*id] > 0).collect();
        self.dictionary.retain(&live)?;
        self.counts = live.iter().map(|id| self.counts[*id]).collect();
        self.added = vec![];
        Ok(())
    }
}

impl Operator for WholeRows {
    fn push(&mut self, _port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        self.incoming.push(delta);
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        self.absorb(cx)?;
        Ok(watermark)
    }

    fn state(&self) -> StateSize {
        let bytes = self.dictionary.bytes() + self.counts.len() * size_of::<i64>();
        StateSize { rows: self.live, bytes: if self.live == 0 { 0 } else { bytes }, oldest: None }
    }
}
