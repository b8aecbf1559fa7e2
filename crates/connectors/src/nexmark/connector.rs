//! The connector and its reader.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tidemill_core::source::{Connector, Piece, Position, ReadRequest, Source, SplitId, SplitReader, Splits};
use tidemill_core::table::TableSpec;
use tidemill_core::{Error, OptionSpec, Result};

use super::config::Config;
use super::options::{self, Settings, settings};
use super::table::{self, Column, Rows};
use crate::pace::Pace;

const NAME: &str = "nexmark";

/// `'connector' = 'nexmark'`.
#[derive(Debug)]
pub struct Nexmark;

#[async_trait]
impl Connector for Nexmark {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doc(&self) -> &'static str {
        "The events of the Nexmark benchmark, an auction site: people, auctions and bids. The same seed makes the same events. \
         The columns may be left out."
    }

    fn options(&self) -> &'static [OptionSpec] {
        options::OPTIONS
    }

    async fn infer_schema(&self, table: &TableSpec) -> Result<SchemaRef> {
        Ok(settings(&table.options)?.rows.schema())
    }

    fn source(&self, table: &TableSpec) -> Result<Arc<dyn Source>> {
        let settings = settings(&table.options)?;
        let schema = table.schema.clone().unwrap_or_else(|| settings.rows.schema());
        let columns = settings.rows.columns(&schema)?;
        Ok(Arc::new(Events { settings, schema, columns }))
    }
}

#[derive(Debug)]
struct Events {
    settings: Settings,
    schema: SchemaRef,
    columns: Vec<Column>,
}

#[async_trait]
impl Source for Events {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn bounded(&self) -> bool {
        self.settings.events.is_some()
    }

    async fn splits(&self) -> Result<Splits> {
        Ok(Splits { splits: vec![NAME.into()], more_later: false })
    }

    async fn open(&self, _: &SplitId, from: Option<&Position>, request: &ReadRequest) -> Result<Box<dyn SplitReader>> {
        Ok(Box::new(Reader {
            rows: self.settings.rows,
            config: self.settings.config.clone(),
            schema: Arc::new(self.schema.project(&request.projection)?),
            columns: request.projection.iter().map(|i| self.columns[*i].clone()).collect(),
            next: from.map_or(Ok(0), position)?,
            end: self.settings.events.unwrap_or(u64::MAX),
            batch_rows: request.batch_rows.max(1),
            pace: Pace::new(self.settings.rows_per_second),
        }))
    }
}

fn position(position: &Position) -> Result<u64> {
    let event = position.0.strip_prefix("event:").and_then(|n| n.parse().ok());
    event.ok_or_else(|| Error::external(format!("position '{position}' is not one of connector 'nexmark'")))
}

struct Reader {
    rows: Rows,
    config: Config,
    schema: SchemaRef,
    columns: Vec<Column>,
    /// The place of the next event among all events.
    next: u64,
    end: u64,
    batch_rows: usize,
    pace: Pace,
}

#[async_trait]
impl SplitReader for Reader {
    async fn next(&mut self) -> Result<Option<Piece>> {
        if self.next >= self.end {
            return Ok(None);
        }
        let due = self.pace.due(self.batch_rows).await;
        let (ids, next) = self.rows.ids(&self.config, self.next..self.end, due);
        let batch = table::rows(&self.config, &ids, &self.columns, &self.schema)?;
        self.pace.gave(ids.len());
        self.next = next;
        let position = format!("event:{next}").into();
        Ok(Some(Piece { batch, weights: None, rejected: vec![], position, bytes: 0, raw: None }))
    }
}

#[cfg(test)]
mod tests;
