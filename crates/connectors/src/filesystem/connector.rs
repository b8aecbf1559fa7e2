//! The connector itself: which tables it makes.

use std::sync::Arc;

use arrow::datatypes::{Field, SchemaRef};
use async_trait::async_trait;
use tidemill_core::sink::Sink;
use tidemill_core::source::{Connector, Source};
use tidemill_core::table::TableSpec;
use tidemill_core::{OptionSpec, Result};

use super::sink::FileSink;
use super::source::FileSource;
use super::{columns, infer, options};

/// `'connector' = 'filesystem'`.
#[derive(Debug)]
pub struct Filesystem;

#[async_trait]
impl Connector for Filesystem {
    fn name(&self) -> &'static str {
        "filesystem"
    }

    fn doc(&self) -> &'static str {
        "Files: of this machine, or of an object store that a URL names. A source reads a file, a directory with all below \
         it, or a glob, in name order; it ends with the last file, or follows new files and appended lines. A sink writes \
         files into a directory; they become visible when they are complete, and their names are in the order in which one run wrote them. `PARTITIONED BY` columns are directories \
         `name=value`."
    }

    fn options(&self) -> &'static [OptionSpec] {
        options::OPTIONS
    }

    fn metadata(&self) -> Vec<Field> {
        columns::metadata()
    }

    async fn infer_schema(&self, table: &TableSpec) -> Result<SchemaRef> {
        infer::schema(table).await
    }

    fn source(&self, table: &TableSpec) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(FileSource::new(table)?))
    }

    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(FileSink::new(table)?))
    }
}
