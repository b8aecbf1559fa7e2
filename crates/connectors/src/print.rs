//! `'connector' = 'print'`: changes on standard output, one a line: `+I[a, 1]`, `-U[a, 1]`, `+U[a, 2]`, `-D[a, 2]`.
//!
//! A retraction and the insertion right after it are an update where the primary key is the same (or none is declared);
//! otherwise they are a deletion and an insertion.

mod changes;

use std::io::Write;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tidemill_core::sink::{Accepts, Sink, SinkWriter};
use tidemill_core::source::Connector;
use tidemill_core::table::TableSpec;
use tidemill_core::{Delta, Error, OptionKind, OptionSpec, Result};

use crate::changelog::Written;

const IDENTIFIER: OptionSpec =
    OptionSpec::optional("print-identifier", OptionKind::Text, "Text before each line, followed by `> `.");
const STANDARD_ERROR: OptionSpec =
    OptionSpec::new("standard-error", OptionKind::Bool, "false", "Write to standard error instead.");

/// `'connector' = 'print'`.
#[derive(Debug)]
pub struct Print;

impl Connector for Print {
    fn name(&self) -> &'static str {
        "print"
    }

    fn doc(&self) -> &'static str {
        "Writes each change as a line to standard output: `+I[..]` inserted, `-U[..]` and `+U[..]` before and after an \
         update, `-D[..]` deleted."
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[IDENTIFIER, STANDARD_ERROR]
    }

    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn Sink>> {
        let options = &table.options;
        options.check("connector 'print'", &[crate::TABLE_OPTIONS, self.options()])?;
        Written::plain(table, "print")?;
        let Some(schema) = table.schema.clone() else {
            return Err(Error::internal(format!("table '{}' was opened without its columns", table.name)));
        };
        let prefix = options.text(&IDENTIFIER).filter(|i| !i.is_empty()).map_or(String::new(), |i| format!("{i}> "));
        let key = table.primary_key.iter().filter_map(|k| schema.index_of(k).ok()).collect();
        Ok(Arc::new(Printer { schema, key, prefix: prefix.into(), to_stderr: options.bool(&STANDARD_ERROR)? }))
    }
}

#[derive(Debug)]
struct Printer {
    schema: SchemaRef,
    key: Vec<usize>,
    prefix: Arc<str>,
    to_stderr: bool,
}

#[async_trait]
impl Sink for Printer {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn accepts(&self) -> Accepts {
        Accepts::Retract
    }

    fn key(&self) -> Vec<usize> {
        self.key.clone()
    }

    async fn open(&self) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Lines { key: self.key.clone(), prefix: self.prefix.clone(), to_stderr: self.to_stderr }))
    }
}

struct Lines {
    key: Vec<usize>,
    prefix: Arc<str>,
    to_stderr: bool,
}

#[async_trait]
impl SinkWriter for Lines {
    async fn write(&mut self, delta: &Delta) -> Result<()> {
        let mut out = String::new();
        changes::lines(delta, &self.key, &self.prefix, &mut out)?;
        // One write a delta, so that lines of other writers come between deltas and never into a line.
        if self.to_stderr {
            std::io::stderr().lock().write_all(out.as_bytes())?;
        } else {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(out.as_bytes())?;
            stdout.flush()?;
        }
        Ok(())
    }

    async fn publish(&mut self) -> Result<()> {
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
