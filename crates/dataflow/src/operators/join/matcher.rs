//! From pairs of rows to output rows: the condition beside the keys, and the columns.
//!
//! Pairs come in chunks, so that a product of two large sides is never one batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::filter;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::utils::collect_columns;
use tidemill_core::{Delta, Result};
use tidemill_plan::op::Expr;

use super::side::Side;
use crate::expression::{conform, data_error, evaluate};

/// So many pairs are looked at together.
pub const CHUNK: usize = 16_384;

/// Pairs of slots, and what of their columns is at hand already.
#[derive(Debug, Default)]
pub struct Pairs {
    /// The slots on the left and on the right.
    pub slots: [Vec<u32>; 2],
    /// Columns that the condition has read: side, column, values.
    known: Vec<(usize, usize, ArrayRef)>,
}

impl Pairs {
    /// Adds the pair of `own` slot on `side` and `other` on the other side.
    #[inline]
    pub fn push(&mut self, side: usize, own: u32, other: u32) {
        self.slots[side].push(own);
        self.slots[1 - side].push(other);
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.slots[0].len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots[0].is_empty()
    }

    /// None left.
    pub fn clear(&mut self) {
        self.slots.iter_mut().for_each(Vec::clear);
        self.known.clear();
    }

    /// Leaves the pairs for which `keep` is true.
    pub fn retain(&mut self, keep: &BooleanArray) -> Result<()> {
        if keep.true_count() == self.len() {
            return Ok(());
        }
        for slots in &mut self.slots {
            let mut row = 0;
            slots.retain(|_| {
                row += 1;
                keep.value(row - 1)
            });
        }
        for (_, _, values) in &mut self.known {
            *values = filter(values, keep)?;
        }
        Ok(())
    }
}

/// Decides on pairs and makes rows of them.
pub struct Matcher {
    output: SchemaRef,
    condition: Option<Condition>,
}

/// The condition beside the keys, over the columns that it reads and no others.
struct Condition {
    expr: Expr,
    schema: SchemaRef,
    columns: [Vec<usize>; 2],
}

impl Matcher {
    /// Of a join of sides with these columns. `residual` is over both, one after the other.
    pub fn new(residual: Option<&Expr>, sides: [&SchemaRef; 2], output: SchemaRef) -> Result<Self> {
        let condition = residual.map(|e| Condition::new(e, sides)).transpose()?;
        Ok(Self { output, condition })
    }

    /// Whether there is a condition beside the keys.
    pub fn has_condition(&self) -> bool {
        self.condition.is_some()
    }

    /// Leaves the pairs that meet the condition.
    pub fn meet(&self, sides: &mut [Side; 2], pairs: &mut Pairs) -> Result<()> {
        let Some(condition) = &self.condition else { return Ok(()) };
        let mut columns = vec![];
        for (side, wanted) in condition.columns.iter().enumerate() {
            let values = sides[side].gather(wanted.iter().copied(), &pairs.slots[side])?;
            pairs.known.extend(wanted.iter().zip(&values).map(|(c, v)| (side, *c, Arc::clone(v))));
            columns.extend(values);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(pairs.len()));
        let rows = RecordBatch::try_new_with_options(condition.schema.clone(), columns, &options)?;
        let met = evaluate(&condition.expr, &rows)?;
        let met = met.as_any().downcast_ref::<BooleanArray>();
        let Some(met) = met else { return Err(tidemill_core::Error::internal("a join's condition is no boolean")) };
        match met.nulls().filter(|n| n.null_count() > 0) {
            None => pairs.retain(met),
            // Neither false nor NULL.
            Some(nulls) => pairs.retain(&BooleanArray::new(met.values() & nulls.inner(), None)),
        }
    }

    /// The pairs as output rows: the columns of the left side, then those of the right one.
    pub fn rows(&self, sides: &mut [Side; 2], pairs: &Pairs, weights: Option<Int64Array>) -> Result<Delta> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.output.fields().len());
        for (side, slots) in pairs.slots.iter().enumerate() {
            let known = |c: usize| pairs.known.iter().find(|(s, k, _)| *s == side && *k == c).map(|(_, _, v)| v);
            let missing: Vec<usize> = (0..sides[side].width()).filter(|c| known(*c).is_none()).collect();
            let mut gathered = sides[side].gather(missing, slots)?.into_iter();
            for column in 0..sides[side].width() {
                match known(column) {
                    Some(values) => columns.push(Arc::clone(values)),
                    None => columns.extend(gathered.next()),
                }
            }
        }
        self.delta(columns, pairs.len(), weights)
    }

    /// Rows of one side. In an outer join NULLs stand for the other side.
    pub fn lone(&self, side: usize, columns: Vec<ArrayRef>, rows: usize, weights: Option<Int64Array>) -> Result<Delta> {
        let all = self.output.fields();
        let null = |from: usize, to: usize| all[from..to].iter().map(move |f| new_null_array(f.data_type(), rows));
        let missing = all.len() - columns.len();
        let columns = match side {
            0 => columns.into_iter().chain(null(all.len() - missing, all.len())).collect(),
            _ => null(0, missing).chain(columns).collect(),
        };
        self.delta(columns, rows, weights)
    }

    /// Output rows as they are.
    pub fn delta(&self, columns: Vec<ArrayRef>, rows: usize, weights: Option<Int64Array>) -> Result<Delta> {
        let batch = conform(&self.output, columns, rows)?;
        Ok(Delta { batch, weights, split_watermark: None })
    }
}

impl Condition {
    fn new(residual: &Expr, sides: [&SchemaRef; 2]) -> Result<Self> {
        let left = sides[0].fields().len();
        let mut read: Vec<usize> = collect_columns(residual).into_iter().map(|c| c.index()).collect();
        read.sort_unstable();
        read.dedup();
        let moved = Arc::clone(residual).transform(|e| {
            Ok(match e.downcast_ref::<Column>() {
                Some(c) => {
                    let at = read.binary_search(&c.index()).unwrap_or_default();
                    Transformed::yes(Arc::new(Column::new(c.name(), at)) as Expr)
                }
                None => Transformed::no(e),
            })
        });
        let field = |c: &usize| if *c < left { sides[0].field(*c) } else { sides[1].field(*c - left) };
        let schema = Arc::new(Schema::new(read.iter().map(|c| field(c).clone()).collect::<Vec<_>>()));
        let (of_left, of_right): (Vec<usize>, Vec<usize>) = read.iter().partition(|c| **c < left);
        let columns = [of_left, of_right.into_iter().map(|c| c - left).collect()];
        Ok(Self { expr: moved.map_err(data_error)?.data, schema, columns })
    }
}
