//! Records of changes into rows with weights, over the decoder of `json`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, StructArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::interleave;
use arrow::compute::kernels::cmp::not_distinct;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use bytes::Bytes;
use tidemill_core::format::{Decoded, Decoder, Origin};
use tidemill_core::source::RawRows;
use tidemill_core::{Error, Position, RejectedRow, Result};

use crate::formats::json::decode::{JsonDecoder, Keep, Rules};

/// Decodes the changes of one table.
pub(super) struct DebeziumDecoder {
    /// The wanted columns, in their order; where a key tells rows apart, all others may be NULL.
    schema: SchemaRef,
    records: JsonDecoder,
    envelope: bool,
    keyed: bool,
    /// Where the key stands among the wanted columns; `None` where it is not all there.
    key: Option<Vec<usize>>,
}

const BEFORE: usize = 0;
const AFTER: usize = 1;

impl DebeziumDecoder {
    pub(super) fn new(
        schema: &SchemaRef,
        key: &[usize],
        projection: &[usize],
        envelope: bool,
        rules: Rules,
    ) -> Result<Self> {
        let keyed = !key.is_empty();
        // A deletion may know no more than the key of what it deletes.
        let known = |(i, f): (usize, &FieldRef)| match keyed && !key.contains(&i) {
            true => Arc::new(f.as_ref().clone().with_nullable(true)),
            false => f.clone(),
        };
        let before: Fields = schema.fields().iter().enumerate().map(known).collect();
        let wanted = Keep::Fields(
            (0..schema.fields().len()).map(|i| if projection.contains(&i) { Keep::All } else { Keep::None }).collect(),
        );
        let change = Fields::from(vec![
            Field::new("before", DataType::Struct(before.clone()), true),
            Field::new("after", DataType::Struct(schema.fields().clone()), true),
            Field::new("op", DataType::Utf8, true),
        ]);
        let keep = vec![wanted.clone(), wanted, Keep::All];
        let records = match envelope {
            false => JsonDecoder::keeping(&Arc::new(Schema::new(change)), &keep, rules)?,
            true => {
                let payload = Field::new("payload", DataType::Struct(change), true);
                JsonDecoder::keeping(&Arc::new(Schema::new(vec![payload])), &[Keep::Fields(keep)], rules)?
            }
        };
        let columns = projection.iter().map(|i| before[*i].clone()).collect::<Vec<_>>();
        let place = |k: &usize| projection.iter().position(|p| p == k);
        let key = if keyed { key.iter().map(place).collect() } else { None };
        Ok(Self { schema: Arc::new(Schema::new(columns)), records: records.skipping_null(), envelope, keyed, key })
    }

    /// The rows that a record takes back and inserts: `before` or `after` of it, with their weights. In a table with a key the
    /// row after an update takes the place of the one before, where both have the `same` key.
    fn change(
        &self,
        op: Option<&str>,
        has: [bool; 2],
        same: bool,
        mut row: impl FnMut(usize, i64),
    ) -> Result<(), String> {
        let needs = |side: usize, why: &str| match has[side] {
            true => Ok(()),
            false => Err(format!("field '{}' is NULL, and {why}", ["before", "after"][side])),
        };
        match op {
            Some("c" | "r") => {
                needs(AFTER, "the record inserts it")?;
                row(AFTER, 1);
            }
            Some("u") => {
                needs(AFTER, "the record inserts it")?;
                if !self.keyed {
                    needs(BEFORE, "the table has no PRIMARY KEY by which the updated row could be found")?;
                }
                if has[BEFORE] && !same {
                    row(BEFORE, -1);
                }
                row(AFTER, 1);
            }
            Some("d") => {
                needs(BEFORE, "the record takes it back")?;
                row(BEFORE, -1);
            }
            Some(other) => return Err(format!("field 'op': '{other}' is none of 'c', 'r', 'u', 'd'")),
            None => return Err("field 'op' is missing: the record does not say what it does".into()),
        }
        Ok(())
    }
}

impl Decoder for DebeziumDecoder {
    fn decode(&mut self, block: &Bytes, origin: &Origin) -> Result<Decoded> {
        let Decoded { batch, mut rejected, raw, .. } = self.records.decode(block, origin)?;
        let (columns, payload) = match self.envelope {
            false => (batch.columns().to_vec(), None),
            true => (batch.column(0).as_struct().columns().to_vec(), Some(batch.column(0).clone())),
        };
        let [before, after, op] = &columns[..] else {
            return Err(Error::internal("a change without its three parts"));
        };
        let ops = op.as_string::<i32>();
        let mut picks: Vec<(usize, usize)> = Vec::with_capacity(batch.num_rows());
        let (mut weights, mut of) = (vec![], vec![]);
        let same = self.same_key(before.as_struct(), after.as_struct());
        for record in 0..batch.num_rows() {
            if payload.as_ref().is_some_and(|p| p.is_null(record)) {
                continue;
            }
            let op = ops.is_valid(record).then(|| ops.value(record));
            let same = same.as_ref().is_some_and(|s| s.value(record));
            let change = self.change(op, [before.is_valid(record), after.is_valid(record)], same, |side, weight| {
                picks.push((side, record));
                weights.push(weight);
                of.push(record as u32);
            });
            if let Err(reason) = change {
                let (raw, position) = raw.record(record);
                rejected.push(RejectedRow { raw, position, reason });
            }
        }
        let batch = self.rows(before.as_struct(), after.as_struct(), &picks)?;
        Ok(Decoded { batch, weights: Some(Int64Array::from(weights)), rejected, raw: Arc::new(Changes { raw, of }) })
    }
}

impl DebeziumDecoder {
    /// The records whose key is the same before and after; `None` where that cannot be told.
    fn same_key(&self, before: &StructArray, after: &StructArray) -> Option<BooleanBuffer> {
        let key = self.key.as_ref()?.iter();
        let mut same = key.map(|k| not_distinct(before.column(*k), after.column(*k)).ok());
        let first = same.next()??.values().clone();
        same.try_fold(first, |all, one| Some(&all & one?.values()))
    }

    fn rows(&self, before: &StructArray, after: &StructArray, picks: &[(usize, usize)]) -> Result<RecordBatch> {
        // The decoder keeps fields in the order of the table, and so does a projection: it is ascending.
        let columns = before.columns().iter().zip(after.columns());
        let columns: Vec<ArrayRef> =
            columns.map(|(b, a)| Ok(interleave(&[b.as_ref(), a.as_ref()], picks)?)).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(picks.len()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

/// The record behind each change.
#[derive(Debug)]
struct Changes {
    raw: Arc<dyn RawRows>,
    of: Vec<u32>,
}

impl RawRows for Changes {
    fn record(&self, row: usize) -> (Bytes, Position) {
        self.raw.record(self.of[row] as usize)
    }
}
