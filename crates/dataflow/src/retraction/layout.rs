//! Rows on their way to their groups: the keys, the arguments of all aggregates and their filters, as columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use tidemill_core::Result;

use crate::aggregate::{Inputs, Kernel};
use crate::expression::{conform, data_error};

/// Where everything stands.
#[derive(Debug, Clone)]
pub struct RowLayout {
    schema: SchemaRef,
    keys: usize,
    /// For each argument of the kernel, where it is.
    args: Vec<Argument>,
    /// The type of each argument.
    types: Vec<DataType>,
    filters: usize,
}

#[derive(Debug, Clone, Copy)]
enum Argument {
    /// In this column.
    Column(usize),
    /// It is the same in each row, and not among the columns.
    Literal,
}

/// The arguments and filters of some rows.
#[derive(Debug)]
pub struct Arguments {
    /// By the kernel's number.
    pub args: Vec<ArrayRef>,
    /// By the kernel's number.
    pub filters: Vec<BooleanArray>,
}

impl RowLayout {
    /// For the keys and calls of `kernel` over rows of `input`.
    pub fn try_new(kernel: &Kernel, input: &SchemaRef) -> Result<Self> {
        let mut fields: Vec<FieldRef> = kernel.key_schema().fields().to_vec();
        let keys = fields.len();
        let (mut args, mut types) = (vec![], vec![]);
        for (i, expr) in kernel.args().iter().enumerate() {
            types.push(expr.data_type(input).map_err(data_error)?);
            args.push(if kernel.is_literal(i) { Argument::Literal } else { Argument::Column(fields.len()) });
            if !kernel.is_literal(i) {
                fields.push(Arc::new(Field::new(format!("argument {i}"), types[i].clone(), true)));
            }
        }
        let filters = kernel.filters().len();
        fields.extend((0..filters).map(|i| Arc::new(Field::new(format!("filter {i}"), DataType::Boolean, true))));
        Ok(Self { schema: Arc::new(Schema::new(fields)), keys, args, types, filters })
    }

    /// The columns: keys, arguments that are no literals, filters.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many of the columns are keys. They come first.
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// The types of the kernel's arguments.
    pub fn argument_types(&self) -> &[DataType] {
        &self.types
    }

    /// Rows with these keys, and the arguments and filters of `inputs`.
    pub fn rows(&self, keys: Vec<ArrayRef>, inputs: &Inputs) -> Result<RecordBatch> {
        let mut columns = keys;
        for (argument, array) in self.args.iter().zip(inputs.args()) {
            if let Argument::Column(_) = argument {
                columns.push(array.clone());
            }
        }
        columns.extend(inputs.filters().cloned());
        conform(&self.schema, columns, inputs.rows())
    }

    /// A row with these keys, and NULL in everything else.
    pub fn nulls(&self, keys: &[ArrayRef]) -> Result<RecordBatch> {
        let rest = self.schema.fields()[self.keys..].iter().map(|f| new_null_array(f.data_type(), 1));
        conform(&self.schema, keys.iter().cloned().chain(rest).collect(), 1)
    }

    /// The arguments and filters of rows.
    pub fn arguments(&self, kernel: &Kernel, rows: &RecordBatch) -> Result<Arguments> {
        let argument = |(i, argument): (usize, &Argument)| match argument {
            Argument::Column(column) => Ok(rows.column(*column).clone()),
            Argument::Literal => kernel.literal(i, rows.num_rows()),
        };
        let args = self.args.iter().enumerate().map(argument).collect::<Result<_>>()?;
        let first = rows.num_columns() - self.filters;
        let filters = rows.columns()[first..].iter().map(|f| f.as_boolean().clone()).collect();
        Ok(Arguments { args, filters })
    }
}
