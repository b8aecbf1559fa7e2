//! The columns of a Nexmark table, and how they are made.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, RecordBatchOptions, StructArray, UInt32Array};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options, take};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use tidemill_core::{Error, Result};

use super::config::{Config, Kind};
use super::{auction, bid, person};
use crate::formats::sql_type;

/// A field that can be made: name and type.
pub(crate) type Made = (&'static str, DataType);

pub(crate) const NUMBER: DataType = DataType::Int64;
pub(crate) const TEXT: DataType = DataType::Utf8;
pub(crate) const TIME: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// What the rows of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Events of one kind.
    Only(Kind),
    /// All events, each in the column of its kind.
    All,
}

/// One column of a table.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    target: Field,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    /// 0 for a person, 1 for an auction, 2 for a bid.
    EventType,
    /// A field of the events.
    Field(Kind, usize),
    /// The fields of the events of a kind, NULL for the others.
    Row(Kind, Vec<Column>),
}

impl Kind {
    const ALL: [(&'static str, Self); 3] = [("person", Self::Person), ("auction", Self::Auction), ("bid", Self::Bid)];

    fn fields(self) -> &'static [Made] {
        match self {
            Self::Person => person::FIELDS,
            Self::Auction => auction::FIELDS,
            Self::Bid => bid::FIELDS,
        }
    }

    fn column(self, config: &Config, ids: &[u64], field: usize) -> ArrayRef {
        match self {
            Self::Person => person::column(config, ids, field),
            Self::Auction => auction::column(config, ids, field),
            Self::Bid => bid::column(config, ids, field),
        }
    }
}

impl Rows {
    /// The columns of the public benchmark.
    pub(crate) fn schema(self) -> SchemaRef {
        let of = |kind: Kind| -> Fields {
            kind.fields().iter().map(|(name, of)| Field::new(*name, of.clone(), true)).collect()
        };
        Arc::new(Schema::new(match self {
            Self::Only(kind) => of(kind),
            Self::All => std::iter::once(Field::new("event_type", DataType::Int32, true))
                .chain(Kind::ALL.map(|(name, kind)| Field::new(name, DataType::Struct(of(kind)), true)))
                .collect(),
        }))
    }

    /// The events among `places` that are rows of the table, at most `most`, and the place after them.
    pub(crate) fn ids(self, config: &Config, places: std::ops::Range<u64>, most: usize) -> (Vec<u64>, u64) {
        let mut ids = Vec::with_capacity(most);
        let mut place = places.start;
        while place < places.end && ids.len() < most {
            let id = config.event_at(place);
            if self == Self::All || self == Self::Only(config.kind(id)) {
                ids.push(id);
            }
            place += 1;
        }
        (ids, place)
    }

    /// How the declared columns of `schema` are made. Names match exactly, or else without case and underscores.
    pub(crate) fn columns(self, schema: &Schema) -> Result<Vec<Column>> {
        schema.fields().iter().map(|field| self.column(field)).collect()
    }

    fn column(self, field: &Field) -> Result<Column> {
        let what = match self {
            Self::Only(kind) => return field_of(kind, field, ""),
            Self::All if same(field.name(), "event_type") => What::EventType,
            Self::All => {
                let Some((_, kind)) = Kind::ALL.iter().find(|(name, _)| same(field.name(), name)) else {
                    return Err(unknown(field.name(), ["event_type", "person", "auction", "bid"]).with_hint(
                        "It has event_type, person, auction and bid; 'table' = 'bid' has the fields of bids.",
                    ));
                };
                let DataType::Struct(parts) = field.data_type() else {
                    return Err(Error::statement(format!("column '{}' of connector 'nexmark' is a ROW", field.name())));
                };
                if !field.is_nullable() {
                    let message = format!("column '{}' cannot be NOT NULL: an event is of one kind only", field.name());
                    return Err(Error::statement(message));
                }
                let prefix = format!("{}.", field.name());
                What::Row(*kind, parts.iter().map(|p| field_of(*kind, p, &prefix)).collect::<Result<_>>()?)
            }
        };
        Ok(Column { target: field.clone(), what })
    }
}

fn field_of(kind: Kind, field: &Field, prefix: &str) -> Result<Column> {
    let made = kind.fields();
    let found = made.iter().position(|(name, _)| name == field.name());
    let Some(i) = found.or_else(|| made.iter().position(|(name, _)| same(name, field.name()))) else {
        return Err(unknown(&format!("{prefix}{}", field.name()), made.iter().map(|(name, _)| *name)));
    };
    if !can_cast_types(&made[i].1, field.data_type()) {
        let message = format!("column '{prefix}{}' of connector 'nexmark' is {}", field.name(), sql_type(&made[i].1));
        return Err(Error::statement(format!("{message}, which cannot be read as {}", sql_type(field.data_type()))));
    }
    Ok(Column { target: field.clone(), what: What::Field(kind, i) })
}

fn unknown<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    Error::statement(format!("connector 'nexmark' has no column '{name}'")).with_nearest(name, known)
}

fn same(a: &str, b: &str) -> bool {
    let plain = |s: &str| s.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect::<String>();
    plain(a) == plain(b)
}

/// The events `ids` as rows of `columns`.
pub(crate) fn rows(config: &Config, ids: &[u64], columns: &[Column], schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = columns.iter().map(|c| c.values(config, ids)).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(ids.len()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

impl Column {
    fn values(&self, config: &Config, ids: &[u64]) -> Result<ArrayRef> {
        let made: ArrayRef = match &self.what {
            What::EventType => Arc::new(Int32Array::from_iter_values(ids.iter().map(|id| config.kind(*id) as i32))),
            What::Field(kind, field) => kind.column(config, ids, *field),
            What::Row(kind, parts) => self.scattered(config, *kind, parts, ids)?,
        };
        if made.data_type() == self.target.data_type() {
            return Ok(made);
        }
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(&made, self.target.data_type(), &options).map_err(|e| {
            Error::data(format!("column '{}' of connector 'nexmark': {e}", self.target.name())).caused_by(e)
        })
    }

    /// Makes the events of `kind`, and puts them where they belong among all.
    fn scattered(&self, config: &Config, kind: Kind, parts: &[Column], ids: &[u64]) -> Result<ArrayRef> {
        let mut of_kind = Vec::with_capacity(ids.len());
        let places: UInt32Array = (ids.iter())
            .map(|id| {
                (config.kind(*id) == kind).then(|| {
                    of_kind.push(*id);
                    of_kind.len() as u32 - 1
                })
            })
            .collect();
        let columns = parts.iter().map(|p| p.values(config, &of_kind)).collect::<Result<Vec<_>>>()?;
        let fields: Fields = parts.iter().map(|p| p.target.clone()).collect();
        let dense: ArrayRef = Arc::new(StructArray::try_new_with_length(fields, columns, None, of_kind.len())?);
        let rows = take(&dense, &places, None)?;
        debug_assert_eq!(rows.as_struct().len(), ids.len(), "a row for each event");
        Ok(rows)
    }
}
