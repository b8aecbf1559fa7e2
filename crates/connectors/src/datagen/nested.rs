//! Values of rows, arrays and maps: made of the values of their parts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, MapArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{self, DataType, FieldRef, Fields};
use tidemill_core::{Error, Micros, Result};

use super::fields::{Field, Reader, Values};
use crate::random::Random;

/// How many elements a collection has where nothing is said.
const DEFAULT_LENGTH: u64 = 3;

/// The values of a row, array or map.
pub(crate) fn parse(
    reader: &Reader<'_>,
    prefix: &str,
    field: &datatypes::Field,
    random: Random,
) -> Result<Arc<dyn Values>> {
    let part = |name: &str, field: &datatypes::Field| reader.field(&format!("{prefix}.{name}"), field, random, false);
    let lengths = || -> Result<Lengths> {
        let (length, var_len) = (reader.length(prefix, DEFAULT_LENGTH)?, reader.var_len(prefix)?);
        Ok(Lengths { random: random.named("length"), elements: random.named("elements"), length, var_len })
    };
    Ok(match field.data_type() {
        DataType::Struct(fields) => {
            let parts = fields.iter().map(|f| part(f.name(), f)).collect::<Result<_>>()?;
            Arc::new(Rows { fields: fields.clone(), parts })
        }
        DataType::List(item) => {
            Arc::new(Arrays { item: item.clone(), element: part("element", item)?, lengths: lengths()? })
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(kv) if kv.len() == 2 => {
                let (key, value) = (part("key", &kv[0])?, part("value", &kv[1])?);
                Arc::new(Maps { entries: entries.clone(), kv: kv.clone(), key, value, lengths: lengths()? })
            }
            _ => return Err(Error::internal("a map without keys and values")),
        },
        other => return Err(Error::internal(format!("{other} is not made of parts"))),
    })
}

/// How many elements each row has, and the numbers that stand for them.
#[derive(Debug)]
struct Lengths {
    random: Random,
    elements: Random,
    length: u64,
    var_len: bool,
}

impl Lengths {
    /// Where each row's elements are, their numbers, and their times: those of their rows.
    fn of(&self, rows: &[u64], times: &[Micros]) -> (OffsetBuffer<i32>, Vec<u64>, Vec<Micros>) {
        let length = |row: u64| match self.var_len && self.length > 0 {
            true => 1 + self.random.below(row, self.length),
            false => self.length,
        };
        let offsets = OffsetBuffer::from_lengths(rows.iter().map(|r| length(*r) as usize));
        let element = |row: u64, i: u64| self.elements.stream(row).at(i);
        let numbers = rows.iter().flat_map(|row| (0..length(*row)).map(move |i| element(*row, i))).collect();
        let times = rows.iter().zip(times).flat_map(|(row, time)| (0..length(*row)).map(|_| *time)).collect();
        (offsets, numbers, times)
    }
}

#[derive(Debug)]
struct Rows {
    fields: Fields,
    parts: Vec<Field>,
}

impl Values for Rows {
    fn values(&self, rows: &[u64], times: &[Micros]) -> Result<ArrayRef> {
        let columns = self.parts.iter().map(|p| p.values(rows, times)).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(StructArray::try_new_with_length(self.fields.clone(), columns, None, rows.len())?))
    }
}

#[derive(Debug)]
struct Arrays {
    item: FieldRef,
    element: Field,
    lengths: Lengths,
}

impl Values for Arrays {
    fn values(&self, rows: &[u64], times: &[Micros]) -> Result<ArrayRef> {
        let (offsets, numbers, times) = self.lengths.of(rows, times);
        let values = self.element.values(&numbers, &times)?;
        Ok(Arc::new(ListArray::try_new(self.item.clone(), offsets, values, None)?))
    }
}

#[derive(Debug)]
struct Maps {
    entries: FieldRef,
    kv: Fields,
    key: Field,
    value: Field,
    lengths: Lengths,
}

impl Values for Maps {
    fn values(&self, rows: &[u64], times: &[Micros]) -> Result<ArrayRef> {
        let (offsets, numbers, times) = self.lengths.of(rows, times);
        let (keys, values) = (self.key.values(&numbers, &times)?, self.value.values(&numbers, &times)?);
        let entries = StructArray::try_new(self.kv.clone(), vec![keys, values], None)?;
        debug_assert_eq!(entries.len(), numbers.len(), "a key and a value for each element");
        Ok(Arc::new(MapArray::try_new(self.entries.clone(), offsets, entries, None, false)?))
    }
}
