//! What is put out, row by row as bytes, and as columns in batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, UInt64Array};
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result};
use tidemill_plan::op::RankFunction;

use super::encode::Encoder;
use super::ranking::Numbers;
use crate::Cx;
use crate::expression::conform;

/// So many rows are put out at once.
const BATCH: usize = 8_192;

/// Rows that are to be put out.
pub(crate) struct Output {
    schema: SchemaRef,
    /// The place in [`Numbers`] of each rank column.
    ranks: Vec<usize>,
    /// Whether rows are only ever inserted: then a weight is that many rows.
    append: bool,
    bytes: Vec<u8>,
    /// Where the bytes of each row end.
    ends: Vec<usize>,
    numbers: Vec<Vec<u64>>,
    weights: Vec<i64>,
}

impl Output {
    pub(crate) fn new(schema: SchemaRef, ranks: &[RankFunction], append: bool) -> Self {
        let place = |r: &RankFunction| match r {
            RankFunction::RowNumber => 0,
            RankFunction::Rank => 1,
            RankFunction::DenseRank => 2,
        };
        Self {
            schema,
            ranks: ranks.iter().map(place).collect(),
            append,
            bytes: vec![],
            ends: vec![],
            numbers: vec![vec![]; ranks.len()],
            weights: vec![],
        }
    }

    pub(crate) fn push(&mut self, row: &[u8], numbers: Numbers, weight: i64) {
        let (times, weight) = if self.append { (weight.max(0), 1) } else { (1, weight) };
        for _ in 0..times {
            self.bytes.extend_from_slice(row);
            self.ends.push(self.bytes.len());
            self.weights.push(weight);
            for (column, place) in self.numbers.iter_mut().zip(&self.ranks) {
                column.push(numbers[*place]);
            }
        }
    }

    /// Puts out what there is, if it is enough for a batch.
    pub(crate) fn flush_full(&mut self, encoder: &Encoder, cx: &mut Cx) -> Result<()> {
        if self.weights.len() >= BATCH { self.flush(encoder, cx) } else { Ok(()) }
    }

    /// Puts out what there is.
    pub(crate) fn flush(&mut self, encoder: &Encoder, cx: &mut Cx) -> Result<()> {
        for from in (0..self.weights.len()).step_by(BATCH) {
            let to = (from + BATCH).min(self.weights.len());
            let row = |i: usize| {
                let start = if i == 0 { 0 } else { self.ends[i - 1] };
                &self.bytes[start..self.ends[i]]
            };
            let mut columns = encoder.decode((from..to).map(row))?;
            for numbers in &self.numbers {
                columns.push(Arc::new(UInt64Array::from(numbers[from..to].to_vec())) as ArrayRef);
            }
            let batch = conform(&self.schema, columns, to - from)?;
            let weights = &self.weights[from..to];
            let plain = self.append || weights.iter().all(|w| *w == 1);
            cx.emit(match plain {
                true => Delta::insert(batch),
                false => Delta::weighted(batch, Int64Array::from(weights.to_vec())),
            });
        }
        self.bytes.clear();
        self.ends.clear();
        self.weights.clear();
        self.numbers.iter_mut().for_each(Vec::clear);
        Ok(())
    }
}
