//! The versions that the rows of a table of changes had, as rows that stay: see [`HistoryOp`].
//!
//! Changes of a key are read in the order in which they came, so that a deletion is of the row that it found. Work is
//! proportional to the rows that come in; what is kept is the row of each key.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{interleave, take_arrays};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use tidemill_core::time::{from_micros, to_micros};
use tidemill_core::{Delta, Error, Result, Watermark};
use tidemill_plan::Node;
use tidemill_plan::history::HistoryOp;

use super::incoming::Incoming;
use super::normalize::{NEW, OLD, never_there, reject};
use crate::changelog::ROW_BEFORE_UPDATE;
use crate::expression::conform;
use crate::graph::{Graph, Routing, StepId};
use crate::operator::{Cx, Operator, StateSize};
use crate::operators::keyed_states::{KeyDictionary, LatestRows};

const NONE: u32 = u32::MAX;

/// Adds the step: changes of a key meet on one worker.
pub fn build(op: &HistoryOp, node: &Node, input: StepId, graph: &mut Graph) -> Result<StepId> {
    let (schema, op) = (node.edge.schema.clone(), op.clone());
    let routing = Routing::ByKey(op.key.clone());
    Ok(graph.add("History", node.id, vec![(input, routing)], move || {
        Ok(Box::new(History::new(&op, schema.clone())?) as Box<dyn Operator>)
    }))
}

/// The rows of the keys that come to this worker.
struct History {
    op: HistoryOp,
    unit: TimeUnit,
    output: SchemaRef,
    /// The columns of the table.
    table: SchemaRef,
    dictionary: KeyDictionary,
    rows: LatestRows,
    /// How many changes there were.
    changes: i64,
    incoming: Incoming,
    /// While working: the place of a key among those of the epoch.
    place: Vec<u32>,
}

/// A key that the epoch touches, and where its row stands: before the epoch, or among the rows that came in.
struct Touched {
    group: usize,
    row: Option<(usize, usize)>,
}

/// What is put out, change by change.
#[derive(Default)]
struct Versions {
    picks: Vec<(usize, usize)>,
    times: Vec<i64>,
    gone: Vec<bool>,
    /// The watermark that a row is below.
    below: Vec<Option<i64>>,
}

impl History {
    fn new(op: &HistoryOp, output: SchemaRef) -> Result<Self> {
        let columns: Vec<usize> = (0..output.fields().len() - 2).collect();
        let table = Arc::new(output.project(&columns)?);
        let DataType::Timestamp(unit, _) = table.field(op.event_time).data_type() else {
            return Err(Error::internal("a history by a column that is no time"));
        };
        Ok(Self {
            op: op.clone(),
            unit: *unit,
            dictionary: KeyDictionary::new(Arc::new(table.project(&op.key)?))?,
            rows: LatestRows::new(Arc::clone(&table)),
            output,
            table,
            changes: 0,
            incoming: Incoming::default(),
            place: vec![],
        })
    }

    fn absorb(&mut self, cx: &mut Cx) -> Result<()> {
        let Some(delta) = self.incoming.take()? else { return Ok(()) };
        let new = delta.batch.columns();
        let keys: Vec<ArrayRef> = self.op.key.iter().map(|k| Arc::clone(&new[*k])).collect();
        let mut ids = vec![];
        self.dictionary.intern(&keys, delta.num_rows(), &mut ids)?;
        self.place.resize(self.dictionary.size().max(self.place.len()), NONE);
        let (mut touched, mut old_groups) = (vec![], vec![]);
        for group in &ids {
            if self.place[*group] == NONE {
                self.place[*group] = touched.len() as u32;
                let row = self.rows.has(*group).then_some((OLD, old_groups.len()));
                old_groups.extend(row.map(|_| *group));
                touched.push(Touched { group: *group, row });
            }
        }
        let old = self.rows.gather(0..self.table.fields().len(), &old_groups)?;
        let (versions, rejected) = self.versions(&delta, &ids, &mut touched, &old)?;
        touched.iter().for_each(|t| self.place[t.group] = NONE);
        reject(rejected, &delta.batch, never_there(&self.table, &self.op.key), self.op.on_error, cx)?;
        self.emit(versions, &old, new, cx)?;
        let (mut put, mut put_rows) = (vec![], vec![]);
        for key in &touched {
            match key.row {
                Some((NEW, row)) => {
                    put.push(key.group);
                    put_rows.push(row as u32);
                }
                Some(_) => {}
                None => self.rows.remove(key.group),
            }
        }
        let kept = take_arrays(new, &UInt32Array::from(put_rows), None)?;
        self.rows.put(&put, conform(&self.table, kept, put.len())?)?;
        self.forget()
    }

