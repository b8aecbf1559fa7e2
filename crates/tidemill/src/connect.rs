//! Tables of `CREATE TABLE`, over the connectors that were built in.

use std::sync::Arc;

use async_trait::async_trait;
use tidemill_core::table::TableSpec;
use tidemill_core::{Error, Result};
use tidemill_sql::bind::{Connect, Connected};

/// Finds the connector that a table names.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Connectors;

#[async_trait]
impl Connect for Connectors {
    async fn connect(&self, mut spec: TableSpec) -> Result<Connected> {
        let Some(name) = spec.options.get("connector") else {
            return Err(Error::statement(format!("table '{}' names no connector", spec.name))
                .with_nearest("", tidemill_connectors::connectors().iter().map(|c| c.name()))
                .with_hint("Write WITH ('connector' = 'filesystem', ..)."));
        };
        let connector = tidemill_connectors::connector(name)?;
        if spec.schema.is_none() {
            spec.schema = Some(connector.infer_schema(&spec).await?);
        }
        let schema = spec.schema.clone().ok_or_else(|| Error::internal("a table without columns"))?;
        Ok(Connected {
            schema,
            metadata: connector.metadata(),
            source: Arc::new(move |spec| connector.source(spec)),
            sink: Arc::new(move |spec| connector.sink(spec)),
        })
    }
}
