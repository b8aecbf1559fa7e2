//! What functions remember of each partition from one row to the next: accumulators, and the rows that a frame can still
//! reach.
//!
//! A partition's rows come in their order and never again. Work is that of the new rows and of the rows that frames reach.
//! Where all functions look back by time, a pause longer than that begins a partition anew, whenever the watermark comes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat, interleave, take_arrays};
use arrow::datatypes::SchemaRef;
use datafusion_common::ScalarValue;
use datafusion_expr::window_state::PartitionBatchState;
use datafusion_physical_expr::window::{
    PartitionBatches, PartitionKey, PartitionWindowAggStates, WindowEvalContext, WindowState,
};
use tidemill_core::delta::take_rows;
use tidemill_core::{Error, Micros, Result, Watermark};
use tidemill_plan::op::OverOp;

use super::functions::Functions;
use super::habit::Habit;
use crate::expression::data_error;
use crate::operators::keyed_states::{Deadlines, KeyDictionary, LatestRows, RowRef, Segments};

/// The partitions of a worker.
pub struct Running {
    partition_by: Vec<usize>,
    functions: Functions,
    habits: Vec<Habit>,
    reach: Option<Micros>,
    keys: KeyDictionary,
    /// The key of each partition, where partitions are let go.
    names: LatestRows,
    name_schema: SchemaRef,
    partitions: Vec<Partition>,
    /// For each function what it remembers, by [`Partition::state`].
    states: Vec<PartitionWindowAggStates>,
    /// The last number given to a state.
    next_state: u64,
    /// Work columns of the rows that frames can reach.
    kept: Segments,
    deadlines: Deadlines,
    live: usize,
    /// How many rows were looked at so far: what the tests bound the work by.
    pub(super) work: usize,
}

/// One partition.
#[derive(Debug, Clone, Default)]
struct Partition {
    /// The number of its states; `None` where nothing is remembered of it.
    state: Option<u64>,
    /// Rows that a frame can reach, in order.
    kept: Vec<RowRef>,
    /// The time of its last row.
    last: Micros,
    /// Whether it is among the deadlines.
    watched: bool,
}

/// Rows of one partition without a pause: part of what an epoch computes.
struct Run {
    partition: usize,
    state: u64,
    /// The kept rows, which go before the new ones.
    kept: Vec<RowRef>,
    new: usize,
    /// How many of all these rows no frame can reach any more.
    unreachable: usize,
}

impl Run {
    fn len(&self) -> usize {
        self.kept.len() + self.new
    }
}

impl Running {
    /// Of `op`, whose functions are `functions`, over rows of `input`.
    pub fn try_new(op: &OverOp, functions: Functions, input: &SchemaRef, reach: Option<Micros>) -> Result<Self> {
        let names = Arc::new(input.project(&op.partition_by)?);
        let habits = op.functions.iter().zip(functions.exprs()).map(|(f, e)| Habit::of(f, e.as_ref()));
        Ok(Self {
            habits: habits.collect::<Result<_>>()?,
            states: functions.exprs().iter().map(|_| PartitionWindowAggStates::default()).collect(),
            partition_by: op.partition_by.clone(),
            keys: KeyDictionary::new(names.clone())?,
            names: LatestRows::new(names.clone()),
            name_schema: names,
            partitions: vec![],
            next_state: 0,
            kept: Segments::new(functions.work_schema().clone()),
            deadlines: Deadlines::new(reach.unwrap_or(1)),
            reach,
            functions,
            live: 0,
            work: 0,
        })
    }

    /// The values for `rows`, which stand in their order and come after all rows before.
    pub fn values(&mut self, rows: &RecordBatch, times: &Int64Array) -> Result<Vec<ArrayRef>> {
        let columns: Vec<ArrayRef> = self.partition_by.iter().map(|c| rows.column(*c).clone()).collect();
        let mut ids = vec![];
        self.keys.intern(&columns, rows.num_rows(), &mut ids)?;
        self.partitions.resize(self.keys.size().max(self.partitions.len()), Partition::default());
        let mut places: Vec<u32> = (0..rows.num_rows() as u32).collect();
        places.sort_by_key(|p| ids[*p as usize]);
        self.name(&columns, &places, &ids)?;
        let mut runs = self.runs(&places, &ids, times);
        let order = UInt32Array::from(places);
        let new = take_rows(&self.functions.work(rows)?, &order)?;
        let work = self.work_rows(&runs, &new)?;
        let values = self.evaluate(&mut runs, &work)?;
        self.keep(runs, &new)?;
        // Back into the order of the rows.
        let mut back = vec![0u32; order.len()];
        order.values().iter().enumerate().for_each(|(i, p)| back[*p as usize] = i as u32);
        Ok(take_arrays(&values, &UInt32Array::from(back), None)?)
    }

    /// Whether partitions are let go, so that their keys have to be known.
    fn forgets(&self) -> bool {
        self.reach.is_some() && !self.partition_by.is_empty()
    }

