//! Tables. A table is read once, whoever reads it: what all queries want of it is known before the first is lowered.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator, TableScan};
use tidemill_core::{ChangeMode, Error, Micros, Result};
use tidemill_plan::op::{EventTime, NormalizeOp, OnError, SourceInput, SourceOp, StreamOp, WatermarkExpr};
use tidemill_plan::{Edge, NodeId};

use super::bounded::each_scan;
use super::changelog::{needed, projected, table_changelog};
use super::emission::Emission;
use super::express::Layout;
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Origin, Relation, Slot};
use super::sort::limited;
use crate::catalog::{ColumnKind, StreamScan, SystemTable};
use crate::error::planning;

/// The tables that the queries of a file read.
#[derive(Debug, Default)]
pub(super) struct Sources {
    tables: Vec<Wanted>,
    system: Vec<(SystemTable, NodeId)>,
    ambiguous: bool,
}

/// A table, and what is wanted of it.
#[derive(Debug)]
struct Wanted {
    /// What plans call it.
    called: String,
    scan: StreamScan,
    /// Columns of the scan.
    columns: BTreeSet<usize>,
    lowered: Option<LoweredSource>,
}

/// The node of a table, and for each of its columns which one of the scan it is.
#[derive(Debug, Clone)]
struct LoweredSource {
    node: NodeId,
    columns: Vec<usize>,
}

impl Sources {
    /// Notes what `plan` reads.
    pub(super) fn want(&mut self, plan: &LogicalPlan) -> Result<()> {
        let mut result = Ok(());
        each_scan(plan, &mut |scan| {
            if result.is_ok() {
                result = self.want_scan(scan);
            }
        });
        result
    }

    fn want_scan(&mut self, scan: &TableScan) -> Result<()> {
        let Some(stream) = scan.source.downcast_ref::<StreamScan>() else { return Ok(()) };
        let called = scan.table_name.to_string();
        let mut columns: BTreeSet<usize> = match &scan.projection {
            Some(projection) => projection.iter().copied().collect(),
            None => (0..scan.source.schema().fields().len()).collect(),
        };
        for column in scan.filters.iter().flat_map(Expr::column_refs) {
            columns.insert(scan.source.schema().index_of(&column.name)?);
        }
        match self.tables.iter_mut().find(|w| same_table(&w.scan, stream)) {
            Some(wanted) => wanted.columns.extend(columns),
            None => {
                self.ambiguous |= self.tables.iter().any(|w| w.called == called);
                self.tables.push(Wanted { called, scan: stream.clone(), columns, lowered: None });
            }
        }
        Ok(())
    }

    /// Whether all tables end.
    pub(super) fn all_bounded(&self) -> bool {
        self.tables.iter().all(|w| w.scan.source.bounded())
    }

    /// Whether equal plans read the same tables. Not so where two scans of one name have other options.
    pub(super) fn plans_tell_tables_apart(&self) -> bool {
        !self.ambiguous
    }
}

/// A hint in a query can change a table's options, and then it is another table.
fn same_table(a: &StreamScan, b: &StreamScan) -> bool {
    a.table.name == b.table.name && a.table.spec.options == b.table.spec.options
}