    /// The versions that the changes of `delta` make, and those that delete what is not there. `touched` then tells which row of
    /// each key is there.
    fn versions(
        &self,
        delta: &Delta,
        ids: &[usize],
        touched: &mut [Touched],
        old: &[ArrayRef],
    ) -> Result<(Versions, Vec<u32>)> {
        let times = ticks(delta.batch.column(self.op.event_time))?;
        // Without old rows there is no old column either.
        let old_times = old.get(self.op.event_time).map(ticks).transpose()?;
        let watermark = |row: usize| delta.split_watermark.as_ref().filter(|w| w.is_valid(row)).map(|w| w.value(row));
        let (mut versions, mut rejected) = (Versions::default(), vec![]);
        for (row, group) in ids.iter().enumerate() {
            let key = &mut touched[self.place[*group] as usize];
            let weight = delta.weights.as_ref().map_or(1, |w| w.value(row));
            let own = times.is_valid(row).then(|| times.value(row));
            match (weight, key.row) {
                (ROW_BEFORE_UPDATE, _) => {}
                (1.., _) => {
                    let time = own.ok_or_else(|| Error::internal("a row without an event time was taken in"))?;
                    let below = watermark(row).filter(|w| to_micros(time, self.unit) < *w);
                    versions.push((NEW, row), time, false, below);
                    key.row = Some((NEW, row));
                }
                (_, None) => rejected.push(row as u32),
                (_, Some(found)) => {
                    let since = match (found, &old_times) {
                        ((OLD, at), Some(times)) => times.value(at),
                        ((_, at), _) => times.value(at),
                    };
                    let promised = watermark(row).map_or(i64::MIN, |w| not_before(w, self.unit));
                    versions.push(found, own.unwrap_or(i64::MIN).max(since).max(promised), true, None);
                    key.row = None;
                }
            }
        }
        Ok((versions, rejected))
    }

    fn emit(&mut self, versions: Versions, old: &[ArrayRef], new: &[ArrayRef], cx: &mut Cx) -> Result<()> {
        let rows = versions.picks.len();
        if rows == 0 {
            return Ok(());
        }
        let mut columns = Vec::with_capacity(new.len() + 2);
        for (i, new) in new.iter().enumerate() {
            if i == self.op.event_time {
                let times = Int64Array::from(versions.times.clone()).into_data().into_builder();
                columns.push(arrow::array::make_array(times.data_type(new.data_type().clone()).build()?));
                continue;
            }
            let old = old.get(i).map_or_else(|| new.slice(0, 0), ArrayRef::clone);
            columns.push(interleave(&[old.as_ref(), new.as_ref()], &versions.picks)?);
        }
        let order = self.changes..self.changes + rows as i64;
        self.changes = order.end;
        columns.push(Arc::new(Int64Array::from_iter_values(order)));
        columns.push(Arc::new(BooleanArray::from(versions.gone)));
        let batch: RecordBatch = conform(&self.output, columns, rows)?;
        let split_watermark = versions.below.iter().any(Option::is_some).then(|| Int64Array::from(versions.below));
        cx.emit(Delta { split_watermark, ..Delta::insert(batch) });
        Ok(())
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

impl Versions {
    fn push(&mut self, pick: (usize, usize), time: i64, gone: bool, below: Option<i64>) {
        self.picks.push(pick);
        self.times.push(time);
        self.gone.push(gone);
        self.below.push(below);
    }
}

/// A time column as what it counts.
fn ticks(times: &ArrayRef) -> Result<Int64Array> {
    Ok(times.to_data().into_builder().data_type(DataType::Int64).build()?.into())
}

/// The first time that a watermark has not passed, in a unit that may be coarser than its own.
fn not_before(watermark: i64, unit: TimeUnit) -> i64 {
    let ticks = from_micros(watermark, unit);
    if to_micros(ticks, unit) < watermark { ticks.saturating_add(1) } else { ticks }
}

impl Operator for History {
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
