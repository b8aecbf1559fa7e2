//! The rows of a query's tables, read once, so that the query can be run over them, or over fewer of them, again and again.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::logical_expr::LogicalPlan;
use tidemill_core::source::{ReadRequest, Source};
use tidemill_core::{Delta, Error, Result};
use tidemill_sql::catalog::{StreamScan, SystemTable};
use tidemill_sql::session::Query;

use crate::tables::memory::MemoryTable;

/// Rows of a split that are shown when a disagreement was found.
const SHOWN: usize = 200;

/// By table: its rows.
#[derive(Debug, Clone)]
pub(super) struct Tables(BTreeMap<String, Held>);

#[derive(Debug, Clone)]
struct Held {
    name: String,
    source: Arc<dyn Source>,
    splits: Vec<Delta>,
}

impl Tables {
    /// Reads all tables of `query`.
    pub(super) async fn read(query: &Query) -> Result<Self> {
        let mut sources: BTreeMap<String, (String, Arc<dyn Source>)> = BTreeMap::new();
        let mut system = false;
        let walked = query.plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                if let Some(stream) = scan.source.downcast_ref::<StreamScan>() {
                    sources.insert(key_of(stream), (stream.table.name.clone(), Arc::clone(&stream.source)));
                }
                system |= scan.source.downcast_ref::<SystemTable>().is_some();
            }
            Ok(TreeNodeRecursion::Continue)
        });
        walked.map_err(|e| Error::internal("the plan could not be walked").caused_by(e))?;
        if system {
            return Err(Error::unsupported("VERIFY reads no late or rejected rows: they are those of other queries"));
        }
        let mut tables = BTreeMap::new();
        for (key, (name, source)) in sources {
            if !source.bounded() {
                return Err(Error::unsupported(format!("VERIFY needs tables that end, and '{name}' has no end"))
                    .with_hint("Bound it: a number of rows for a generator ('number-of-rows'), files without 'source.monitor-interval'."));
            }
            let splits = read(source.as_ref()).await.map_err(|e| e.context(format!("table '{name}'")))?;
            tables.insert(key, Held { name, source, splits });
        }
        Ok(Self(tables))
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.0.values().flat_map(|t| &t.splits).map(Delta::num_rows).sum()
    }

    /// The same tables without the rows in `range`, counted through all of them.
    pub(super) fn without(&self, range: Range<usize>) -> Self {
        let mut tables = self.clone();
        let mut at = 0;
        for split in tables.0.values_mut().flat_map(|t| &mut t.splits) {
            let rows = split.num_rows();
            let cut = |place: usize| place.saturating_sub(at).min(rows);
            let (from, to) = (cut(range.start), cut(range.end));
            at += rows;
            if from < to {
                let kept: Vec<bool> = (0..rows).map(|row| row < from || row >= to).collect();
                // A filter of as many flags as there are rows.
                if let Ok(smaller) = split.filter(&kept.into()) {
                    *split = smaller;
                }
            }
        }
        tables
    }

    /// `query` over these rows instead of those of its sources.
    pub(super) fn put_into(&self, query: &Query) -> Result<Query> {
        let put = |node: LogicalPlan| {
            let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
            let held = scan.source.downcast_ref::<StreamScan>().and_then(|s| Some((s, self.0.get(&key_of(s))?)));
            let Some((stream, held)) = held else { return Ok(Transformed::no(LogicalPlan::TableScan(scan))) };
            let splits = held.splits.iter().map(|s| vec![s.clone()]).collect();
            let table = MemoryTable::of_changes(held.source.schema(), splits, held.source.changes())
                .map_err(|e| datafusion::error::DataFusionError::External(Box::new(e)))?;
            scan.source = Arc::new(stream.over(Arc::new(table)));
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        };
        let plan = query.plan.clone().transform_up_with_subqueries(put);
        let plan = plan.map_err(|e| Error::internal("the rows could not be put into the plan").caused_by(e))?.data;
        Ok(Query { plan, ..query.clone() })
    }
}

/// A hint in a query makes another table of the same name.
fn key_of(scan: &StreamScan) -> String {
    format!("{} {:?}", scan.table.name, scan.table.spec.options)
}

async fn read(source: &dyn Source) -> Result<Vec<Delta>> {
    let schema = source.schema();
    let request =
        ReadRequest { projection: (0..schema.fields().len()).collect(), batch_rows: 8_192, decode_threads: 2 };
    let mut splits = vec![];
    for split in source.splits().await?.splits {
        let mut reader = source.open(&split, None, &request).await?;
        let mut pieces = vec![];
        while let Some(piece) = reader.next().await? {
            pieces.push(Delta { weights: piece.weights, ..Delta::insert(piece.batch) });
        }
        splits.push(Delta::concat(&schema, &pieces)?);
    }
    Ok(splits)
}

impl fmt::Display for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in self.0.values() {
            for (number, split) in table.splits.iter().enumerate().filter(|(_, s)| !s.is_empty()) {
                writeln!(f, "table {}, split {number}:", table.name)?;
                let shown = split.slice(0, split.num_rows().min(SHOWN));
                match arrow::util::pretty::pretty_format_batches(std::slice::from_ref(&shown.batch)) {
                    Ok(table) => writeln!(f, "{table}")?,
                    Err(e) => writeln!(f, "({} rows that cannot be shown: {e})", split.num_rows())?,
                }
                if let Some(weights) = &shown.weights {
                    writeln!(f, "weights: {:?}", weights.values())?;
                }
                if split.num_rows() > SHOWN {
                    writeln!(f, ".. and {} more rows", split.num_rows() - SHOWN)?;
                }
            }
        }
        Ok(())
    }
}
