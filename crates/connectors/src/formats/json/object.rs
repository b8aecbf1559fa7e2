//! JSON objects into rows: a record, and a `ROW` within one.
//!
//! Records of one stream name their fields in the same order, nearly always. So each name remembers which name came
//! after it the last time, and the next one is compared with that as bytes, its quotes and colon included: one load
//! and one comparison. Only where the guess is wrong the name is looked up.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::{DataType, Fields};
use tidemill_core::Result;

use super::decode::Rules;
use super::scan::Text;
use crate::formats::column::{Column, mismatch};
use crate::formats::fault::{Fault, Read, sql_type};

/// Names beyond this many are looked up each time: objects whose names are data would otherwise fill the memory.
const MOST_NAMES: usize = 1_000;

/// The fields of an object, each a column, and the names seen so far.
pub(crate) struct Object {
    fields: Vec<Field>,
    /// The first stands for the beginning of an object.
    names: Vec<Name>,
    /// Places in `names`, by the name as it stands between the quotes.
    known: HashMap<Box<[u8]>, usize>,
    rules: Rules,
    /// Counts objects by two: a field's `seen` is this, or one more if its name was exact.
    mark: u64,
}

pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) nullable: bool,
    pub(crate) column: Box<dyn Column>,
    seen: u64,
}

/// A name as it is written in the data.
struct Name {
    /// With quotes and colon, and no white space between them.
    text: Vec<u8>,
    /// The first 16 bytes of `text`, and which of them count.
    first: u128,
    mask: u128,
    target: Option<Target>,
    /// The name that came after this one the last time.
    next: usize,
}

/// Where a name leads.
#[derive(Clone, Copy)]
struct Target {
    field: usize,
    /// The name is the column's but for the case of its letters.
    inexact: bool,
}

impl Name {
    fn new(raw: &[u8], target: Option<Target>) -> Self {
        let text = [b"\"", raw, b"\":"].concat();
        let mut first = [0u8; 16];
        let mut mask = [0u8; 16];
        for (i, b) in text.iter().take(16).enumerate() {
            first[i] = *b;
            mask[i] = 0xFF;
        }
        Self { text, first: u128::from_le_bytes(first), mask: u128::from_le_bytes(mask), target, next: 0 }
    }

    /// Whether this name stands at `pos`.
    #[inline]
    fn is_at(&self, bytes: &[u8], pos: usize) -> bool {
        let Some(word) = bytes.get(pos..pos + 16) else { return false };
        let word = u128::from_le_bytes(word.try_into().expect("sixteen bytes"));
        (word ^ self.first) & self.mask == 0
            && (self.text.len() <= 16 || bytes[pos + 16..].starts_with(&self.text[16..]))
    }
}

impl Object {
    pub(crate) fn new(fields: Vec<(String, bool, Box<dyn Column>)>, rules: Rules) -> Self {
        let fields: Vec<_> =
            fields.into_iter().map(|(name, nullable, column)| Field { name, nullable, column, seen: 0 }).collect();
        // The beginning matches nothing, since no text has such bytes: what follows it is learned from the first record.
        let beginning = Name { text: vec![], first: u128::MAX, mask: u128::MAX, target: None, next: 0 };
        Self { fields, names: vec![beginning], known: HashMap::new(), rules, mark: 0 }
    }

