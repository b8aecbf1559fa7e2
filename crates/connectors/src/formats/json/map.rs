//! JSON objects into `MAP` columns: the names are keys.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{Array, ArrayRef, MapArray, StructArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef};
use tidemill_core::{Error, Result};

use super::decode::Rules;
use super::scan::Text;
use crate::formats::column::{Column, Strings, mismatch};
use crate::formats::fault::{Fault, Read};

/// A `MAP<STRING, ..>` column. Of a key that an object has twice, the last value counts.
pub(crate) struct Maps {
    entries: FieldRef,
    values_nullable: bool,
    keys: Strings,
    values: Box<dyn Column>,
    rules: Rules,
    keep: bool,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
    /// Of the object being read: where each key and its value stand.
    places: Vec<(usize, usize)>,
}

impl Maps {
    pub(crate) fn new(entries: &FieldRef, values: Box<dyn Column>, rules: Rules, keep: bool) -> Self {
        let values_nullable = match entries.data_type() {
            DataType::Struct(f) => f[1].is_nullable(),
            _ => true,
        };
        Self {
            entries: entries.clone(),
            values_nullable,
            keys: Strings::new(keep),
            values,
            rules,
            keep,
            offsets: vec![0],
            nulls: NullBufferBuilder::new(0),
            places: vec![],
        }
    }

    fn last(&self) -> usize {
        self.offsets.last().map_or(0, |o| *o as usize)
    }

    /// Appends the entry whose key and value stand at `key` and `pos`, as row `row`.
    fn entry(&mut self, text: &Text<'_>, key: usize, pos: usize, row: usize) -> Read<usize> {
        self.keys.json(text, key)?;
        let fault = if text.bytes[pos] == b'n' {
            let end = text.literal(pos, b"null")?;
            if self.values_nullable {
                self.values.nulls(1);
                return Ok(end);
            }
            Fault::value("NULL where the type says NOT NULL")
        } else {
            match self.values.json(text, pos) {
                Ok(end) => return Ok(end),
                Err(fault) => fault,
            }
        };
        if fault.is_value() && self.rules.ignore_errors && self.values_nullable {
            self.values.truncate(if self.keep { row } else { 0 });
            self.values.nulls(1);
            return text.skip(pos);
        }
        let (close, _) = text.string(key)?;
        let name = String::from_utf8_lossy(&text.bytes[key + 1..close]).into_owned();
        Err(if fault.is_value() { fault.in_element(name) } else { fault })
    }

    /// Writes the entries of the object again, from row `first` on, if a key is there twice.
    fn last_wins(&mut self, text: &Text<'_>, first: usize) -> Read<()> {
        let mut at: HashMap<&[u8], usize> = HashMap::with_capacity(self.places.len());
        let mut kept: Vec<(usize, usize)> = Vec::with_capacity(self.places.len());
        for (i, place) in self.places.iter().enumerate() {
            let next = kept.len();
            match *at.entry(self.keys.value(first + i)).or_insert(next) {
                found if found == next => kept.push(*place),
                found => kept[found] = *place,
            }
        }
        if kept.len() == self.places.len() {
            return Ok(());
        }
        self.keys.truncate(first);
        self.values.truncate(first);
        for (i, (key, pos)) in kept.iter().enumerate() {
            self.entry(text, *key, *pos, first + i)?;
        }
        self.places = kept;
        Ok(())
    }
}

impl Column for Maps {
    fn json(&mut self, text: &Text<'_>, pos: usize) -> Read<usize> {
        if text.bytes[pos] != b'{' {
            return Err(mismatch(text, pos, &DataType::Map(self.entries.clone(), false)));
        }
        let first = self.last();
        self.places.clear();
        let mut pos = text.space(pos + 1);
        if text.bytes[pos] == b'}' {
            pos += 1;
        } else {
            loop {
                if text.bytes[pos] != b'"' {
                    return Err(text.unexpected(pos, "a field name"));
                }
                let (close, _) = text.string(pos)?;
                let value = text.colon(close + 1)?;
                let end = self.entry(text, pos, value, first + self.places.len())?;
                self.places.push((pos, value));
                pos = text.space(end);
                match text.bytes[pos] {
                    b',' => pos = text.space(pos + 1),
                    b'}' => {
                        pos += 1;
                        break;
                    }
                    _ => return Err(text.unexpected(pos, "',' or '}'")),
                }
            }
        }
        if self.keep {
            if self.places.len() > 1 {
                self.last_wins(text, first)?;
            }
            self.offsets.push((first + self.places.len()) as i32);
            self.nulls.append_non_null();
        }
        Ok(pos)
    }

    fn text(&mut self, _text: &[u8]) -> Read<()> {
        Err(Fault::value("MAP has no form as plain text"))
    }

    fn nulls(&mut self, n: usize) {
        if self.keep {
            self.offsets.resize(self.offsets.len() + n, self.last() as i32);
            self.nulls.append_n_nulls(n);
        }
    }

    fn truncate(&mut self, len: usize) {
        self.offsets.truncate(len + 1);
        let last = self.last();
        self.keys.truncate(last);
        self.values.truncate(last);
        self.nulls.truncate(len);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let DataType::Struct(fields) = self.entries.data_type() else {
            return Err(Error::internal("the entries of a MAP are not a ROW"));
        };
        let offsets = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(&mut self.offsets, vec![0])));
        let (keys, values) = (self.keys.finish()?, self.values.finish()?);
        let len = keys.len();
        let entries = StructArray::try_new_with_length(fields.clone(), vec![keys, values], None, len)?;
        Ok(Arc::new(MapArray::try_new(self.entries.clone(), offsets, entries, self.nulls.finish(), false)?))
    }
}
