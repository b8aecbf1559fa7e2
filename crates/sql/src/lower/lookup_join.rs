//! Lookup joins: the rows that ask go to a sink, and come back joined from a source.

use std::sync::Arc;

use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use tidemill_core::lookup::{LOOKUP_ON_ERROR, LOOKUP_RELOAD, LOOKUP_RETRIES, Lookup, LookupRequest};
use tidemill_core::{ChangeMode, Error, Micros, Result};
use tidemill_plan::Edge;
use tidemill_plan::lookup::{LookupJoinOp, LookupTable};
use tidemill_plan::op::{OnError, SinkOp, SinkTarget, SourceInput, SourceOp, StreamOp};

use super::bounded::{each_scan, is_bounded};
use super::emission::Emission;
use super::express::named_schema;
use super::lowering::Lowering;
use super::refusal::{Lower, NoForm, Refusal};
use super::relation::{Origin, Relation, Slot};
use crate::as_of::LookupNode;
use crate::catalog::StreamScan;

impl Lowering<'_> {
    /// The joined rows as a source. What is asked is no part of the dataflow.
    pub(super) fn lookup_join(&mut self, node: &LookupNode, emission: Emission) -> Lower<Relation> {
        let left = self.relation(&node.left, emission)?;
        let left = self.exactly(left, node.left.schema())?;
        let edge = self.plan.node(left.node).edge.clone();
        if edge.changes != ChangeMode::Append {
            return Err(Refusal::NoForm(NoForm {
                what: "a lookup join of rows that may be taken back",
                hint: "Group by a window that closes below it, so that no row is taken back.",
            }));
        }
        let (name, table) = self.lookup_table(node)?;
        let asked = Arc::clone(node.right.schema().inner());
        let mut keys = vec![];
        for (l, r) in &node.keys {
            let l = left.slot(node.left.schema(), l).and_then(Slot::index);
            let (Some(l), Some(r)) = (l, node.right.schema().maybe_index_of_column(r)) else {
                return Err(Error::internal("a lookup by a column that is not there").into());
            };
            keys.push((l, r));
        }
        let own = edge.schema.fields().len();
        let outer_field =
            |f: &FieldRef| if node.outer { Arc::new(f.as_ref().clone().with_nullable(true)) } else { Arc::clone(f) };
        let fields: Vec<FieldRef> =
            edge.schema.fields().iter().cloned().chain(asked.fields().iter().map(outer_field)).collect();
        let joined = Edge { schema: Arc::new(Schema::new(fields)), ..edge.clone() };
        let mut slots = left.slots.clone();
        slots.extend((0..asked.fields().len()).map(|i| Slot::at(own + i, Origin::Other)));
        let residual = match &node.residual {
            None => None,
            Some(residual) => Some(self.express(residual, &named_schema(&joined.schema, &slots, node.schema())?)?),
        };
        let asks = self.plan.add(StreamOp::Sink(SinkOp { target: SinkTarget::Ask }), vec![left.node], edge);
        let op = LookupJoinOp { asks, table, keys, outer: node.outer, residual };
        let op = SourceOp {
            name,
            input: SourceInput::Lookup(Box::new(op)),
            projection: (0..slots.len()).collect(),
            event_time: None,
            changelog: None,
            idle_timeout: None,
            on_error: OnError::Fail,
        };
        let source = self.plan.add(StreamOp::Source(op), vec![], joined);
        Ok(Relation { node: source, slots, hidden: left.hidden, window: None })
    }

    /// The name of the table that is asked, and how it is asked.
    fn lookup_table(&self, node: &LookupNode) -> Result<(String, LookupTable)> {
        let mut scans: Vec<StreamScan> = vec![];
        each_scan(&node.right, &mut |scan| scans.extend(scan.source.downcast_ref::<StreamScan>().cloned()));
        let name = scans.first().map_or("query".into(), |s| s.table.name.clone());
        if let [scan] = &scans[..]
            && let Some(lookup) = by_key(node, scan)?
        {
            let options = &scan.table.spec.options;
            let retries = options.int(&LOOKUP_RETRIES)?.unwrap_or_default();
            let null_on_error = options.one_of(&LOOKUP_ON_ERROR)? == Some("null");
            return Ok((name, LookupTable::ByKey { lookup, retries, null_on_error }));
        }
        if !is_bounded(&node.right, &self.sources) {
            return Err(Error::unsupported(format!(
                "table '{name}' cannot be looked up: it does not end, and its connector does not answer by key"
            ))
            .with_hint(
                "Look up a table of files or of rows in memory; or join FOR SYSTEM_TIME AS OF the time of an event.",
            ));
        }
        let mut reload = Micros::MAX;
        for scan in &scans {
            let interval = scan.table.spec.options.duration(&LOOKUP_RELOAD)?.unwrap_or_default();
            reload = reload.min(Micros::try_from(interval.as_micros()).unwrap_or(Micros::MAX));
        }
        Ok((name, LookupTable::Whole { plan: Arc::new(node.right.clone()), reload }))
    }
}

/// The table's own lookup, where it has one and nothing but columns is asked of it.
fn by_key(node: &LookupNode, scan: &StreamScan) -> Result<Option<Arc<dyn Lookup>>> {
    let schema = scan.source.schema();
    let columns = |plan: &LogicalPlan, wanted: Vec<usize>| columns_of_scan(plan, wanted);
    let right = node.right.schema();
    let Some(projection) = columns(&node.right, (0..right.fields().len()).collect()) else { return Ok(None) };
    let keys: Option<Vec<usize>> =
        node.keys.iter().map(|(_, r)| right.maybe_index_of_column(r).map(|i| projection[i])).collect();
    let Some(keys) = keys else { return Ok(None) };
    if projection.iter().any(|c| *c >= schema.fields().len()) {
        return Ok(None);
    }
    scan.source.lookup(&LookupRequest { keys, projection })
}

/// Which columns of the one scan below `plan` its columns are; `None` where it does more than name them.
fn columns_of_scan(plan: &LogicalPlan, wanted: Vec<usize>) -> Option<Vec<usize>> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => columns_of_scan(&alias.input, wanted),
        LogicalPlan::Projection(projection) => {
            let schema = projection.input.schema();
            let below = wanted.into_iter().map(|i| match projection.expr[i].clone().unalias_nested().data {
                Expr::Column(c) => schema.maybe_index_of_column(&c),
                _ => None,
            });
            columns_of_scan(&projection.input, below.collect::<Option<_>>()?)
        }
        LogicalPlan::TableScan(scan) if scan.filters.is_empty() && scan.fetch.is_none() => {
            Some(match &scan.projection {
                Some(projection) => wanted.into_iter().map(|i| projection[i]).collect(),
                None => wanted,
            })
        }
        _ => None,
    }
}
