//! Changes into records, over the encoder of `json`.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tidemill_core::format::Encoder;
use tidemill_core::{Delta, Result};

use crate::changes::{Change, Changes};
use crate::formats::json::encode::{Members, Style, writable};

/// Writes changes of rows of one schema.
pub(super) struct DebeziumEncoder {
    style: Style,
}

impl DebeziumEncoder {
    pub(super) fn new(schema: &SchemaRef, style: Style) -> Result<Self> {
        schema.fields().iter().try_for_each(|f| writable(f))?;
        Ok(Self { style })
    }
}

impl Encoder for DebeziumEncoder {
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        self.encode_changes(&Delta::insert(batch.clone()), &[], out)
    }

    fn encode_changes(&mut self, delta: &Delta, key: &[usize], out: &mut Vec<u8>) -> Result<()> {
        let row = Members::new(delta.batch.schema_ref().fields(), delta.batch.columns(), &self.style)?;
        for change in Changes::by_key(delta, key)? {
            let (before, after, op) = match change {
                Change::Insert(after) => (None, Some(after), "c"),
                Change::Delete(before) => (Some(before), None, "d"),
                Change::Update { before, after } => (Some(before), Some(after), "u"),
            };
            for (name, side) in [("{\"before\":", before), (",\"after\":", after)] {
                out.extend_from_slice(name.as_bytes());
                match side {
                    Some(side) => row.write(side, out)?,
                    None => out.extend_from_slice(b"null"),
                }
            }
            out.extend_from_slice(format!(",\"op\":\"{op}\"}}\n").as_bytes());
        }
        Ok(())
    }
}
