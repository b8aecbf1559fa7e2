//! One call of a function over one batch: its arguments as typed columns, and the builders of its result.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int64Array, ListArray,
    StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue, exec_err, internal_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};
use tidemill_core::EpochClock;

use super::instants::Instants;
use super::zone::Zone;

/// The arguments of a call, and what it may ask of its surroundings.
pub(super) struct Call<'a> {
    /// The name of the function, for messages.
    pub(super) name: &'a str,
    /// How many rows to give.
    pub(super) rows: usize,
    /// The readings of this epoch.
    pub(super) clock: &'a EpochClock,
    draws: &'a AtomicU64,
    /// The arguments; a constant has one row.
    args: Vec<(ArrayRef, bool)>,
    fields: &'a [FieldRef],
    result: &'a FieldRef,
    config: &'a Arc<ConfigOptions>,
    zone: OnceCell<Zone>,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        name: &'a str,
        args: &'a ScalarFunctionArgs,
        rows: usize,
        (clock, draws): (&'a EpochClock, &'a AtomicU64),
    ) -> Result<Self> {
        let columns = args
            .args
            .iter()
            .map(|value| match value {
                ColumnarValue::Array(array) => Ok((Arc::clone(array), false)),
                ColumnarValue::Scalar(scalar) => Ok((scalar.to_array()?, true)),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            name,
            rows,
            clock,
            draws,
            args: columns,
            fields: &args.arg_fields,
            result: &args.return_field,
            config: &args.config_options,
            zone: OnceCell::new(),
        })
    }

    /// Reserves a place for each row in the sequence of random draws, and gives the first.
    pub(super) fn draw(&self) -> u64 {
        self.draws.fetch_add(self.rows as u64, Ordering::Relaxed)
    }

    /// How many arguments were given.
    pub(super) fn len(&self) -> usize {
        self.args.len()
    }

    /// The type of an argument.
    pub(super) fn type_of(&self, i: usize) -> &DataType {
        self.fields[i].data_type()
    }

    /// The type that was promised for the result.
    pub(super) fn result_type(&self) -> &DataType {
        self.result.data_type()
    }

    /// Whether an argument is one value for all rows.
    pub(super) fn is_constant(&self, i: usize) -> bool {
        self.args[i].1
    }

    /// The session's time zone.
    pub(super) fn zone(&self) -> Result<Zone> {
        if let Some(zone) = self.zone.get() {
            return Ok(*zone);
        }
        let zone = match self.config.execution.time_zone.as_deref() {
            None => Zone::UTC,
            Some(name) => match Zone::parse(name) {
                Some(zone) => zone,
                None => return exec_err!("the session's time zone '{name}' is not known"),
            },
        };
        Ok(*self.zone.get_or_init(|| zone))
    }

    fn column<T: ArrayAccessor>(&self, i: usize, array: Option<T>) -> Result<Column<T>> {
        match array {
            Some(array) => Ok(Column { constant: self.args[i].1, has_nulls: array.null_count() > 0, array }),
            None => internal_err!("argument {} of {} came as {}", i + 1, self.name, self.args[i].0.data_type()),
        }
    }

    /// An argument that was coerced to `Utf8`.
    pub(super) fn text(&self, i: usize) -> Result<Column<&StringArray>> {
        self.column(i, self.args[i].0.as_string_opt::<i32>())
    }

    /// An argument that was coerced to `Binary`.
    pub(super) fn bytes(&self, i: usize) -> Result<Column<&BinaryArray>> {
        self.column(i, self.args[i].0.as_binary_opt::<i32>())
    }

    /// An argument that was coerced to `Int64`.
    pub(super) fn int(&self, i: usize) -> Result<Column<&Int64Array>> {
        self.column(i, self.args[i].0.as_primitive_opt())
    }

    /// An argument that was coerced to `Float64`.
    pub(super) fn double(&self, i: usize) -> Result<Column<&Float64Array>> {
        self.column(i, self.args[i].0.as_primitive_opt())
    }

    /// A boolean argument.
    pub(super) fn bool(&self, i: usize) -> Result<Column<&BooleanArray>> {
        self.column(i, self.args[i].0.as_boolean_opt())
    }

    /// An argument that is a list.
    pub(super) fn list(&self, i: usize) -> Result<Column<&ListArray>> {
        self.column(i, self.args[i].0.as_list_opt::<i32>())
    }

    /// An argument that is a timestamp, a date or a time of day.
    pub(super) fn instants(&self, i: usize) -> Result<Instants<'_>> {
        match Instants::new(self.args[i].0.as_ref(), self.args[i].1) {
            Some(instants) => Ok(instants),
            None => internal_err!("argument {} of {} came as {}", i + 1, self.name, self.args[i].0.data_type()),
        }
    }

    /// An argument with one value per row.
    pub(super) fn array(&self, i: usize) -> Result<ArrayRef> {
        let (array, constant) = &self.args[i];
        if *constant && self.rows != array.len() {
            let indices = arrow::array::UInt32Array::from_value(0, self.rows);
            return Ok(arrow::compute::take(array, &indices, None)?);
        }
        Ok(Arc::clone(array))
    }

    /// The answer of another function to the same arguments, one value per row.
    pub(super) fn delegate(&self, other: &ScalarUDF) -> Result<ArrayRef> {
        self.delegate_as(other, Arc::clone(self.result))
    }

    /// [`Call::delegate`] to a function whose result is of another type.
    pub(super) fn delegate_as(&self, other: &ScalarUDF, return_field: FieldRef) -> Result<ArrayRef> {
        self.delegate_args(other, self.len(), return_field)
    }

    /// [`Call::delegate_as`] with the first argument only.
    pub(super) fn delegate_first(&self, other: &ScalarUDF, return_field: FieldRef) -> Result<ArrayRef> {
        self.delegate_args(other, 1, return_field)
    }

    fn delegate_args(&self, other: &ScalarUDF, count: usize, return_field: FieldRef) -> Result<ArrayRef> {
        let args = (0..count)
            .map(|i| match &self.args[i] {
                (array, true) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(array, 0)?)),
                (array, false) => Ok(ColumnarValue::Array(Arc::clone(array))),
            })
            .collect::<Result<Vec<_>>>()?;
        let answer = other.invoke_with_args(ScalarFunctionArgs {
            args,
            arg_fields: self.fields[..count].to_vec(),
            number_rows: self.rows,
            return_field,
            config_options: Arc::clone(self.config),
        })?;
        answer.into_array(self.rows)
    }

    /// A column of strings, each a piece of something that lives longer.
    pub(super) fn pieces<'s>(&self, mut f: impl FnMut(usize) -> Result<Option<&'s str>>) -> Result<ArrayRef> {
        let mut out = StringBuilder::with_capacity(self.rows, self.rows * 8);
        for row in 0..self.rows {
            out.append_option(f(row)?);
        }
        Ok(Arc::new(out.finish()))
    }

    /// A column of strings, each written into a buffer that is handed in empty; nothing written counts if `f` gives
    /// nothing.
    pub(super) fn written(&self, mut f: impl FnMut(usize, &mut String) -> Result<Option<()>>) -> Result<ArrayRef> {
        let mut out = StringBuilder::with_capacity(self.rows, self.rows * 16);
        let mut buffer = String::new();
        for row in 0..self.rows {
            buffer.clear();
            match f(row, &mut buffer)? {
                Some(()) => out.append_value(&buffer),
                None => out.append_null(),
            }
        }
        Ok(Arc::new(out.finish()))
    }

    /// A column of anything that is collected from optional values.
    pub(super) fn collected<T, A>(&self, f: impl FnMut(usize) -> Result<Option<T>>) -> Result<ArrayRef>
    where
        A: FromIterator<Option<T>> + Array + 'static,
    {
        Ok(Arc::new((0..self.rows).map(f).collect::<Result<A>>()?))
    }
}

