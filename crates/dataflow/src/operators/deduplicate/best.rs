//! The first row of each key by an order, or the last that came.
//!
//! The order of a row is a number of sixteen bytes that compares as its sort columns do. Rows that are equal in it are told
//! apart by all of their columns, which is looked at only where it decides.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, interleave_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use tidemill_core::delta::take_rows;
use tidemill_core::{Delta, Error, Micros, Result, Watermark};
use tidemill_plan::op::{DeduplicateOp, Emit, Keep};

use crate::expression::conform;
use crate::operators::keyed_states::{KeyDictionary, LatestRows};
use crate::operators::top_n::encode::Encoder;
use crate::operators::top_n::pending::head;
use crate::{Cx, Operator, StateSize};

/// No row of this epoch.
const NONE: u32 = u32::MAX;
/// So many rows are put out at once at the end of the input.
const BATCH: usize = 8_192;

/// A key's row.
#[derive(Debug, Clone, Copy)]
struct Place {
    order: u128,
    /// The row among those of this epoch, where one has taken the key over.
    row: u32,
}

/// The rows of this epoch, numbered from one batch to the next.
#[derive(Debug, Default)]
struct Incoming {
    batches: Vec<RecordBatch>,
    /// The number of each batch's first row.
    firsts: Vec<u32>,
    count: u32,
}

impl Incoming {
    fn push(&mut self, batch: RecordBatch) {
        self.firsts.push(self.count);
        self.count += batch.num_rows() as u32;
        self.batches.push(batch);
    }

    /// The rows of these numbers, in that order.
    fn pick(&self, schema: &SchemaRef, rows: &[u32]) -> Result<RecordBatch> {
        let all = rows.len() == self.count as usize && rows.iter().enumerate().all(|(i, row)| i == *row as usize);
        match &self.batches[..] {
            [] => Ok(RecordBatch::new_empty(Arc::clone(schema))),
            [one] if all => Ok(one.clone()),
            [one] => take_rows(one, &UInt32Array::from(rows.to_vec())),
            many if all => Ok(concat_batches(schema, many)?),
            many => {
                let place = |row: &u32| {
                    let batch = self.firsts.partition_point(|first| first <= row) - 1;
                    (batch, (row - self.firsts[batch]) as usize)
                };
                let places: Vec<_> = rows.iter().map(place).collect();
                Ok(interleave_record_batch(&many.iter().collect::<Vec<_>>(), &places)?)
            }
        }
    }
}

/// Keeps one row a key.
pub struct Best {
    schema: SchemaRef,
    keys: Vec<usize>,
    /// `None`: the last that came.
    order: Option<Encoder>,
    emit: Emit,
    dictionary: KeyDictionary,
    places: Vec<Place>,
    rows: LatestRows,
    incoming: Incoming,
    /// Keys that rows of this epoch have taken over, and rows that are equal in the order to the row of their key.
    touched: Vec<usize>,
    ties: Vec<(usize, u32)>,
    emitted_at: Option<Micros>,
    /// To tell rows apart.
    converter: Option<RowConverter>,
    ids: Vec<usize>,
    /// Rows that were looked at beyond their order.
    pub(super) work: usize,
}

impl Best {
    /// Over rows of `schema`.
    pub fn new(op: &DeduplicateOp, schema: SchemaRef) -> Result<Self> {
        let order = match &op.keep {
            Keep::FirstBy(keys) => Some(Encoder::new(&schema, keys)?),
            Keep::LastArrived => None,
            Keep::FirstArrived => return Err(Error::internal("the first row that came is kept by nobody")),
        };
        Ok(Self {
            keys: op.keys.clone(),
            order,
            emit: op.emit,
            dictionary: KeyDictionary::new(Arc::new(schema.project(&op.keys)?))?,
            places: vec![],
            rows: LatestRows::new(Arc::clone(&schema)),
            incoming: Incoming::default(),
            touched: vec![],
            ties: vec![],
            emitted_at: None,
            converter: None,
            ids: vec![],
            schema,
            work: 0,
        })
    }

    fn take_in(&mut self, batch: RecordBatch) -> Result<()> {
        let keys: Vec<ArrayRef> = self.keys.iter().map(|c| Arc::clone(batch.column(*c))).collect();
        let mut ids = std::mem::take(&mut self.ids);
        self.dictionary.intern(&keys, batch.num_rows(), &mut ids)?;
        let orders = self.order.as_ref().map(|order| order.order(&batch)).transpose()?;
        let known = self.places.len();
        self.places.resize(self.dictionary.size().max(known), Place { order: 0, row: NONE });
        for (row, id) in ids.iter().enumerate() {
            let order = orders.as_ref().map_or(0, |o| head(o.get(row)));
            let row = self.incoming.count + row as u32;
            let place = &mut self.places[*id];
            if *id >= known && place.row == NONE {
                *place = Place { order, row };
                self.touched.push(*id);
                continue;
            }
            if orders.is_some() && order >= place.order {
                if order == place.order {
                    self.ties.push((*id, row));
                }
                continue;
            }
            place.order = order;
            if std::mem::replace(&mut place.row, row) == NONE {
                self.touched.push(*id);
            }
        }
        self.ids = ids;
        self.incoming.push(batch);
        Ok(())
    }