    /// Remembers the keys of partitions that are new, where they may go again.
    fn name(&mut self, columns: &[ArrayRef], places: &[u32], ids: &[usize]) -> Result<()> {
        if !self.forgets() {
            return Ok(());
        }
        let firsts = places.chunk_by(|a, b| ids[*a as usize] == ids[*b as usize]).map(|part| part[0]);
        let rows: Vec<u32> = firsts.filter(|row| !self.names.has(ids[*row as usize])).collect();
        let new: Vec<usize> = rows.iter().map(|row| ids[*row as usize]).collect();
        if new.is_empty() {
            return Ok(());
        }
        let keys = take_arrays(columns, &UInt32Array::from(rows), None)?;
        self.names.put(&new, RecordBatch::try_new(self.name_schema.clone(), keys)?)
    }

    /// The runs of new rows, which stand by partition at `places`.
    fn runs(&mut self, places: &[u32], ids: &[usize], times: &Int64Array) -> Vec<Run> {
        let mut runs: Vec<Run> = vec![];
        for part in places.chunk_by(|a, b| ids[*a as usize] == ids[*b as usize]) {
            let id = ids[part[0] as usize];
            let partition = &mut self.partitions[id];
            let mut going = false;
            for place in part {
                let place = *place as usize;
                // Rows without a time are peers of each other, and stand behind all others.
                let time = if times.is_valid(place) { times.value(place) } else { Micros::MAX };
                let pause = self.reach.is_some_and(|reach| time.saturating_sub(partition.last) > reach);
                let state = match partition.state.filter(|_| !pause) {
                    Some(state) => state,
                    None => {
                        match partition.state {
                            // What has a run in this epoch is still to be computed; then it goes, too.
                            Some(_) if going => {}
                            Some(state) => self.states.iter_mut().for_each(|s| drop(s.swap_remove(&key(state)))),
                            None => self.live += 1,
                        }
                        partition.kept.drain(..).for_each(|row| self.kept.release(row));
                        self.next_state += 1;
                        going = false;
                        *partition.state.insert(self.next_state)
                    }
                };
                partition.last = time;
                match runs.last_mut().filter(|_| going) {
                    Some(run) => run.new += 1,
                    None => {
                        let kept = std::mem::take(&mut partition.kept);
                        runs.push(Run { partition: id, state, kept, new: 1, unreachable: 0 });
                        going = true;
                    }
                }
            }
            if let Some(reach) = self.reach
                && !std::mem::replace(&mut partition.watched, true)
            {
                self.deadlines.push(over_at(partition.last, reach), id as u32);
            }
        }
        runs
    }