/// An argument, read row by row.
pub(super) struct Column<T> {
    array: T,
    constant: bool,
    has_nulls: bool,
}

impl<T: ArrayAccessor> Column<T> {
    /// The value of a row, if it is not NULL.
    #[inline]
    pub(super) fn at(&self, row: usize) -> Option<T::Item> {
        let i = if self.constant { 0 } else { row };
        if self.has_nulls && self.array.is_null(i) { None } else { Some(self.array.value(i)) }
    }
}

impl<'a> Column<&'a ListArray> {
    /// Where the elements of a row begin among [`Column::values`], and how many there are, if it is not NULL.
    pub(super) fn range(&self, row: usize) -> Option<(u32, usize)> {
        let i = if self.constant { 0 } else { row };
        self.array.is_valid(i).then(|| (self.array.value_offsets()[i] as u32, self.array.value_length(i) as usize))
    }

    /// The elements of all rows.
    pub(super) fn values(&self) -> &'a ArrayRef {
        self.array.values()
    }
}

/// What was made from a text, kept until the text changes: a pattern is compiled once where it is a constant.
pub(super) struct Compiled<T> {
    last: Option<(String, T)>,
}

impl<T> Compiled<T> {
    pub(super) fn new() -> Self {
        Self { last: None }
    }

    pub(super) fn get(&mut self, text: &str, make: impl FnOnce(&str) -> Result<T>) -> Result<&T> {
        if self.last.as_ref().is_none_or(|(known, _)| known != text) {
            self.last = Some((text.to_string(), make(text)?));
        }
        match &self.last {
            Some((_, made)) => Ok(made),
            None => internal_err!("nothing was compiled"),
        }
    }
}
