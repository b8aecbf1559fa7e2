//! For a sink with a `PRIMARY KEY` that the query does not prove to be one: the live rows of each key, and which of them is
//! written.
//!
//! Two rows of a result may then live under one key. The greatest of them is written, column by column in the order of the
//! table, NULLs first: that does not depend on which came first, nor on how the input was cut. When it goes, the next is.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};
use tidemill_core::{Delta, Result};

use crate::expression::conform;
use crate::operator::{Cx, Operator, StateSize};

/// The live rows of the keys that come to this worker.
pub(super) struct Greatest {
    schema: SchemaRef,
    key: Vec<usize>,
    keys: RowConverter,
    rows: RowConverter,
    live: HashMap<OwnedRow, Rows>,
    count: usize,
    bytes: usize,
    incoming: Vec<Delta>,
}

/// The rows of a key, each with how often it is there. In the order of the columns.
type Rows = BTreeMap<OwnedRow, i64>;

impl Greatest {
    pub(super) fn new(key: &[usize], schema: SchemaRef) -> Result<Self> {
        let sort = |columns: &[usize]| {
            RowConverter::new(columns.iter().map(|c| SortField::new(schema.field(*c).data_type().clone())).collect())
        };
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        Ok(Self {
            keys: sort(key)?,
            rows: sort(&all)?,
            key: key.to_vec(),
            schema,
            live: HashMap::new(),
            count: 0,
            bytes: 0,
            incoming: vec![],
        })
    }

    /// Takes in a delta. `before` remembers the greatest row of each key that it is the first to touch.
    fn take(
        &mut self,
        delta: &Delta,
        before: &mut Vec<(OwnedRow, Option<OwnedRow>)>,
        seen: &mut HashSet<OwnedRow>,
    ) -> Result<()> {
        let key: Vec<_> = self.key.iter().map(|k| delta.batch.column(*k).clone()).collect();
        let keys = self.keys.convert_columns(&key)?;
        let rows = self.rows.convert_columns(delta.batch.columns())?;
        for (i, (key, row)) in keys.iter().zip(rows.iter()).enumerate() {
            let (key, row) = (key.owned(), row.owned());
            let size = size_of_val(row.as_ref());
            let live = self.live.entry(key.clone()).or_default();
            if seen.insert(key.clone()) {
                before.push((key, live.last_key_value().map(|(row, _)| row.clone())));
            }
            let weight = delta.weights.as_ref().map_or(1, |w| w.value(i));
            match live.entry(row) {
                Entry::Vacant(new) => {
                    new.insert(weight);
                    self.count += 1;
                    self.bytes += size;
                }
                Entry::Occupied(mut known) => {
                    *known.get_mut() += weight;
                    if *known.get() == 0 {
                        known.remove();
                        self.count -= 1;
                        self.bytes -= size;
                    }
                }
            }
        }
        Ok(())
    }

    fn put_out(&mut self, cx: &mut Cx) -> Result<()> {
        let incoming = std::mem::take(&mut self.incoming);
        let (mut before, mut seen) = (vec![], HashSet::new());
        for delta in &incoming {
            self.take(delta, &mut before, &mut seen)?;
        }
        let (mut gone, mut new) = (vec![], vec![]);
        for (key, before) in before {
            let after = self.live.get(&key).and_then(|rows| rows.last_key_value()).map(|(row, _)| row.clone());
            if self.live.get(&key).is_some_and(BTreeMap::is_empty) {
                self.live.remove(&key);
            }
            match (before, after) {
                (before, Some(after)) if before.as_ref() != Some(&after) => new.push(after),
                (Some(before), None) => gone.push(before),
                _ => {}
            }
        }
        let gone = self.batch(&gone)?;
        if gone.num_rows() > 0 {
            let weights = Int64Array::from_value(-1, gone.num_rows());
            cx.emit(Delta::weighted(gone, weights));
        }
        cx.emit(Delta::insert(self.batch(&new)?));
        Ok(())
    }

    fn batch(&self, rows: &[OwnedRow]) -> Result<RecordBatch> {
        if rows.is_empty() {
            return Ok(RecordBatch::new_empty(self.schema.clone()));
        }
        let columns = self.rows.convert_rows(rows.iter().map(OwnedRow::row))?;
        conform(&self.schema, columns, rows.len())
    }
}

impl Operator for Greatest {
    fn push(&mut self, _port: usize, delta: Delta, _cx: &mut Cx) -> Result<()> {
        if !delta.is_empty() {
            self.incoming.push(delta);
        }
        Ok(())
    }

    fn end_epoch(&mut self, cx: &mut Cx) -> Result<()> {
        self.put_out(cx)
    }

    fn state(&self) -> StateSize {
        StateSize { rows: self.count, bytes: self.bytes, oldest: None }
    }
}
