//! `'connector' = 'blackhole'`: takes everything and keeps nothing, to measure a query without its sink.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tidemill_core::sink::{Accepts, Sink, SinkWriter};
use tidemill_core::source::Connector;
use tidemill_core::table::TableSpec;
use tidemill_core::{Delta, Error, OptionSpec, Result};

use crate::changelog::Written;

/// `'connector' = 'blackhole'`.
#[derive(Debug)]
pub struct Blackhole;

impl Connector for Blackhole {
    fn name(&self) -> &'static str {
        "blackhole"
    }

    fn doc(&self) -> &'static str {
        "Takes all changes and keeps none: to measure a query without its sink."
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[]
    }

    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn Sink>> {
        table.options.check("connector 'blackhole'", &[crate::TABLE_OPTIONS])?;
        Written::plain(table, "blackhole")?;
        let Some(schema) = table.schema.clone() else {
            return Err(Error::internal(format!("table '{}' was opened without its columns", table.name)));
        };
        Ok(Arc::new(Hole(schema)))
    }
}

#[derive(Debug)]
struct Hole(SchemaRef);

#[async_trait]
impl Sink for Hole {
    fn schema(&self) -> SchemaRef {
        self.0.clone()
    }

    fn accepts(&self) -> Accepts {
        Accepts::Retract
    }

    fn wants_net_changes(&self) -> bool {
        false
    }

    async fn open(&self) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Nothing))
    }
}

struct Nothing;

#[async_trait]
impl SinkWriter for Nothing {
    async fn write(&mut self, _delta: &Delta) -> Result<()> {
        Ok(())
    }

    async fn publish(&mut self) -> Result<()> {
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
