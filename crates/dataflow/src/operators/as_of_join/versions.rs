//! The right side of a settled join: for each key its rows in the order of time, of which only those are kept that a left
//! row to come may still ask for.

use std::collections::VecDeque;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, SortField};
use tidemill_core::time::to_micros;
use tidemill_core::{Micros, Result, Watermark};
use tidemill_plan::op::{AsOfJoinOp, AsOfMatch};

use crate::operators::keyed_states::{Deadlines, KeyDictionary, RowRef, Segments};

/// Time is looked at in steps of this: how fine the deadlines of versions are cut.
const STRIDE: Micros = 1_000_000;

/// The versions of all keys.
pub(super) struct Versions {
    matching: AsOfMatch,
    schema: SchemaRef,
    keys: Vec<usize>,
    time: DataType,
    /// The column that says that a version is the end of the one before and has none of its own.
    gone: Option<usize>,
    dictionary: KeyDictionary,
    rows: Segments,
    /// By the number of the key: ascending, each time once.
    of_key: Vec<VecDeque<Version>>,
    /// How many keys have a version.
    live: usize,
    /// Keys to look at once the watermark has passed the time of a version: what is before it may go.
    passed: Deadlines,
    order: RowConverter,
    ids: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Version {
    time: i64,
    row: RowRef,
    gone: bool,
}

/// A key whose versions came out of order.
struct Unsorted {
    key: usize,
    /// So many were in order before.
    sorted: usize,
    least: i64,
}

impl Versions {
    /// None yet, of the right rows of `op`, which have the columns of `schema`.
    pub(super) fn new(op: &AsOfJoinOp, schema: &SchemaRef) -> Result<Self> {
        let keys: Vec<usize> = op.keys.iter().map(|(_, r)| *r).collect();
        let fields = schema.fields().iter().map(|f| SortField::new(f.data_type().clone()));
        Ok(Self {
            matching: op.matching,
            gone: op.gone,
            schema: schema.clone(),
            dictionary: KeyDictionary::new(schema.project(&keys)?.into())?,
            keys,
            time: schema.field(op.times.1).data_type().clone(),
            rows: Segments::new(schema.clone()),
            of_key: vec![],
            live: 0,
            passed: Deadlines::new(STRIDE),
            order: RowConverter::new(fields.collect())?,
            ids: vec![],
        })
    }

    /// The microseconds of a time, by which watermarks are compared; rounded down.
    pub(super) fn micros(&self, time: i64) -> Micros {
        match self.time {
            DataType::Timestamp(unit, _) => to_micros(time, unit),
            // There is no watermark over other types but the end.
            _ => time,
        }
    }

    /// Takes in rows, each with its time; neither that nor a key is NULL.
    pub(super) fn insert(&mut self, rows: RecordBatch, times: &Int64Array) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let keys: Vec<ArrayRef> = self.keys.iter().map(|c| rows.column(*c).clone()).collect();
        let mut ids = std::mem::take(&mut self.ids);
        self.dictionary.intern(&keys, rows.num_rows(), &mut ids)?;
        self.of_key.resize_with(self.dictionary.size(), VecDeque::new);
        let gone = self.gone.map(|c| rows.column(c).as_boolean().clone());
        let segment = self.rows.push(rows)?;
        let mut unsorted: Vec<Unsorted> = vec![];
        // By key: its place in `unsorted`, one further.
        let mut place: std::collections::HashMap<usize, usize> = std::collections::HashMap::new();
        for (row, (key, time)) in ids.iter().zip(times.values()).enumerate() {
            let versions = &mut self.of_key[*key];
            self.live += usize::from(versions.is_empty());
            if versions.back().is_some_and(|last| last.time >= *time) {
                let at = *place.entry(*key).or_insert(unsorted.len());
                if at == unsorted.len() {
                    unsorted.push(Unsorted { key: *key, sorted: versions.len(), least: *time });
                }
                unsorted[at].least = unsorted[at].least.min(*time);
            }
            let gone = gone.as_ref().is_some_and(|g| g.value(row));
            versions.push_back(Version { time: *time, row: RowRef { segment, row: row as u32 }, gone });
            self.passed.push(self.micros(*time).saturating_add(1), *key as u32);
        }
        self.ids = ids;
        self.sort(unsorted)?;
        self.compact()
    }

    /// Puts versions in order, and of those of one time leaves the one that fits best.
    fn sort(&mut self, unsorted: Vec<Unsorted>) -> Result<()> {
        let mut tied = vec![];
        let mut from = vec![];
        for u in &unsorted {
            let versions = self.of_key[u.key].make_contiguous();
            let first = versions[..u.sorted].partition_point(|v| v.time < u.least);
            versions[first..].sort_by_key(|v| v.time);
            for run in versions[first..].chunk_by(|a, b| a.time == b.time).filter(|run| run.len() > 1) {
                tied.extend(run.iter().map(|v| v.row));
            }
            from.push(first);
        }
        if tied.is_empty() {
            return Ok(());
        }
        let columns = self.rows.gather(0..self.schema.fields().len(), &tied)?;
        let order = self.order.convert_columns(&columns)?;
        let mut next = 0;
        for (u, first) in unsorted.iter().zip(from) {
            let tail = self.of_key[u.key].split_off(first);
            let tail = Vec::from(tail);
            for run in tail.chunk_by(|a, b| a.time == b.time) {
                let mut best = 0;
                if run.len() > 1 {
                    for i in 1..run.len() {
                        let better = match self.matching.looks_back() {
                            true => order.row(next + i) > order.row(next + best),
                            false => order.row(next + i) < order.row(next + best),
                        };
                        best = if better { i } else { best };
                    }
                    next += run.len();
                }
                let others = (0..run.len()).filter(|i| *i != best);
                others.for_each(|i| self.rows.release(run[i].row));
                self.of_key[u.key].push_back(run[best]);
            }
        }
        Ok(())
    }

