//! One side of a join that is updated: its rows in order, as bytes that compare as (keys, time, the rest).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, Rows, SortField};
use tidemill_core::{Delta, Result};

use super::without_nulls;

/// A row as bytes.
pub(super) type Bytes = Arc<[u8]>;

/// One side: what is there, and what the epoch has brought.
pub(super) struct Side {
    /// The columns in the order of the bytes: keys, time, the rest.
    pub(super) columns: Vec<usize>,
    pub(super) keys: usize,
    converter: RowConverter,
    key_converter: RowConverter,
    place_converter: RowConverter,
    pub(super) rows: BTreeMap<Bytes, Kept>,
    bytes: usize,
    incoming: Vec<Incoming>,
    /// Whether rows that fit nothing are kept: only the left side has use for them.
    keeps_unfit: bool,
}

/// A row that is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub(super) weight: i64,
    pub(super) place: Place,
}

/// The bytes at the beginning of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// So many are the keys.
    pub(super) key: u32,
    /// So many are the keys and the time.
    pub(super) time: u32,
    /// Whether neither is NULL.
    pub(super) fits: bool,
}

/// Rows of the epoch.
struct Incoming {
    pub(super) rows: Rows,
    weights: Option<Int64Array>,
    places: Vec<Place>,
}

/// A net change of a row.
pub(super) struct Change {
    pub(super) row: Bytes,
    pub(super) weight: i64,
    pub(super) place: Place,
}

impl Side {
    pub(super) fn new(schema: &SchemaRef, keys: Vec<usize>, time: usize, keeps_unfit: bool) -> Result<Self> {
        let mut columns: Vec<usize> = vec![];
        let rest = 0..schema.fields().len();
        // The time may be a key as well.
        for column in keys.iter().copied().chain([time]).chain(rest) {
            if !columns.contains(&column) || columns.len() < keys.len() + 1 {
                columns.push(column);
            }
        }
        let converter = |columns: &[usize]| {
            RowConverter::new(columns.iter().map(|c| SortField::new(schema.field(*c).data_type().clone())).collect())
        };
        Ok(Self {
            converter: converter(&columns)?,
            key_converter: converter(&columns[..keys.len()])?,
            place_converter: converter(&columns[..keys.len() + 1])?,
            keys: keys.len(),
            columns,
            rows: BTreeMap::new(),
            bytes: 0,
            incoming: vec![],
            keeps_unfit,
        })
    }

    pub(super) fn take_in(&mut self, delta: &Delta) -> Result<()> {
        let columns: Vec<ArrayRef> = self.columns.iter().map(|c| delta.batch.column(*c).clone()).collect();
        let whole = without_nulls(columns[..self.keys + 1].iter());
        let places = self.place_converter.convert_columns(&columns[..self.keys + 1])?;
        let keys = match self.keys {
            0 => None,
            keys => Some(self.key_converter.convert_columns(&columns[..keys])?),
        };
        let place = |row: usize| Place {
            key: keys.as_ref().map_or(0, |k| k.row(row).as_ref().len() as u32),
            time: places.row(row).as_ref().len() as u32,
            fits: whole.as_ref().is_none_or(|w| w.value(row)),
        };
        let places = (0..delta.num_rows()).map(place).collect();
        let rows = self.converter.convert_columns(&columns)?;
        self.incoming.push(Incoming { rows, weights: delta.weights.clone(), places });
        Ok(())
    }

    /// What the epoch has brought, each row once and in order.
    pub(super) fn changes(&mut self) -> Vec<Change> {
        let incoming = std::mem::take(&mut self.incoming);
        let mut order: Vec<(u32, u32)> = vec![];
        for (part, rows) in incoming.iter().enumerate() {
            let wanted = |row: &usize| rows.places[*row].fits || self.keeps_unfit;
            order.extend((0..rows.places.len()).filter(wanted).map(|row| (part as u32, row as u32)));
        }
        let bytes = |at: &(u32, u32)| incoming[at.0 as usize].rows.row(at.1 as usize);
        order.sort_unstable_by(|a, b| bytes(a).cmp(&bytes(b)));
        let mut changes = vec![];
        for run in order.chunk_by(|a, b| bytes(a) == bytes(b)) {
            let weight =
                |at: &(u32, u32)| incoming[at.0 as usize].weights.as_ref().map_or(1, |w| w.value(at.1 as usize));
            let weight: i64 = run.iter().map(weight).sum();
            if weight != 0 {
                let place = incoming[run[0].0 as usize].places[run[0].1 as usize];
                changes.push(Change { row: bytes(&run[0]).as_ref().into(), weight, place });
            }
        }
        changes
    }

    pub(super) fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            let size = change.row.len();
            match self.rows.entry(change.row) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(Kept { weight: change.weight, place: change.place });
                    self.bytes += size;
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    entry.get_mut().weight += change.weight;
                    if entry.get().weight == 0 {
                        entry.remove();
                        self.bytes -= size;
                    }
                }
            }
        }
    }

    /// The last row below `end`, or of all.
    pub(super) fn last_before(&self, end: Option<&[u8]>) -> Option<&Bytes> {
        let end = end.map_or(Bound::Unbounded, Bound::Excluded);
        self.there(self.rows.range::<[u8], _>((Bound::Unbounded, end)).rev())
    }

    /// The first row at or after `from`; none where that is beyond all.
    pub(super) fn first_from(&self, from: Option<&[u8]>) -> Option<&Bytes> {
        self.there(self.rows.range::<[u8], _>((Bound::Included(from?), Bound::Unbounded)))
    }

    /// The first that is there: what was retracted more often than inserted is not.
    pub(super) fn there<'a>(&self, mut rows: impl Iterator<Item = (&'a Bytes, &'a Kept)>) -> Option<&'a Bytes> {
        rows.find(|(_, kept)| kept.weight > 0).map(|(row, _)| row)
    }

    /// The columns of rows, in the order of the input.
    pub(super) fn decode(&self, rows: &[&Bytes]) -> Result<Vec<ArrayRef>> {
        let parser = self.converter.parser();
        let decoded = self.converter.convert_rows(rows.iter().map(|r| parser.parse(r)))?;
        let count = self.columns.iter().max().map_or(0, |last| last + 1);
        let at = |column: usize| self.columns.iter().position(|c| *c == column).expect("each column has its bytes");
        Ok((0..count).map(|column| decoded[at(column)].clone()).collect())
    }

    pub(super) fn size(&self) -> usize {
        // A tree's nodes are two thirds full, about; before each row stand its counts.
        self.bytes + self.rows.len() * (16 + (size_of::<Bytes>() + size_of::<Kept>()) * 3 / 2)
    }
}
