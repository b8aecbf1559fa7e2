//! The connector: how many rows, how fast, and the reader that makes them.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tidemill_core::source::{Connector, Piece, Position, ReadRequest, Source, SplitId, SplitReader, Splits};
use tidemill_core::table::TableSpec;
use tidemill_core::{Error, Micros, OptionKind, OptionSpec, Result};

use super::fields::{self, Field};
use crate::pace::{Pace, parse_rate};
use crate::random::Random;

const RATE: OptionSpec = OptionSpec::new(
    "rows-per-second",
    OptionKind::Text,
    "10000",
    "How many rows a second. `0` or `unlimited`: as fast as they are taken.",
);
const ROWS: OptionSpec = OptionSpec::optional(
    "number-of-rows",
    OptionKind::Int,
    "How many rows in all. Without it, and without a sequence, there is no end.",
);
const SEED: OptionSpec = OptionSpec::optional(
    "seed",
    OptionKind::Int,
    "The same seed makes the same rows; times are then counted from 2024-01-01 at the rate, not read from a clock.",
);
const FIELDS: OptionSpec = OptionSpec::optional(
    "fields.*",
    OptionKind::Text,
    "`fields.NAME.kind` = `random` or `sequence`; `.start`, `.end` of a sequence; `.min`, `.max` of numbers; `.length`, \
     `.var-len` of texts, bytes, arrays and maps; `.max-past` of times; `.null-rate`. Below a row `fields.NAME.FIELD.*`, of an \
     array `fields.NAME.element.*`, of a map `fields.NAME.key.*` and `fields.NAME.value.*`.",
);

const NAME: &str = "datagen";
/// 2024-01-01, where the time of seeded rows begins.
const SEEDED_TIME: Micros = 1_704_067_200_000_000;

/// `'connector' = 'datagen'`.
#[derive(Debug)]
pub struct Datagen;

impl Connector for Datagen {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doc(&self) -> &'static str {
        "Makes rows up: random or in sequence, a given number or without end, at a given rate."
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[RATE, ROWS, SEED, FIELDS]
    }

    fn source(&self, table: &TableSpec) -> Result<Arc<dyn Source>> {
        let options = &table.options;
        options.check("connector 'datagen'", &[crate::TABLE_OPTIONS, self.options()])?;
        let Some(schema) = table.schema.clone() else {
            return Err(Error::internal(format!("table '{}' was opened without its columns", table.name)));
        };
        let rate = options.text(&RATE).map(|v| parse_rate(RATE.name, v)).transpose()?.flatten();
        let seed = options.int(&SEED)?;
        let fields = fields::parse(&schema, options, Random::new(seed.unwrap_or_else(rand::random)))?;
        let sequence = fields.iter().filter_map(|f| f.rows).min();
        let rows = [options.int(&ROWS)?, sequence].into_iter().flatten().min();
        Ok(Arc::new(Generator { schema, fields: fields.into(), rate, rows, seeded: seed.is_some() }))
    }
}

#[derive(Debug)]
struct Generator {
    schema: SchemaRef,
    fields: Arc<[Field]>,
    rate: Option<u64>,
    rows: Option<u64>,
    seeded: bool,
}

#[async_trait]
impl Source for Generator {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn bounded(&self) -> bool {
        self.rows.is_some()
    }

    async fn splits(&self) -> Result<Splits> {
        Ok(Splits { splits: vec![NAME.into()], more_later: false })
    }

    async fn open(&self, _: &SplitId, from: Option<&Position>, request: &ReadRequest) -> Result<Box<dyn SplitReader>> {
        Ok(Box::new(Reader {
            schema: Arc::new(self.schema.project(&request.projection)?),
            fields: request.projection.iter().map(|i| self.fields[*i].clone()).collect(),
            next: from.map_or(Ok(0), position)?,
            end: self.rows.unwrap_or(u64::MAX),
            batch_rows: request.batch_rows.max(1),
            pace: Pace::new(self.rate),
            seeded_rate: self.seeded.then(|| self.rate.unwrap_or(10_000)),
        }))
    }
}

fn position(position: &Position) -> Result<u64> {
    let row = position.0.strip_prefix("row:").and_then(|n| n.parse().ok());
    row.ok_or_else(|| Error::external(format!("position '{position}' is not one of connector 'datagen'")))
}

struct Reader {
    schema: SchemaRef,
    fields: Vec<Field>,
    next: u64,
    end: u64,
    batch_rows: usize,
    pace: Pace,
    /// The rate at which the time of seeded rows goes on.
    seeded_rate: Option<u64>,
}

impl Reader {
    fn make(&self, rows: usize) -> Result<RecordBatch> {
        let numbers: Vec<u64> = (self.next..self.next + rows as u64).collect();
        let times = self.times(&numbers);
        let columns = self.fields.iter().map(|f| f.values(&numbers, &times)).collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }

    /// When rows are made: a function of the row where there is a seed, else what the clock says.
    fn times(&self, rows: &[u64]) -> Vec<Micros> {
        let Some(rate) = self.seeded_rate else {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as Micros);
            return vec![now; rows.len()];
        };
        let since = |row: u64| Micros::try_from(u128::from(row) * 1_000_000 / u128::from(rate)).unwrap_or(Micros::MAX);
        rows.iter().map(|row| SEEDED_TIME.saturating_add(since(*row))).collect()
    }
}

#[async_trait]
impl SplitReader for Reader {
    async fn next(&mut self) -> Result<Option<Piece>> {
        let left = usize::try_from(self.end.saturating_sub(self.next)).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(None);
        }
        let rows = self.pace.due(self.batch_rows.min(left)).await;
        let batch = self.make(rows)?;
        self.pace.gave(rows);
        self.next += rows as u64;
        let position = format!("row:{}", self.next).into();
        Ok(Some(Piece { batch, weights: None, rejected: vec![], position, bytes: 0, raw: None }))
    }
}

#[cfg(test)]
mod tests;
