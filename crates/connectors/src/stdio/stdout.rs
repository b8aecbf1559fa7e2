//! Writes records to standard output.

use std::io::Write;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tidemill_core::format::{Encoder, Format};
use tidemill_core::sink::{Accepts, Sink, SinkWriter};
use tidemill_core::source::Connector;
use tidemill_core::table::TableSpec;
use tidemill_core::{Delta, Error, OptionSpec, OptionValues, Result};

use super::FORMAT;
use crate::changelog::Written;

const NAME: &str = "stdout";

/// `'connector' = 'stdout'`.
#[derive(Debug)]
pub struct Stdout;

impl Connector for Stdout {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doc(&self) -> &'static str {
        "Writes records to the standard output of the process. Results that are updated need a format of changes \
         (`debezium-json`), a `changelog.operation-column`, or `print`."
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[FORMAT]
    }

    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn Sink>> {
        let format = super::format(table, NAME)?;
        let written = Arc::new(Written::new(table, Some(format))?);
        let Some(schema) = table.schema.clone() else {
            return Err(Error::internal(format!("table '{}' was opened without its columns", table.name)));
        };
        format.encoder(&schema, &table.options)?;
        Ok(Arc::new(Output { format, schema, written, options: table.options.clone() }))
    }
}

#[derive(Debug)]
struct Output {
    format: &'static dyn Format,
    schema: SchemaRef,
    written: Arc<Written>,
    options: OptionValues,
}

#[async_trait]
impl Sink for Output {
    fn schema(&self) -> SchemaRef {
        self.written.schema.clone()
    }

    fn accepts(&self) -> Accepts {
        self.written.accepts()
    }

    fn key(&self) -> Vec<usize> {
        self.written.key.clone()
    }

    async fn open(&self) -> Result<Box<dyn SinkWriter>> {
        let encoder = self.format.encoder(&self.schema, &self.options)?;
        Ok(Box::new(Records { encoder, written: self.written.clone(), text: vec![], begun: false }))
    }
}

struct Records {
    encoder: Box<dyn Encoder>,
    written: Arc<Written>,
    text: Vec<u8>,
    begun: bool,
}

impl Records {
    fn encode(&mut self, delta: &Delta) -> Result<()> {
        self.text.clear();
        if !std::mem::replace(&mut self.begun, true) {
            self.encoder.header(&mut self.text);
        }
        let records = self.written.records(delta)?;
        match self.written.by_format() {
            true => self.encoder.encode_changes(&records, &self.written.key, &mut self.text),
            false => self.encoder.encode(&records.batch, &mut self.text),
        }
    }
}

#[async_trait]
impl SinkWriter for Records {
    async fn write(&mut self, delta: &Delta) -> Result<()> {
        self.encode(delta)?;
        // One write a delta, so that lines of other writers come between deltas and never into a line.
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&self.text)?;
        Ok(stdout.flush()?)
    }

    async fn publish(&mut self) -> Result<()> {
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn a_weight_of_two_is_two_records_and_a_retraction_is_a_bug() {
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let format = crate::formats::format("json").unwrap();
        let encoder = format.encoder(&schema, &OptionValues::default()).unwrap();
        let table = TableSpec {
            name: "t".into(),
            schema: Some(schema),
            metadata: vec![],
            partition_by: vec![],
            primary_key: vec![],
            options: OptionValues::default(),
        };
        let written = Arc::new(Written::new(&table, Some(format)).unwrap());
        let mut records = Records { encoder, written, text: vec![], begun: false };
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("other", column)]).unwrap();
        records.encode(&Delta::weighted(batch.clone(), Int64Array::from(vec![2, 1]))).unwrap();
        assert_eq!(String::from_utf8_lossy(&records.text), "{\"n\":1}\n{\"n\":1}\n{\"n\":2}\n");
        let e = records.encode(&Delta::weighted(batch, Int64Array::from(vec![1, -1]))).unwrap_err();
        assert_eq!(e.kind(), tidemill_core::ErrorKind::Internal);
    }
}