    /// Appends the object at `pos` as row `row` of the columns; the position after it.
    #[inline]
    pub(crate) fn read(&mut self, text: &Text<'_>, pos: usize, row: usize) -> Read<usize> {
        self.mark += 2;
        let mark = self.mark;
        let mut filled = 0;
        let mut name = 0;
        let mut pos = text.space(pos + 1);
        if text.bytes[pos] == b'}' {
            pos += 1;
        } else {
            loop {
                let guess = self.names[name].next;
                let target;
                if self.names[guess].is_at(text.bytes, pos) {
                    pos = text.space(pos + self.names[guess].text.len());
                    target = self.names[guess].target;
                    name = guess;
                } else {
                    (target, name, pos) = self.look_up(text, pos, name)?;
                }
                match target {
                    None => pos = text.skip(pos)?,
                    Some(Target { field, inexact }) => {
                        let field = &mut self.fields[field];
                        let again = field.seen >= mark;
                        if again && inexact && field.seen > mark {
                            // The column's own name has been there: another spelling does not replace it.
                            pos = text.skip(pos)?;
                        } else {
                            if again {
                                field.column.truncate(row);
                            } else {
                                filled += 1;
                            }
                            field.seen = mark + u64::from(!inexact);
                            pos = field.read(text, pos, row, self.rules)?;
                        }
                    }
                }
                pos = text.space(pos);
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
        if filled < self.fields.len() {
            self.fill_missing()?;
        }
        Ok(pos)
    }

    /// NULL for the fields that the object did not have.
    fn fill_missing(&mut self) -> Read<()> {
        for field in self.fields.iter_mut().filter(|f| f.seen < self.mark) {
            if self.rules.fail_on_missing {
                return Err(Fault::value("missing").in_field(&field.name));
            }
            if !field.nullable {
                return Err(Fault::value("missing, and the column is NOT NULL").in_field(&field.name));
            }
            field.column.nulls(1);
        }
        Ok(())
    }

    /// The name at `pos`, which did not come after `previous` the last time: where it leads, its place among the names,
    /// and the position of its value.
    #[cold]
    fn look_up(&mut self, text: &Text<'_>, pos: usize, previous: usize) -> Read<(Option<Target>, usize, usize)> {
        if text.bytes[pos] != b'"' {
            return Err(text.unexpected(pos, "a field name"));
        }
        let (close, _) = text.string(pos)?;
        let raw = &text.bytes[pos + 1..close];
        let value = text.colon(close + 1)?;
        let found = match self.known.get(raw) {
            Some(found) => *found,
            None => {
                let target = self.target(&text.unescaped(pos, close)?);
                if self.names.len() > MOST_NAMES {
                    return Ok((target, 0, value));
                }
                self.names.push(Name::new(raw, target));
                self.known.insert(raw.into(), self.names.len() - 1);
                self.names.len() - 1
            }
        };
        self.names[previous].next = found;
        Ok((self.names[found].target, found, value))
    }

    /// The field of this name: the same name, or the only one that differs in the case of its letters alone.
    fn target(&self, name: &[u8]) -> Option<Target> {
        if let Some(field) = self.fields.iter().position(|f| f.name.as_bytes() == name) {
            return Some(Target { field, inexact: false });
        }
        let mut alike = self.fields.iter().enumerate().filter(|(_, f)| f.name.as_bytes().eq_ignore_ascii_case(name));
        match (alike.next(), alike.next()) {
            (Some((field, _)), None) => Some(Target { field, inexact: true }),
            _ => None,
        }
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        for field in &mut self.fields {
            field.column.truncate(len);
        }
    }

    pub(crate) fn fields(&mut self) -> &mut [Field] {
        &mut self.fields
    }
}

impl Field {
    /// Appends the value at `pos` as row `row`.
    #[inline]
    fn read(&mut self, text: &Text<'_>, pos: usize, row: usize, rules: Rules) -> Read<usize> {
        let fault = if text.bytes[pos] == b'n' {
            let end = text.literal(pos, b"null")?;
            if self.nullable {
                self.column.nulls(1);
                return Ok(end);
            }
            Fault::value("NULL in a column that is NOT NULL")
        } else {
            match self.column.json(text, pos) {
                Ok(end) => return Ok(end),
                Err(fault) => fault,
            }
        };
        self.bad(text, pos, row, rules, fault)
    }

    /// A value that does not fit: NULL where the table says so, otherwise the end of the record.
    #[cold]
    fn bad(&mut self, text: &Text<'_>, pos: usize, row: usize, rules: Rules, fault: Fault) -> Read<usize> {
        if fault.is_value() && rules.ignore_errors && self.nullable {
            let end = text.skip(pos)?;
            self.column.truncate(row);
            self.column.nulls(1);
            return Ok(end);
        }
        Err(if fault.is_value() { fault.in_field(&self.name) } else { fault })
    }
}

/// A `ROW` column.
pub(crate) struct Rows {
    object: Object,
    /// The fields that are wanted, and their places among those of the object.
    fields: Fields,
    kept: Vec<usize>,
    keep: bool,
    len: usize,
    /// How many rows the inner columns have; NULLs at the end are handed to them only when needed.
    inner: usize,
    nulls: NullBufferBuilder,
}

impl Rows {
    pub(crate) fn new(object: Object, fields: Fields, kept: Vec<usize>, keep: bool) -> Self {
        Self { object, fields, kept, keep, len: 0, inner: 0, nulls: NullBufferBuilder::new(0) }
    }

    /// Gives the inner columns the NULLs that they are behind.
    fn catch_up(&mut self) {
        if self.inner < self.len {
            let behind = self.len - self.inner;
            self.object.fields.iter_mut().for_each(|f| f.column.nulls(behind));
            self.inner = self.len;
        }
    }
}

impl Column for Rows {
    fn json(&mut self, text: &Text<'_>, pos: usize) -> Read<usize> {
        if text.bytes[pos] != b'{' {
            return Err(mismatch(text, pos, &DataType::Struct(Fields::empty())));
        }
        self.catch_up();
        let end = self.object.read(text, pos, self.len)?;
        if self.keep {
            self.len += 1;
            self.inner += 1;
            self.nulls.append_non_null();
        }
        Ok(end)
    }

    fn text(&mut self, _text: &[u8]) -> Read<()> {
        Err(Fault::value(format!("{} has no form as plain text", sql_type(&DataType::Struct(Fields::empty())))))
    }

    fn nulls(&mut self, n: usize) {
        if self.keep {
            self.len += n;
            self.nulls.append_n_nulls(n);
        }
    }

    fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        // A row that was refused half way is in some of the inner columns already.
        self.inner = self.inner.min(len);
        self.object.truncate(self.inner);
        self.nulls.truncate(len);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.catch_up();
        let fields = &mut self.object.fields;
        let columns = self.kept.iter().map(|i| fields[*i].column.finish()).collect::<Result<Vec<_>>>()?;
        let array = StructArray::try_new_with_length(self.fields.clone(), columns, self.nulls.finish(), self.len)?;
        (self.len, self.inner) = (0, 0);
        Ok(Arc::new(array))
    }
}
