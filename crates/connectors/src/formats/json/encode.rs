//! Batches into JSON lines, as Flink writes them.
//!
//! Each column is looked at once a batch, for its type, and then asked row by row for its text. Floating point numbers
//! are written as Java does (`1.0`, `1.5E10`); `NaN`, `Infinity` and `-Infinity`, which JSON does not have, as strings.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_empty_array};
use arrow::datatypes::{DataType, Field, Fields, SchemaRef};
use tidemill_core::format::Encoder;
use tidemill_core::{Error, Result};

use crate::formats::cell::{self, Look};
use crate::formats::column::unsupported;

/// How values are written.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    pub(crate) look: Look,
    pub(crate) ignore_null: bool,
    pub(crate) null_keys: NullKeys,
}

/// What becomes of a NULL key of a map.
#[derive(Debug, Clone)]
pub(crate) enum NullKeys {
    Fail,
    Drop,
    Literal(String),
}

/// Writes rows of one schema.
#[derive(Debug)]
pub(crate) struct JsonEncoder {
    style: Style,
}

impl JsonEncoder {
    pub(crate) fn new(schema: &SchemaRef, style: Style) -> Result<Self> {
        for field in schema.fields() {
            writable(field)?;
        }
        Ok(Self { style })
    }
}

impl Encoder for JsonEncoder {
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let record = Members::new(batch.schema_ref().fields(), batch.columns(), &self.style)?;
        for row in 0..batch.num_rows() {
            record.write(row, out)?;
            out.push(b'\n');
        }
        Ok(())
    }
}

/// Whether a column of this type can be written.
pub(crate) fn writable(field: &Field) -> Result<()> {
    match field.data_type() {
        DataType::Struct(fields) => fields.iter().try_for_each(|f| writable(f)),
        DataType::List(item) => writable(item),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if *pair[0].data_type() == DataType::Utf8 => writable(&pair[1]),
            _ => Err(unsupported("json", field)),
        },
        _ => {
            let none = new_empty_array(field.data_type());
            let style = Style {
                look: Look { separator: b' ', plain_decimal: false },
                ignore_null: false,
                null_keys: NullKeys::Fail,
            };
            value(field, &none, &style).map(drop)
        }
    }
}

/// Writes the value of a row, which is not NULL.
type Value<'a> = Box<dyn Fn(usize, &mut Vec<u8>) -> Result<()> + 'a>;

/// The members of an object.
pub(crate) struct Members<'a> {
    members: Vec<Member<'a>>,
    ignore_null: bool,
}

struct Member<'a> {
    /// The name with quotes and colon.
    name: Vec<u8>,
    array: &'a ArrayRef,
    value: Value<'a>,
}

impl<'a> Members<'a> {
    pub(crate) fn new(fields: &'a Fields, columns: &'a [ArrayRef], style: &'a Style) -> Result<Self> {
        let members = fields.iter().zip(columns).map(|(field, array)| {
            let mut name = vec![];
            write_string(field.name().as_bytes(), &mut name);
            name.push(b':');
            Ok(Member { name, array, value: value(field, array, style)? })
        });
        Ok(Self { members: members.collect::<Result<_>>()?, ignore_null: style.ignore_null })
    }

    /// Appends the object of a row.
    pub(crate) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        out.push(b'{');
        let mut first = true;
        for member in &self.members {
            let null = member.array.is_null(row);
            if null && self.ignore_null {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(&member.name);
            if null {
                out.extend_from_slice(b"null");
            } else {
                (member.value)(row, out)?;
            }
        }
        out.push(b'}');
        Ok(())
    }
}

/// The writer of one column.
fn value<'a>(field: &'a Field, array: &'a ArrayRef, style: &'a Style) -> Result<Value<'a>> {
    if let Some(cell) = cell::cell(array, style.look) {
        return Ok(Box::new(move |row, out| {
            match &cell {
                cell::Cell::Bare(write) => write(row, out),
                cell::Cell::Float(write, finite) if finite(row) => write(row, out),
                cell::Cell::Float(write, _) | cell::Cell::Plain(write) => {
                    out.push(b'"');
                    write(row, out);
                    out.push(b'"');
                }
                cell::Cell::Text(value) => write_string(value(row), out),
            }
            Ok(())
        }));
    }
    match field.data_type() {
        DataType::Null => Ok(Box::new(|_, _| Ok(()))),
        DataType::Struct(fields) => {
            let members = Members::new(fields, array.as_struct().columns(), style)?;
            Ok(Box::new(move |row, out| members.write(row, out)))
        }
        DataType::List(item) => list(item, array, style),
        DataType::Map(entries, _) => map(entries, array, style),
        _ => Err(unsupported("json", field)),
    }
}

fn list<'a>(item: &'a Field, array: &'a ArrayRef, style: &'a Style) -> Result<Value<'a>> {
    let array = array.as_list::<i32>();
    let (values, offsets) = (array.values(), array.value_offsets());
    let write = value(item, values, style)?;
    Ok(Box::new(move |row, out| {
        out.push(b'[');
        for i in offsets[row] as usize..offsets[row + 1] as usize {
            if i > offsets[row] as usize {
                out.push(b',');
            }
            if values.is_null(i) {
                out.extend_from_slice(b"null");
            } else {
                write(i, out)?;
            }
        }
        out.push(b']');
        Ok(())
    }))
}

fn map<'a>(entries: &'a Field, array: &'a ArrayRef, style: &'a Style) -> Result<Value<'a>> {
    let DataType::Struct(pair) = entries.data_type() else {
        return Err(unsupported("json", entries));
    };
    let array = array.as_map();
    let (keys, values, offsets) = (array.keys().as_string::<i32>(), array.values(), array.value_offsets());
    let write = value(&pair[1], values, style)?;
    Ok(Box::new(move |row, out| {
        out.push(b'{');
        let begin = out.len();
        for i in offsets[row] as usize..offsets[row + 1] as usize {
            let key = match (keys.is_null(i), &style.null_keys) {
                (false, _) => keys.value(i),
                (true, NullKeys::Drop) => continue,
                (true, NullKeys::Literal(text)) => text,
                (true, NullKeys::Fail) => {
                    return Err(Error::data("a MAP has a NULL key, which JSON cannot hold")
                        .with_hint("Set 'json.map-null-key.mode' to 'DROP' or 'LITERAL'."));
                }
            };
            if out.len() > begin {
                out.push(b',');
            }
            write_string(key.as_bytes(), out);
            out.push(b':');
            if values.is_null(i) {
                out.extend_from_slice(b"null");
            } else {
                write(i, out)?;
            }
        }
        out.push(b'}');
        Ok(())
    }))
}

/// Appends `text` as a JSON string, with the escapes that JSON asks for and no others.
pub(crate) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut begin = 0;
    for (i, b) in text.iter().enumerate() {
        if *b >= 0x20 && *b != b'"' && *b != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[begin..i]);
        begin = i + 1;
        match b {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]);
            }
        }
    }
    out.extend_from_slice(&text[begin..]);
    out.push(b'"');
}
