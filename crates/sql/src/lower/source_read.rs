//! What is read of a table: the columns to decode, its event time and its watermark. For the rim of the dataflow, and for the
//! batch side of the law, where that has to read as the rim does.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, Operator};
use tidemill_core::{Error, Micros, Result};
use tidemill_plan::op::{EventTime, SourceInput, SourceOp, WatermarkExpr};

use super::changelog::{needed, projected, table_changelog};
use crate::catalog::{ColumnKind, StreamScan};
use crate::error::planning;

/// A table as it is read.
#[derive(Debug)]
pub struct SourceRead {
    /// The source.
    pub op: SourceOp,
    /// The columns of its output, as the table declares them.
    pub schema: SchemaRef,
    /// Which column of the scan each of them is.
    pub columns: Vec<usize>,
}

/// Reads `columns` of the table of `scan`, with whatever its event time and its watermark need.
///
/// # Errors
/// If the table's options contradict each other, or a declared expression cannot be computed.
pub fn source_read(scan: &StreamScan, columns: &BTreeSet<usize>, state: &SessionState) -> Result<SourceRead> {
    let table = &scan.table;
    let all = scan.source.schema();
    let place = |name: &str| all.index_of(name).map_err(|_| Error::internal(format!("no column '{name}' to decode")));
    let mut projection: BTreeSet<usize> = columns.iter().copied().filter(|c| *c < all.fields().len()).collect();
    if let Some(time) = &table.event_time {
        let column = &table.columns[time.column];
        let reads: Vec<&Expr> = match &column.kind {
            ColumnKind::Computed { expr, .. } => vec![expr, &time.watermark],
            _ => {
                projection.insert(place(column.field.name())?);
                vec![&time.watermark]
            }
        };
        for read in reads.into_iter().flat_map(Expr::column_refs) {
            if read.name != *column.field.name() {
                projection.insert(place(&read.name)?);
            }
        }
    }
    let changelog = table_changelog(scan)?;
    if let Some(changelog) = &changelog {
        projection.extend(needed(changelog, scan, columns.iter().copied())?);
    }
    let projection: Vec<usize> = projection.into_iter().collect();
    let changelog = changelog.map(|c| projected(&c, &projection)).transpose()?;
    let mut fields: Vec<FieldRef> = projection.iter().map(|i| Arc::clone(&all.fields()[*i])).collect();
    let mut columns = projection.clone();
    let event_time = match &table.event_time {
        None => None,
        Some(time) => {
            let column = &table.columns[time.column];
            let decoded = Schema::new(fields.clone());
            let (place, computed) = match &column.kind {
                ColumnKind::Computed { expr, .. } => {
                    let field = Arc::clone(&scan_field(scan));
                    let value = over(state, expr.as_ref().clone(), &decoded)?;
                    fields.push(Arc::clone(&field));
                    columns.push(all.fields().len());
                    (fields.len() - 1, Some((field, value)))
                }
                _ => {
                    let at = place(column.field.name())?;
                    let at = projection.iter().position(|p| *p == at);
                    (at.ok_or_else(|| Error::internal("the event time is not decoded"))?, None)
                }
            };
            let watermark = match delay(&time.watermark, column.field.name()) {
                Some(delay) => WatermarkExpr::Delay(delay),
                None => WatermarkExpr::Expr(over(state, time.watermark.clone(), &Schema::new(fields.clone()))?),
            };
            Some(EventTime { column: place, computed, watermark, text: time.text.clone() })
        }
    };
    let op = SourceOp {
        name: table.name.clone(),
        input: SourceInput::Table(Arc::clone(&scan.source)),
        projection,
        event_time,
        idle_timeout: table.idle_timeout,
        on_error: table.on_error,
        changelog,
    };
    Ok(SourceRead { op, schema: Arc::new(Schema::new(fields)), columns })
}

/// A declared expression over columns of a table, its types coerced.
fn over(state: &SessionState, expr: Expr, schema: &Schema) -> Result<tidemill_plan::op::Expr> {
    let schema = DFSchema::try_from(schema.clone()).map_err(planning)?;
    state.create_physical_expr(expr, &schema).map_err(planning)
}

/// The field of a computed event-time column: the last one of the table's own.
fn scan_field(scan: &StreamScan) -> FieldRef {
    use datafusion::logical_expr::TableSource;
    Arc::clone(&scan.schema().fields()[scan.own_columns() - 1])
}

/// The delay of a watermark `time` or `time - INTERVAL ..`, if it is that, and a length that no calendar changes.
fn delay(watermark: &Expr, time: &str) -> Option<Micros> {
    match watermark {
        Expr::Column(Column { name, .. }) if name == time => Some(0),
        Expr::Alias(alias) => delay(&alias.expr, time),
        Expr::Cast(cast) => delay(&cast.expr, time),
        Expr::BinaryExpr(binary) if binary.op == Operator::Minus => {
            let behind = delay(&binary.left, time)?;
            let length = interval(&binary.right)?;
            Some(behind + length).filter(|d| *d >= 0)
        }
        _ => None,
    }
}

/// The length of a constant interval, if no calendar changes it.
pub(super) fn interval(expr: &Expr) -> Option<Micros> {
    const DAY: Micros = 86_400_000_000;
    match expr {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(i)), _) if i.months == 0 && i.nanoseconds % 1_000 == 0 => {
            Some(i64::from(i.days) * DAY + i.nanoseconds / 1_000)
        }
        Expr::Literal(ScalarValue::IntervalDayTime(Some(i)), _) => {
            Some(i64::from(i.days) * DAY + i64::from(i.milliseconds) * 1_000)
        }
        Expr::Alias(alias) => interval(&alias.expr),
        Expr::Cast(cast) => interval(&cast.expr),
        _ => None,
    }
}