    /// Of rows that are equal in the order, the first by all of their columns is their key's.
    fn settle_ties(&mut self) -> Result<()> {
        let mut ties = std::mem::take(&mut self.ties);
        if ties.is_empty() {
            return Ok(());
        }
        let converter = match self.converter.take() {
            Some(converter) => converter,
            None => {
                let fields = self.schema.fields().iter().map(|f| SortField::new(f.data_type().clone()));
                RowConverter::new(fields.collect())?
            }
        };
        self.work += ties.len();
        // A row that was tied with one that has been beaten since stands behind in the order.
        let pick = |rows: &mut dyn Iterator<Item = u32>| self.incoming.pick(&self.schema, &rows.collect::<Vec<_>>());
        if let Some(order) = &self.order {
            let orders = order.order(&pick(&mut ties.iter().map(|t| t.1))?)?;
            let still = |i: usize| head(orders.get(i)) == self.places[ties[i].0].order;
            let mut kept: Vec<usize> = (0..ties.len()).filter(|i| still(*i)).collect();
            ties = kept.drain(..).map(|i| ties[i]).collect();
        }
        let mut keys: Vec<usize> = ties.iter().map(|t| t.0).collect();
        keys.sort_unstable();
        keys.dedup();
        // What each key has: of this epoch, or kept.
        let (new, old): (Vec<usize>, Vec<usize>) = keys.iter().partition(|k| self.places[**k].row != NONE);
        let has_new = pick(&mut new.iter().map(|k| self.places[*k].row))?;
        let has_old = conform(&self.schema, self.rows.gather(0..self.schema.fields().len(), &old)?, old.len())?;
        let tied = pick(&mut ties.iter().map(|t| t.1))?;
        let (has_new, has_old, tied) = (
            converter.convert_columns(has_new.columns())?,
            converter.convert_columns(has_old.columns())?,
            converter.convert_columns(tied.columns())?,
        );
        let mut best: Vec<_> = new.iter().enumerate().map(|(i, k)| (*k, has_new.row(i), None)).collect();
        best.extend(old.iter().enumerate().map(|(i, k)| (*k, has_old.row(i), None)));
        best.sort_unstable_by_key(|(k, ..)| *k);
        for (i, (key, row)) in ties.iter().enumerate() {
            let at = best.binary_search_by_key(key, |(k, ..)| *k);
            let at = at.map_err(|_| Error::internal("a tied key has no row"))?;
            if tied.row(i) < best[at].1 {
                (best[at].1, best[at].2) = (tied.row(i), Some(*row));
            }
        }
        for (key, _, row) in best {
            let Some(row) = row else { continue };
            if std::mem::replace(&mut self.places[key].row, row) == NONE {
                self.touched.push(key);
            }
        }
        self.converter = Some(converter);
        Ok(())
    }

    /// This epoch's rows become their keys'; what that changes is put out.
    fn absorb(&mut self, cx: &mut Cx) -> Result<()> {
        if self.incoming.batches.is_empty() {
            return Ok(());
        }
        self.settle_ties()?;
        let touched = std::mem::take(&mut self.touched);
        self.work += touched.len();
        let rows: Vec<u32> = touched.iter().map(|k| self.places[*k].row).collect();
        let new = self.incoming.pick(&self.schema, &rows)?;
        if matches!(self.emit, Emit::Changes { .. }) {
            let before: Vec<usize> = touched.iter().copied().filter(|k| self.rows.has(*k)).collect();
            if !before.is_empty() {
                let old = self.rows.gather(0..self.schema.fields().len(), &before)?;
                let weights = Int64Array::from_value(-1, before.len());
                cx.emit(Delta::weighted(conform(&self.schema, old, before.len())?, weights));
            }
            cx.emit(Delta::insert(new.clone()));
        }
        self.rows.put(&touched, new)?;
        touched.iter().for_each(|k| self.places[*k].row = NONE);
        self.incoming = Incoming::default();
        self.emitted_at = Some(cx.now);
        Ok(())
    }

    /// Whether what has come waits.
    fn waits(&self, now: Micros) -> bool {
        match self.emit {
            Emit::Changes { every } => self.emitted_at.is_some_and(|at| now.saturating_sub(at) < every),
            _ => false,
        }
    }

    fn put_out_all(&mut self, cx: &mut Cx) -> Result<()> {
        let all: Vec<usize> = (0..self.places.len()).collect();
        for some in all.chunks(BATCH) {
            let columns = self.rows.gather(0..self.schema.fields().len(), some)?;
            cx.emit(Delta::insert(conform(&self.schema, columns, some.len())?));
        }
        self.rows.clear();
        self.places = vec![];
        self.dictionary.restart(&[], 0)
    }
}

impl Operator for Best {
    fn push(&mut self, _port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        if delta.is_empty() {
            return Ok(());
        }
        self.take_in(delta.batch)
    }

    fn advance(&mut self, watermark: Watermark, cx: &mut Cx) -> Result<Watermark> {
        if !self.waits(cx.now) || watermark == Watermark::MAX {
            self.absorb(cx)?;
        }
        if watermark == Watermark::MAX && self.emit == Emit::AtEnd {
            self.put_out_all(cx)?;
        }
        Ok(watermark)
    }

    fn state(&self) -> StateSize {
        StateSize {
            rows: self.rows.live(),
            bytes: self.rows.bytes() + self.dictionary.bytes() + self.places.capacity() * size_of::<Place>(),
            oldest: None,
        }
    }
}
