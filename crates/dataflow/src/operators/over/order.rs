//! The order of rows within a partition: `ORDER BY`, and then all columns, so that nothing is left open.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion_physical_expr::PhysicalSortExpr;
use tidemill_core::Result;
use tidemill_core::delta::take_rows;

use crate::aggregate::Groups;
use crate::expression::{data_error, evaluate};

/// How rows are compared.
#[derive(Debug)]
pub struct RowOrder {
    order_by: Vec<PhysicalSortExpr>,
    by_order: RowConverter,
    /// The columns that tell rows apart beyond `ORDER BY`.
    columns: Vec<usize>,
    by_row: RowConverter,
}

/// Rows as they are compared.
#[derive(Debug)]
pub struct SortKeys {
    /// `None` without `ORDER BY`: all rows are peers.
    order: Option<Rows>,
    /// `None` where there is no column.
    row: Option<Rows>,
}

impl RowOrder {
    /// Of rows of `input` by `order_by`.
    pub fn try_new(order_by: &[PhysicalSortExpr], input: &SchemaRef) -> Result<Self> {
        let types = order_by.iter().map(|o| {
            let data_type = o.expr.data_type(input).map_err(data_error)?;
            Ok(SortField::new_with_options(data_type, o.options))
        });
        let types = types.collect::<Result<Vec<_>>>()?;
        let field = |c: usize| SortField::new_with_options(input.field(c).data_type().clone(), SortOptions::default());
        let columns: Vec<usize> =
            (0..input.fields().len()).filter(|c| RowConverter::supports_fields(&[field(*c)])).collect();
        let fields = columns.iter().map(|c| field(*c)).collect();
        Ok(Self {
            order_by: order_by.to_vec(),
            by_order: RowConverter::new(types)?,
            by_row: RowConverter::new(fields)?,
            columns,
        })
    }

    /// `rows` as they are compared.
    pub fn keys(&self, rows: &RecordBatch) -> Result<SortKeys> {
        let columns: Vec<ArrayRef> = self.columns.iter().map(|c| rows.column(*c).clone()).collect();
        let row = if columns.is_empty() { None } else { Some(self.by_row.convert_columns(&columns)?) };
        Ok(SortKeys { row, ..self.order_keys(rows)? })
    }

    /// `rows` as they are compared by `ORDER BY` alone.
    pub fn order_keys(&self, rows: &RecordBatch) -> Result<SortKeys> {
        if self.order_by.is_empty() {
            return Ok(SortKeys { order: None, row: None });
        }
        let columns = self.order_by.iter().map(|o| evaluate(&o.expr, rows)).collect::<Result<Vec<_>>>()?;
        Ok(SortKeys { order: Some(self.by_order.convert_columns(&columns)?), row: None })
    }
}

impl SortKeys {
    /// Row `i` of these against row `j` of `other`.
    pub fn cmp(&self, i: usize, other: &Self, j: usize) -> Ordering {
        self.cmp_order(i, other, j).then_with(|| match (&self.row, &other.row) {
            (Some(a), Some(b)) => a.row(i).cmp(&b.row(j)),
            _ => Ordering::Equal,
        })
    }

    /// As [`cmp`](Self::cmp), by `ORDER BY` alone: peers are equal.
    pub fn cmp_order(&self, i: usize, other: &Self, j: usize) -> Ordering {
        match (&self.order, &other.order) {
            (Some(a), Some(b)) => a.row(i).cmp(&b.row(j)),
            _ => Ordering::Equal,
        }
    }
}

/// `rows` with those of a partition side by side, each partition in its order; and the ends of the partitions.
pub fn sorted(rows: &RecordBatch, partition_by: &[usize], order: &RowOrder) -> Result<(RecordBatch, Vec<usize>)> {
    let (places, ends) = sorted_places(rows, partition_by, order)?;
    Ok((take_rows(rows, &UInt32Array::from(places))?, ends))
}

/// The places of `rows` in the order of [`sorted`], and the ends of the partitions.
fn sorted_places(rows: &RecordBatch, partition_by: &[usize], order: &RowOrder) -> Result<(Vec<u32>, Vec<usize>)> {
    let schema = Arc::new(rows.schema().project(partition_by)?);
    let columns: Vec<ArrayRef> = partition_by.iter().map(|c| rows.column(*c).clone()).collect();
    let mut ids = vec![];
    Groups::try_new(&schema)?.intern(&columns, rows.num_rows(), &mut ids)?;
    let keys = order.keys(rows)?;
    let mut places: Vec<u32> = (0..rows.num_rows() as u32).collect();
    places.sort_unstable_by(|a, b| {
        let (a, b) = (*a as usize, *b as usize);
        ids[a].cmp(&ids[b]).then_with(|| keys.cmp(a, &keys, b))
    });
    let mut ends = vec![];
    for part in places.chunk_by(|a, b| ids[*a as usize] == ids[*b as usize]) {
        ends.push(ends.last().unwrap_or(&0) + part.len());
    }
    Ok((places, ends))
}
