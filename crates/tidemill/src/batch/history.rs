//! The versions that the rows of a table of changes had: what a batch run reads of a table that is joined `FOR SYSTEM_TIME AS OF`.
//! The rows that are there at the end say nothing of the past, so that this is what the law is stated over.
//!
//! Records are taken in as at the rim of the dataflow, since when a row is gone depends on the watermark of its split. From there on
//! row by row and without cleverness on purpose: this is what the dataflow is compared with.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::execution::SessionState;
use datafusion::logical_expr::TableSource;
use tidemill_core::source::Piece;
use tidemill_core::{Delta, Error, Position, Result};
use tidemill_dataflow::changelog::ROW_BEFORE_UPDATE;
use tidemill_dataflow::ingest::Ingest;
use tidemill_sql::catalog::StreamScan;
use tidemill_sql::lower::source_read::source_read;

/// The row of a key: where it stands, and since when.
type There = (u32, i64);

/// All versions of all rows, in the columns of `scan`.
pub(super) fn rows(scan: &StreamScan, state: &SessionState, records: Vec<Vec<Delta>>) -> Result<Vec<RecordBatch>> {
    let read = source_read(scan, &(0..scan.own_columns()).collect(), state)?;
    let (Some(changelog), Some(event_time)) = (&read.op.changelog, &read.op.event_time) else {
        return Err(Error::internal("the history of a table that has none"));
    };
    let key = &changelog.key;
    let sort = key.iter().map(|c| SortField::new(read.schema.field(*c).data_type().clone())).collect();
    let converter = RowConverter::new(sort)?;
    let mut taken_in = vec![];
    let mut there: HashMap<OwnedRow, There> = HashMap::new();
    // Which record, from when on, and whether it is gone then.
    let mut versions: Vec<(u32, i64, bool)> = vec![];
    let mut before = 0;
    for split in records {
        let mut ingest = Ingest::new(&read.op, scan.source.schema())?;
        for record in split {
            let delta = ingest.take(piece(record))?.delta;
            let keys: Vec<_> = key.iter().map(|c| delta.batch.column(*c).clone()).collect();
            let keys = converter.convert_columns(&keys)?;
            let times = nanoseconds(delta.batch.column(event_time.column))?;
            for (row, key) in keys.iter().enumerate() {
                let at = before + row as u32;
                let time = times.is_valid(row).then(|| times.value(row));
                match delta.weights.as_ref().map_or(1, |w| w.value(row)) {
                    ROW_BEFORE_UPDATE => {}
                    1.. => {
                        let time = time.ok_or_else(|| Error::internal("a row without an event time"))?;
                        there.insert(key.owned(), (at, time));
                        versions.push((at, time, false));
                    }
                    _ => {
                        let Some((found, since)) = there.remove(&key.owned()) else { continue };
                        let promised = delta.split_watermark.as_ref().map_or(i64::MIN, |w| w.value(row));
                        let from = time.unwrap_or(since).max(since).max(promised.saturating_mul(1_000));
                        versions.push((found, from, true));
                    }
                }
            }
            before += delta.num_rows() as u32;
            taken_in.push(delta.batch);
        }
    }
    let Some(first) = taken_in.first() else { return Ok(vec![]) };
    let all = concat_batches(&first.schema(), &taken_in)?;
    let rows: UInt32Array = versions.iter().map(|(row, ..)| *row).collect();
    let mut columns = arrow::compute::take_arrays(all.columns(), &rows, None)?;
    let times = versions.iter().map(|(_, time, _)| *time).collect();
    columns[event_time.column] = of_nanoseconds(times, columns[event_time.column].data_type())?;
    columns.push(Arc::new(Int64Array::from_iter_values(0..versions.len() as i64)));
    columns.push(Arc::new(BooleanArray::from_iter(versions.iter().map(|(.., gone)| Some(*gone)))));
    Ok(vec![RecordBatch::try_new(scan.schema(), columns)?])
}

fn piece(record: Delta) -> Piece {
    Piece {
        batch: record.batch,
        weights: record.weights,
        rejected: vec![],
        position: Position("".into()),
        bytes: 0,
        raw: None,
    }
}

fn nanoseconds(times: &ArrayRef) -> Result<Int64Array> {
    let zone = match times.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        other => return Err(Error::internal(format!("a time of type {other}"))),
    };
    let fine = cast(times, &DataType::Timestamp(TimeUnit::Nanosecond, zone))?;
    Ok(fine.to_data().into_builder().data_type(DataType::Int64).build()?.into())
}

/// Times in a unit that may be coarser, none of them before what it was.
fn of_nanoseconds(times: Vec<i64>, to: &DataType) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, _) = to else { return Err(Error::internal(format!("a time of type {to}"))) };
    let tick = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    let up = |t: i64| t.div_euclid(tick) + i64::from(t.rem_euclid(tick) > 0);
    let ticks: Int64Array = times.into_iter().map(up).collect();
    Ok(arrow::array::make_array(ticks.into_data().into_builder().data_type(to.clone()).build()?))
}
