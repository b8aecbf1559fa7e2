//! Which columns of a piece come out of the record and which are the same for all records of a file.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, SchemaRef};
use tidemill_core::Result;

/// One column of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the record: its number among the columns of a record.
    Record(usize),
    /// The same for a whole file: its number among the constants.
    Constant(usize),
}

/// How the wanted columns are put together.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The wanted columns, in their order.
    pub(crate) schema: SchemaRef,
    /// The columns of a record that are wanted, ascending: what the decoder is asked for.
    pub(crate) records: Vec<usize>,
    /// The constants that are wanted, ascending.
    pub(crate) constants: Vec<usize>,
    /// Where each wanted column is: in the decoded batch, or in the list of wanted constants.
    slots: Vec<Place>,
}

impl Layout {
    /// `places` says where each column of `schema` (all columns of the source) is.
    pub(crate) fn new(schema: &Schema, places: &[Place], projection: &[usize]) -> Self {
        let mut layout = Self { schema: Arc::new(Schema::empty()), records: vec![], constants: vec![], slots: vec![] };
        for &column in projection {
            match places[column] {
                Place::Record(i) => layout.records.push(i),
                Place::Constant(i) => layout.constants.push(i),
            }
        }
        layout.records.sort_unstable();
        layout.constants.sort_unstable();
        let at = |list: &[usize], i| list.iter().position(|x| *x == i).expect("every wanted column was pushed above");
        layout.slots = (projection.iter())
            .map(|&column| match places[column] {
                Place::Record(i) => Place::Record(at(&layout.records, i)),
                Place::Constant(i) => Place::Constant(at(&layout.constants, i)),
            })
            .collect();
        let fields: Vec<Field> = projection.iter().map(|&c| schema.field(c).clone()).collect();
        layout.schema = Arc::new(Schema::new(fields));
        layout
    }

    /// A source all of whose columns are in the record.
    pub(crate) fn records_only(schema: &Schema, projection: &[usize]) -> Self {
        let places: Vec<Place> = (0..schema.fields().len()).map(Place::Record).collect();
        Self::new(schema, &places, projection)
    }

    /// The wanted columns, from those that were decoded and from the file's constants (arrays of one value).
    pub(crate) fn assemble(&self, decoded: &RecordBatch, constants: &[ArrayRef]) -> Result<RecordBatch> {
        let rows = decoded.num_rows();
        // Made only where it is needed: most queries want no constant.
        let repeat = (!self.constants.is_empty()).then(|| UInt32Array::from_value(0, rows));
        let columns = (self.slots.iter())
            .map(|slot| match (slot, &repeat) {
                (Place::Constant(i), Some(repeat)) => Ok(take(&constants[*i], repeat, None)?),
                (Place::Constant(i) | Place::Record(i), _) => Ok(decoded.column(*i).clone()),
            })
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}