    /// The work columns of all runs.
    fn work_rows(&mut self, runs: &[Run], new: &RecordBatch) -> Result<RecordBatch> {
        let (mut refs, mut picks, mut next) = (vec![], vec![], 0);
        for run in runs {
            picks.extend((refs.len()..refs.len() + run.kept.len()).map(|i| (0, i)));
            refs.extend(&run.kept);
            picks.extend((next..next + run.new).map(|i| (1, i)));
            next += run.new;
        }
        self.work += picks.len();
        if refs.is_empty() {
            return Ok(new.clone());
        }
        let kept = self.kept.gather(0..new.num_columns(), &refs)?;
        let columns = kept.iter().zip(new.columns());
        let columns =
            columns.map(|(k, n)| Ok(interleave(&[k.as_ref(), n.as_ref()], &picks)?)).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(picks.len()));
        Ok(RecordBatch::try_new_with_options(new.schema(), columns, &options)?)
    }

    /// The values of the new rows, run by run.
    fn evaluate(&mut self, runs: &mut [Run], work: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let mut batches = PartitionBatches::default();
        let mut start = 0;
        for run in runs.iter_mut() {
            let record_batch = work.slice(start, run.len());
            start += run.len();
            run.unreachable = run.len();
            // That it has ended means: what is here is all that the new rows look at.
            batches.insert(key(run.state), PartitionBatchState { record_batch, is_end: true, n_out_row: 0 });
        }
        let mut all = vec![];
        for ((expr, states), habit) in self.functions.exprs().iter().zip(&mut self.states).zip(&self.habits) {
            expr.evaluate_stateful(&batches, states, &WindowEvalContext::default()).map_err(data_error)?;
            let mut parts = Vec::with_capacity(runs.len());
            for (run, batch) in runs.iter_mut().zip(batches.values()) {
                let state = &mut state_of(states, run.state)?.state;
                let values = std::mem::replace(&mut state.out_col, habit.none.clone());
                if values.len() < run.new || state.last_calculated_index != run.len() {
                    return Err(Error::internal(format!("{} waits for rows after its own", expr.name())));
                }
                parts.push(values.slice(values.len() - run.new, run.new));
                let tail = values.len().min(habit.tail);
                if tail > 0 {
                    state.out_col = values.slice(values.len() - tail, tail);
                }
                run.unreachable = run.unreachable.min(match habit.last_value {
                    Some(column) => Habit::last_valid(batch.record_batch.column(column)),
                    None => state.window_frame_range.start,
                });
            }
            let parts: Vec<&dyn Array> = parts.iter().map(|p| p.as_ref()).collect();
            all.push(if parts.is_empty() { habit.none.clone() } else { concat(&parts)? });
        }
        let rows = runs.iter().map(|r| r.new).sum();
        self.functions.conform(all, rows)
    }

    /// Keeps what frames can still reach, and lets go of the rest.
    fn keep(&mut self, runs: Vec<Run>, new: &RecordBatch) -> Result<()> {
        // New rows that stay, and the partition of each.
        let (mut rows, mut owners, mut next) = (vec![], vec![], 0u32);
        for mut run in runs {
            let partition = &mut self.partitions[run.partition];
            let goes_on = partition.state == Some(run.state);
            let gone = if goes_on { run.unreachable } else { run.len() };
            let before = run.kept.len();
            run.kept.drain(..gone.min(run.kept.len())).for_each(|row| self.kept.release(row));
            for states in &mut self.states {
                if !goes_on {
                    states.swap_remove(&key(run.state));
                    continue;
                }
                let state = &mut state_of(states, run.state)?.state;
                let range = &mut state.window_frame_range;
                // A frame without a beginning begins with the first row that is left.
                (range.start, range.end) = (range.start.max(gone), range.end.max(gone));
                state.prune_state(gone);
            }
            let first = next + gone.saturating_sub(before) as u32;
            next += run.new as u32;
            rows.extend(first..next);
            owners.resize(rows.len(), run.partition);
            if goes_on {
                partition.kept = run.kept;
            }
        }
        let segment = self.kept.push(take_rows(new, &UInt32Array::from(rows))?)?;
        for (row, owner) in owners.into_iter().enumerate() {
            self.partitions[owner].kept.push(RowRef { segment, row: row as u32 });
        }
        self.compact()
    }

    /// Drops the garbage among kept rows where it outweighs them.
    fn compact(&mut self) -> Result<()> {
        if !self.kept.wasteful(self.kept.live()) {
            return Ok(());
        }
        let all: Vec<RowRef> = self.partitions.iter().flat_map(|p| &p.kept).copied().collect();
        let columns = self.kept.gather(0..self.functions.work_schema().fields().len(), &all)?;
        let segment = self.kept.replace(RecordBatch::try_new(self.functions.work_schema().clone(), columns)?)?;
        for (row, at) in self.partitions.iter_mut().flat_map(|p| &mut p.kept).enumerate() {
            *at = RowRef { segment, row: row as u32 };
        }
        Ok(())
    }

    /// Lets go of partitions whose rows no later row, which has a time at or after `watermark`, can reach.
    pub fn expire(&mut self, watermark: Watermark) -> Result<()> {
        let Some(reach) = self.reach else { return Ok(()) };
        let mut due = vec![];
        self.deadlines.take_due(watermark, &mut due);
        for (_, id) in due {
            let partition = &mut self.partitions[id as usize];
            let at = over_at(partition.last, reach);
            if at > watermark.0 {
                self.deadlines.push(at, id);
                continue;
            }
            if let Some(state) = partition.state {
                self.states.iter_mut().for_each(|s| drop(s.swap_remove(&key(state))));
            }
            partition.kept.drain(..).for_each(|row| self.kept.release(row));
            *partition = Partition::default();
            self.names.remove(id as usize);
            self.live -= 1;
        }
        if self.forgets() && self.keys.wasteful(self.live) {
            self.renumber(reach)?;
        }
        self.compact()
    }

    /// Forgets the keys of partitions that went.
    fn renumber(&mut self, reach: Micros) -> Result<()> {
        let live: Vec<usize> = (0..self.partitions.len()).filter(|p| self.partitions[*p].state.is_some()).collect();
        let keys = self.names.gather(0..self.partition_by.len(), &live)?;
        self.keys.restart(&keys, live.len())?;
        self.names.renumber(&live)?;
        self.partitions = live.iter().map(|p| std::mem::take(&mut self.partitions[*p])).collect();
        self.deadlines.clear();
        for (id, partition) in self.partitions.iter().enumerate() {
            self.deadlines.push(over_at(partition.last, reach), id as u32);
        }
        Ok(())
    }

    /// How many rows are kept, and how many partitions have accumulators.
    pub fn rows(&self) -> usize {
        self.kept.live() + self.live
    }

    /// About how many bytes are held.
    pub fn bytes(&self) -> usize {
        let states: usize = self.states.iter().map(|s| s.capacity() * size_of::<WindowState>()).sum();
        let lists: usize = self.partitions.iter().map(|p| p.kept.capacity() * size_of::<RowRef>()).sum();
        let partitions = self.partitions.capacity() * size_of::<Partition>();
        self.kept.bytes() + self.keys.bytes() + self.names.bytes() + states + lists + partitions
    }
}

/// The watermark from which on a partition whose last row is at `last` is out of reach.
fn over_at(last: Micros, reach: Micros) -> Micros {
    last.saturating_add(reach).saturating_add(1)
}

fn key(state: u64) -> PartitionKey {
    vec![ScalarValue::UInt64(Some(state))]
}

fn state_of(states: &mut PartitionWindowAggStates, state: u64) -> Result<&mut WindowState> {
    states.get_mut(&key(state)).ok_or_else(|| Error::internal("a partition without the state of its function"))
}