    /// For each key and time the version that fits, or [`RowRef::NONE`]. A row that is not `whole` has a NULL key and fits nothing.
    pub(super) fn find(
        &mut self,
        keys: &[ArrayRef],
        times: &Int64Array,
        whole: impl Fn(usize) -> bool,
        found: &mut Vec<RowRef>,
    ) -> Result<()> {
        let mut ids = std::mem::take(&mut self.ids);
        self.dictionary.intern(keys, times.len(), &mut ids)?;
        self.of_key.resize_with(self.dictionary.size(), VecDeque::new);
        found.clear();
        for (row, (key, time)) in ids.iter().zip(times.values()).enumerate() {
            let fits = if whole(row) { self.fitting(&self.of_key[*key], *time) } else { None };
            found.push(fits.map_or(RowRef::NONE, |v| v.row));
        }
        self.ids = ids;
        Ok(())
    }

    fn fitting(&self, versions: &VecDeque<Version>, time: i64) -> Option<Version> {
        let before = match self.matching {
            AsOfMatch::AtOrBefore | AsOfMatch::After => versions.partition_point(|v| v.time <= time),
            AsOfMatch::Before | AsOfMatch::AtOrAfter => versions.partition_point(|v| v.time < time),
        };
        match self.matching.looks_back() {
            true => before.checked_sub(1).map(|i| versions[i]),
            false => versions.get(before).copied(),
        }
    }

    /// The columns of versions that [`find`](Self::find) found.
    pub(super) fn gather(&mut self, rows: &[RowRef]) -> Result<Vec<ArrayRef>> {
        self.rows.gather(0..self.schema.fields().len(), rows)
    }

    /// Lets go of what no left row at or after `watermark` can ask for: of each key everything before its last version below
    /// the watermark. At the end of the input, of everything.
    pub(super) fn expire(&mut self, watermark: Watermark) -> Result<()> {
        if watermark == Watermark::MAX {
            self.rows.clear();
            self.of_key.clear();
            self.passed.clear();
            self.live = 0;
            return self.dictionary.restart(&[], 0);
        }
        let mut due = vec![];
        self.passed.take_due(watermark, &mut due);
        let mut keys: Vec<u32> = due.into_iter().map(|(_, key)| key).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let key = key as usize;
            let below = self.of_key[key].partition_point(|v| self.micros(v.time) < watermark.0);
            // The last one may still be asked for, unless it says that there is none.
            let gone = below > 0 && self.of_key[key][below - 1].gone;
            for version in self.of_key[key].drain(..if gone { below } else { below.saturating_sub(1) }) {
                self.rows.release(version.row);
            }
            self.live -= usize::from(gone && self.of_key[key].is_empty());
        }
        self.compact()
    }

    /// Drops rows that are garbage and keys without a version, where there is more of them than of anything else.
    fn compact(&mut self) -> Result<()> {
        if self.rows.wasteful(self.rows.live()) {
            let live: Vec<RowRef> = self.of_key.iter().flatten().map(|v| v.row).collect();
            let columns = self.gather(&live)?;
            let segment = self.rows.replace(RecordBatch::try_new(self.schema.clone(), columns)?)?;
            for (row, version) in self.of_key.iter_mut().flatten().enumerate() {
                version.row = RowRef { segment, row: row as u32 };
            }
        }
        if self.dictionary.wasteful(self.live) {
            self.of_key.retain(|versions| !versions.is_empty());
            let firsts: Vec<RowRef> = self.of_key.iter().map(|v| v[0].row).collect();
            let keys = self.rows.gather(self.keys.iter().copied(), &firsts)?;
            self.dictionary.restart(&keys, firsts.len())?;
            self.passed.clear();
            for (key, versions) in self.of_key.iter().enumerate() {
                for version in versions {
                    self.passed.push(self.micros(version.time).saturating_add(1), key as u32);
                }
            }
        }
        Ok(())
    }

    /// Forgets keys that were only looked for.
    pub(super) fn forget_strangers(&mut self) -> Result<()> {
        if self.dictionary.wasteful(self.live) { self.compact() } else { Ok(()) }
    }

    /// How many rows are kept.
    pub(super) fn live(&self) -> usize {
        self.rows.live()
    }

    /// About how many bytes are held.
    pub(super) fn bytes(&self) -> usize {
        let index = self.of_key.iter().map(|v| v.capacity() * size_of::<Version>() + size_of_val(v)).sum::<usize>();
        self.rows.bytes() + self.dictionary.bytes() + index
    }
}