impl Lowering<'_> {
    pub(super) fn scan(&mut self, scan: &TableScan, emission: Emission) -> Lower<Relation> {
        let rows = self.scan_all(scan)?;
        match scan.fetch {
            Some(fetch) => self.first_rows(rows, &scan.projected_schema, limited(&[], 0, Some(fetch as u64)), emission),
            None => Ok(rows),
        }
    }

    /// All rows of a table, whatever limit the scan has.
    pub(super) fn scan_all(&mut self, scan: &TableScan) -> Lower<Relation> {
        let wanted: Vec<usize> = match &scan.projection {
            Some(projection) => projection.clone(),
            None => (0..scan.source.schema().fields().len()).collect(),
        };
        if let Some(table) = scan.source.downcast_ref::<SystemTable>() {
            let node = self.system_table(*table);
            let slots = wanted.iter().map(|i| Slot::at(*i, Origin::Other)).collect();
            return self.scanned(Relation { node, slots, hidden: vec![], window: None }, scan);
        }
        let Some(stream) = scan.source.downcast_ref::<StreamScan>() else {
            return Err(Error::unsupported(format!("table '{}' cannot be read by a query", scan.table_name)).into());
        };
        let place = self.sources.tables.iter().position(|w| same_table(&w.scan, stream));
        let place = place.ok_or_else(|| Error::internal(format!("table '{}' was not expected", stream.table.name)))?;
        let source = match self.sources.tables[place].lowered.clone() {
            Some(source) => source,
            None => {
                let source = self.add_source(stream, &self.sources.tables[place].columns.clone())?;
                self.sources.tables[place].lowered.insert(source).clone()
            }
        };
        let event_time = self.plan.node(source.node).edge.event_time;
        let slots = wanted.iter().map(|column| {
            let at = source.columns.iter().position(|c| c == column);
            let at = at.ok_or_else(|| Error::internal(format!("column {column} of the scan was not expected")))?;
            let origin = if event_time == Some(at) { Origin::EventTime } else { Origin::Other };
            Ok(Slot::at(at, origin))
        });
        let slots = slots.collect::<Result<_>>()?;
        self.scanned(Relation { node: source.node, slots, hidden: vec![], window: None }, scan)
    }

    /// Leaves behind the columns that only other readers of the table want, and filters.
    fn scanned(&mut self, relation: Relation, scan: &TableScan) -> Lower<Relation> {
        let Some(filter) = conjunction(scan.filters.clone()) else { return self.narrow(relation, scan) };
        // A filter of the scan may look at columns that the scan then does not put out.
        let source = scan.source.schema();
        let all = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &source)?;
        let node = &self.plan.node(relation.node).edge;
        let fields = node.schema.fields().iter();
        let names = fields
            .map(|f| Ok((Some(scan.table_name.clone()), Arc::clone(&source.fields()[source.index_of(f.name())?]))));
        let names = DFSchema::new_with_metadata(names.collect::<Result<_>>()?, all.metadata().clone())?;
        let whole = Relation::plain(relation.node, names.fields().len());
        let filtered = self.keep_where(whole, &names, &filter)?;
        self.narrow(relation.on(filtered.node), scan)
    }

    fn narrow(&mut self, relation: Relation, scan: &TableScan) -> Lower<Relation> {
        if self.plan.node(relation.node).edge.schema.fields().len() == relation.slots.len() {
            return Ok(relation);
        }
        let mut layout = Layout::default();
        let fields = relation.slots.iter().zip(scan.projected_schema.fields());
        let slots = fields
            .filter_map(|(slot, field)| Some(Slot::at(layout.push(slot.index()?, field), slot.origin.clone())))
            .collect();
        self.lay_out(relation, slots, layout)
    }

    fn system_table(&mut self, table: SystemTable) -> NodeId {
        if let Some((_, node)) = self.sources.system.iter().find(|(t, _)| *t == table) {
            return *node;
        }
        let schema = table.columns();
        let input = match table {
            SystemTable::LateRows => SourceInput::LateRows,
            SystemTable::RejectedRows => SourceInput::RejectedRows,
        };
        let op = SourceOp {
            name: format!("{}.{}", crate::catalog::SYSTEM_SCHEMA, table.name()),
            input,
            projection: (0..schema.fields().len()).collect(),
            event_time: None,
            idle_timeout: None,
            on_error: OnError::Fail,
            changelog: None,
        };
        let bounded = self.sources.all_bounded();
        let edge = Edge { schema, changes: ChangeMode::Append, event_time: None, bounded };
        let node = self.plan.add(StreamOp::Source(op), vec![], edge);
        self.sources.system.push((table, node));
        node
    }

    /// The node that reads `columns` of a table, and whatever its event time and its watermark need.
    fn add_source(&mut self, scan: &StreamScan, columns: &BTreeSet<usize>) -> Result<LoweredSource> {
        let table = &scan.table;
        let all = scan.source.schema();
        let place =
            |name: &str| all.index_of(name).map_err(|_| Error::internal(format!("no column '{name}' to decode")));
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
                        let value = self.over(expr.as_ref().clone(), &decoded)?;
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
                    None => WatermarkExpr::Expr(self.over(time.watermark.clone(), &Schema::new(fields.clone()))?),
                };
                Some(EventTime { column: place, computed, watermark, text: time.text.clone() })
            }
        };
        let schema = Arc::new(Schema::new(fields));
        let time = event_time.as_ref().map(|t| t.column);
        let changes = match &changelog {
            None => ChangeMode::Append,
            Some(c) if c.key.is_empty() => ChangeMode::Retract,
            Some(c) => ChangeMode::Upsert(c.key.clone()),
        };
        let read = changelog.as_ref().map_or(Arc::clone(&schema), |c| c.readable(&schema));
        let edge = Edge { schema: read, changes, event_time: time, bounded: scan.source.bounded() };
        // Every retraction is in full from there on: that one row lives for each key need not be minded by those above.
        let exact = Edge { schema, changes: ChangeMode::Retract, ..edge.clone() };
        let normalize =
            changelog.as_ref().map(|c| NormalizeOp { key: c.key.clone(), event_time: time, on_error: table.on_error });
        let op = SourceOp {
            name: table.name.clone(),
            input: SourceInput::Table(Arc::clone(&scan.source)),
            projection,
            event_time,
            idle_timeout: table.idle_timeout,
            on_error: table.on_error,
            changelog,
        };
        let mut node = self.plan.add(StreamOp::Source(op), vec![], edge);
        if let Some(normalize) = normalize {
            node = self.plan.add(StreamOp::Normalize(normalize), vec![node], exact);
        }
        Ok(LoweredSource { node, columns })
    }

    /// A declared expression over columns of a table, its types coerced.
    fn over(&self, expr: Expr, schema: &Schema) -> Result<tidemill_plan::op::Expr> {
        let schema = DFSchema::try_from(schema.clone()).map_err(planning)?;
        self.state.create_physical_expr(expr, &schema).map_err(planning)
    }
}

/// The field of a computed event-time column: the last one of the scan.
fn scan_field(scan: &StreamScan) -> FieldRef {
    use datafusion::logical_expr::TableSource;
    let schema = scan.schema();
    Arc::clone(&schema.fields()[schema.fields().len() - 1])
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
