//! Changes of a table with a `PRIMARY KEY`: one row for each key, the last one.
//!
//! An insertion replaces the row of its key; a retraction removes it, whatever stands in its other columns. Work is
//! proportional to the rows that come in.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result, Watermark};
use tidemill_plan::op::{NormalizeOp, OnError};

use super::out::{NEW, OLD, Out, Times};
use super::{never_there, reject};
use crate::event_time::micros;
use crate::expression::conform;
use crate::operator::{Cx, Operator, StateSize};
use crate::operators::incoming::Incoming;
use crate::operators::keyed_states::{KeyDictionary, LatestRows};
use crate::operators::updating_aggregate::changes::unchanged;

const NONE: u32 = u32::MAX;

/// The rows of the keys that come to this worker.
pub(super) struct Keyed {
    schema: SchemaRef,
    key: Vec<usize>,
    event_time: Option<usize>,
    on_error: OnError,
    dictionary: KeyDictionary,
    rows: LatestRows,
    incoming: Incoming,
    /// While working: the place of a key among those of the epoch.
    place: Vec<u32>,
}

/// A key that the epoch touches.
struct Touched {
    group: usize,
    /// Which of the rows that were there before the epoch is its own, if there is one.
    old: Option<usize>,
    /// The row that took the place of the old one, or removed it.
    replaced_by: Option<usize>,
    now: Now,
}

/// The row of a key at some place within the epoch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Now {
    Old,
    New(usize),
    Gone,
}

impl Keyed {
    pub(super) fn new(op: &NormalizeOp, schema: SchemaRef) -> Result<Self> {
        let key_schema = Arc::new(schema.project(&op.key)?);
        Ok(Self {
            key: op.key.clone(),
            event_time: op.event_time,
            on_error: op.on_error,
            dictionary: KeyDictionary::new(key_schema)?,
            rows: LatestRows::new(schema.clone()),
            schema,
            incoming: Incoming::default(),
            place: vec![],
        })
    }

    fn keys(&self, columns: &[ArrayRef]) -> Vec<ArrayRef> {
        self.key.iter().map(|k| Arc::clone(&columns[*k])).collect()
    }

    fn times(&self, columns: &[ArrayRef]) -> Result<Times> {
        Ok(Times(self.event_time.filter(|_| !columns.is_empty()).map(|t| micros(&columns[t])).transpose()?))
    }

    fn absorb(&mut self, cx: &mut Cx) -> Result<()> {
        let Some(delta) = self.incoming.take()? else { return Ok(()) };
        let new = delta.batch.columns().to_vec();
        let mut ids = vec![];
        self.dictionary.intern(&self.keys(&new), delta.num_rows(), &mut ids)?;
        self.place.resize(self.dictionary.size().max(self.place.len()), NONE);
        let new_times = self.times(&new)?;
        let watermark = |row: usize| delta.split_watermark.as_ref().filter(|w| w.is_valid(row)).map(|w| w.value(row));

        let (mut touched, mut old_groups, mut rejected, mut out) = (vec![], vec![], vec![], Out::default());
        for (row, group) in ids.into_iter().enumerate() {
            let place = &mut self.place[group];
            if *place == NONE {
                *place = touched.len() as u32;
                let old = self.rows.has(group).then_some(old_groups.len());
                old_groups.extend(old.map(|_| group));
                let now = if old.is_some() { Now::Old } else { Now::Gone };
                touched.push(Touched { group, old, replaced_by: None, now });
            }
            let key: &mut Touched = &mut touched[*place as usize];
            let inserts = delta.weights.as_ref().is_none_or(|w| w.value(row) > 0);
            match key.now {
                Now::Gone if !inserts => {
                    rejected.push(row as u32);
                    continue;
                }
                Now::Old => key.replaced_by = Some(row),
                Now::New(before) => {
                    // It was there for a while, and is late where it is taken back: windows are to see both.
                    if let Some(below) = new_times.below(before, watermark(row)) {
                        out.push(NEW, before, 1, new_times.below(before, watermark(before)));
                        out.push(NEW, before, -1, Some(below));
                    }
                }
                Now::Gone => {}
            }
            key.now = if inserts { Now::New(row) } else { Now::Gone };
        }
        touched.iter().for_each(|t| self.place[t.group] = NONE);

        let old = self.rows.gather(0..self.schema.fields().len(), &old_groups)?;
        let same = self.same(&touched, &old, &new)?;
        let old_times = if old_groups.is_empty() { Times(None) } else { self.times(&old)? };
        let (mut put, mut put_rows) = (vec![], vec![]);
        for (i, key) in touched.iter().enumerate() {
            let last = match key.now {
                Now::New(row) => Some(row),
                Now::Old | Now::Gone => None,
            };
            let below_old = match (key.old, key.replaced_by) {
                (Some(old), Some(by)) => old_times.below(old, watermark(by)),
                _ => None,
            };
            let below_new = last.and_then(|row| new_times.below(row, watermark(row)));
            let judged_alike = key.replaced_by == last || (below_old.is_none() && below_new.is_none());
            if same[i] && judged_alike {
                continue;
            }
            if let (Some(old), Some(_)) = (key.old, key.replaced_by) {
                out.push(OLD, old, -1, below_old);
            }
            match last {
                Some(row) => {
                    out.push(NEW, row, 1, below_new);
                    put.push(key.group);
                    put_rows.push(row as u32);
                }
                None if key.now == Now::Gone => self.rows.remove(key.group),
                None => {}
            }
        }
        reject(rejected, &delta.batch, never_there(&self.schema, &self.key), self.on_error, cx)?;
        out.emit(&self.schema, &old, &new, cx)?;
        let kept = take_arrays(&new, &UInt32Array::from(put_rows), None)?;
        self.rows.put(&put, conform(&self.schema, kept, put.len())?)?;
        self.forget()
    }

    /// For each key, whether its last row is the one that was there before.
    fn same(&self, touched: &[Touched], old: &[ArrayRef], new: &[ArrayRef]) -> Result<Vec<bool>> {
        let mut same = vec![false; touched.len()];
        let (mut which, mut olds, mut news) = (vec![], vec![], vec![]);
        for (i, key) in touched.iter().enumerate() {
            match (key.old, key.now) {
                (Some(old), Now::New(new)) => {
                    which.push(i);
                    olds.push(old as u32);
                    news.push(new as u32);
                }
                (None, Now::Gone) => same[i] = true,
                _ => {}
            }
        }
        if which.is_empty() {
            return Ok(same);
        }
        let old = take_arrays(old, &UInt32Array::from(olds), None)?;
        let new = take_arrays(new, &UInt32Array::from(news), None)?;
        let equal = unchanged(&old, &new, which.len())?;
        for (place, i) in which.into_iter().enumerate() {
            same[i] = equal.value(place);
        }
        Ok(same)
    }

    /// Lets go of the keys that no longer have a row.
    fn forget(&mut self) -> Result<()> {
        if !self.dictionary.wasteful(self.rows.live()) {
            return Ok(());
        }
        let live: Vec<usize> = (0..self.dictionary.size()).filter(|g| self.rows.has(*g)).collect();
        self.dictionary.retain(&live)?;
        self.place = vec![];
        self.rows.renumber(&live)
    }
}

impl Operator for Keyed {
    fn push(&mut self, _port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        self.incoming.push(delta);
        Ok(())
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        self.absorb(cx)?;
        Ok(watermark)
    }

    fn state(&self) -> StateSize {
        StateSize { rows: self.rows.live(), bytes: self.rows.bytes() + self.dictionary.bytes(), oldest: None }
    }
}
