//! Tables. A table is read once, whoever reads it: what all queries want of it is known before the first is lowered.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};
use tidemill_core::{ChangeMode, Error, Result};
use tidemill_plan::history::{GONE, HistoryOp, ORDER};
use tidemill_plan::op::{NormalizeOp, OnError, SourceInput, SourceOp, StreamOp};
use tidemill_plan::{Edge, NodeId};

use super::bounded::each_scan;
use super::emission::Emission;
use super::express::Layout;
use super::lowering::Lowering;
use super::refusal::Lower;
use super::relation::{Origin, Relation, Slot};
use super::sort::limited;
use super::source_read::{SourceRead, source_read};
use crate::catalog::{StreamScan, SystemTable};

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
    schema: SchemaRef,
    /// How its changes are made exact, where its records are changes.
    changes: Option<NormalizeOp>,
    /// The node of the rows that are there, once somebody reads them.
    rows: Option<NodeId>,
    /// That of the versions that they had.
    history: Option<NodeId>,
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
        columns.retain(|c| *c < stream.own_columns());
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
        let (node, columns) = self.read_of(place, stream.history)?;
        let event_time = self.plan.node(node).edge.event_time;
        let slots = wanted.iter().map(|column| {
            let at = columns.iter().position(|c| c == column);
            let at = at.ok_or_else(|| Error::internal(format!("column {column} of the scan was not expected")))?;
            let origin = if event_time == Some(at) { Origin::EventTime } else { Origin::Other };
            Ok(Slot::at(at, origin))
        });
        let slots = slots.collect::<Result<_>>()?;
        self.scanned(Relation { node, slots, hidden: vec![], window: None }, scan)
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

    /// The node that reads `columns` of a table, with whatever its event time and its watermark need.
    fn add_source(&mut self, scan: &StreamScan, columns: &BTreeSet<usize>) -> Result<LoweredSource> {
        let SourceRead { op, schema, columns } = source_read(scan, columns, self.state)?;
        let (changelog, on_error) = (op.changelog.clone(), op.on_error);
        let changes = match &changelog {
            None => ChangeMode::Append,
            Some(c) if c.key.is_empty() => ChangeMode::Retract,
            Some(c) => ChangeMode::Upsert(c.key.clone()),
        };
        let read = changelog.as_ref().map_or(Arc::clone(&schema), |c| c.readable(&schema));
        let event_time = op.event_time.as_ref().map(|t| t.column);
        let edge = Edge { schema: read, changes, event_time, bounded: scan.source.bounded() };
        let node = self.plan.add(StreamOp::Source(op), vec![], edge);
        let changes = changelog.map(|c| NormalizeOp { key: c.key, event_time, on_error });
        Ok(LoweredSource { node, columns, schema, changes, rows: None, history: None })
    }

    /// The node of the rows of a table, or of the versions that they had, and for each column of the scan its place.
    fn read_of(&mut self, place: usize, history: bool) -> Result<(NodeId, Vec<usize>)> {
        let table = &self.sources.tables[place];
        let mut source = match table.lowered.clone() {
            Some(source) => source,
            None => self.add_source(&table.scan.clone(), &table.columns.clone())?,
        };
        let own = self.sources.tables[place].scan.own_columns();
        let mut columns = source.columns.clone();
        let node = match (source.changes.clone(), history) {
            (None, _) => source.node,
            (Some(changes), false) => match source.rows {
                Some(node) => node,
                None => {
                    let edge = self.plan.node(source.node).edge.clone();
                    // Every retraction is in full from there on: that one row lives for each key need not be minded by those above.
                    let edge = Edge { schema: Arc::clone(&source.schema), changes: ChangeMode::Retract, ..edge };
                    self.plan.add(StreamOp::Normalize(changes), vec![source.node], edge)
                }
            },
            (Some(changes), true) => {
                columns.extend([own, own + 1]);
                match source.history {
                    Some(node) => node,
                    None => self.add_history(&source, changes)?,
                }
            }
        };
        match history {
            false => source.rows = Some(node),
            true => source.history = Some(node),
        }
        self.sources.tables[place].lowered = Some(source);
        Ok((node, columns))
    }

    fn add_history(&mut self, source: &LoweredSource, changes: NormalizeOp) -> Result<NodeId> {
        let NormalizeOp { key, event_time, on_error } = changes;
        let event_time = event_time.ok_or_else(|| Error::internal("the history of a table without an event time"))?;
        let mut fields: Vec<FieldRef> = source.schema.fields().to_vec();
        fields.push(Arc::new(Field::new(ORDER, DataType::Int64, false)));
        fields.push(Arc::new(Field::new(GONE, DataType::Boolean, false)));
        let edge = self.plan.node(source.node).edge.clone();
        let edge = Edge { schema: Arc::new(Schema::new(fields)), changes: ChangeMode::Append, ..edge };
        let op = HistoryOp { key, event_time, on_error };
        Ok(self.plan.add(StreamOp::History(op), vec![source.node], edge))
    }
}
