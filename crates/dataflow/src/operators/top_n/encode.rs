//! Rows as bytes and back. The bytes of a row begin with its place in the order, and end with the row itself, so that two
//! rows that are equal in the order are told apart by all of their columns, in the same way on every run.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, RowParser, Rows, SortField};
use tidemill_core::Result;
use tidemill_plan::op::SortKey;

/// Between columns and bytes.
pub(crate) struct Encoder {
    order_by: Vec<SortKey>,
    /// `None` where the order, or the row, has no columns: its bytes are empty.
    order: Option<RowConverter>,
    rows: Option<(RowConverter, RowParser)>,
}

/// The bytes of some rows; one part of each.
pub(crate) struct Encoded(Option<Rows>);

impl Encoded {
    pub(crate) fn get(&self, row: usize) -> &[u8] {
        match &self.0 {
            Some(rows) => rows.row(row).data(),
            None => &[],
        }
    }
}

impl Encoder {
    pub(crate) fn new(schema: &SchemaRef, order_by: &[SortKey]) -> Result<Self> {
        let field = |t: &DataType| SortField::new(t.clone());
        let order = order_by.iter().map(|key| {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            SortField::new_with_options(schema.field(key.column).data_type().clone(), options)
        });
        let order = if order_by.is_empty() { None } else { Some(RowConverter::new(order.collect())?) };
        let fields: Vec<SortField> = schema.fields().iter().map(|f| field(f.data_type())).collect();
        let rows = match fields.is_empty() {
            true => None,
            false => {
                let converter = RowConverter::new(fields)?;
                let parser = converter.parser();
                Some((converter, parser))
            }
        };
        Ok(Self { order_by: order_by.to_vec(), order, rows })
    }

    /// The place of each row in the order.
    pub(crate) fn order(&self, batch: &RecordBatch) -> Result<Encoded> {
        let Some(order) = &self.order else { return Ok(Encoded(None)) };
        let columns: Vec<ArrayRef> = self.order_by.iter().map(|k| batch.column(k.column).clone()).collect();
        Ok(Encoded(Some(order.convert_columns(&columns)?)))
    }

    /// Each row.
    pub(crate) fn rows(&self, batch: &RecordBatch) -> Result<Encoded> {
        let Some((rows, _)) = &self.rows else { return Ok(Encoded(None)) };
        Ok(Encoded(Some(rows.convert_columns(batch.columns())?)))
    }

    /// The columns of rows, from the bytes of [`rows`](Self::rows).
    pub(crate) fn decode<'a>(&self, rows: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let Some((converter, parser)) = &self.rows else { return Ok(vec![]) };
        Ok(converter.convert_rows(rows.map(|bytes| parser.parse(bytes)))?)
    }
}
