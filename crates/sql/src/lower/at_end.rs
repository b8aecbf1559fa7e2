//! Parts of a query without an incremental form, over tables that end: DataFusion answers them once, when their inputs have
//! ended.
//!
//! What can be done as the rows come is: windows close and judge lateness as everywhere, groupings fold, filters drop. Their
//! results are collected; what stands above them, as one plan as large as possible, is answered by DataFusion.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNodeContainer};
use datafusion::common::{Column, DFSchema, DataFusionError, Result as PlanResult};
use datafusion::logical_expr::builder::LogicalTableSource;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableScanBuilder};
use tidemill_core::{ChangeMode, Error};
use tidemill_plan::op::{AtEnd, OnError, SinkOp, SinkTarget, SourceInput, SourceOp, StreamOp};
use tidemill_plan::{Edge, NodeId};

use super::bounded::each_scan;
use super::emission::Emission;
use super::express::Layout;
use super::lowering::Lowering;
use super::refusal::{Lower, Refusal};
use super::relation::{Relation, Slot};
use crate::windows::batch;

/// The inputs of a batch run: what its plan calls them, and the sinks that collect them.
type Inputs = Vec<(String, NodeId)>;

impl Lowering<'_> {
    /// `plan`, which ends and has no incremental form, as the source of its answer.
    pub(super) fn at_end(&mut self, plan: &LogicalPlan) -> Lower<Relation> {
        let mut inputs = Inputs::new();
        // Within it no other part is answered on its own.
        let outside = std::mem::replace(&mut self.bounded, true);
        let part = self.inputs_of(plan.clone(), &mut inputs);
        self.bounded = outside;
        let part = batch::expand(part?)?;
        let schema = Arc::clone(plan.schema().inner());
        let columns = schema.fields().len();
        let op = SourceOp {
            name: "query".into(),
            input: SourceInput::AtEnd(AtEnd { plan: Arc::new(part), inputs }),
            projection: (0..columns).collect(),
            event_time: None,
            idle_timeout: None,
            on_error: OnError::Fail,
            changelog: None,
        };
        let edge = Edge { schema, changes: ChangeMode::Append, event_time: None, bounded: true };
        Ok(Relation::plain(self.plan.add(StreamOp::Source(op), vec![], edge), columns))
    }

    /// `plan` over collected inputs, itself in the batch run.
    fn inputs_of(&mut self, plan: LogicalPlan, inputs: &mut Inputs) -> Lower<LogicalPlan> {
        if let LogicalPlan::TableScan(mut scan) = plan {
            let Some(fetch) = scan.fetch.take() else { return self.part(LogicalPlan::TableScan(scan), inputs) };
            let all = self.part(LogicalPlan::TableScan(scan), inputs)?;
            return Ok(LogicalPlanBuilder::from(all).limit(0, Some(fetch))?.build()?);
        }
        let mut refused = None;
        let mut part = |child: LogicalPlan| -> PlanResult<Transformed<LogicalPlan>> {
            self.part(child, inputs).map(Transformed::yes).map_err(|refusal| {
                refused = Some(refusal);
                DataFusionError::Internal("see the refusal".into())
            })
        };
        let plan = map_inputs(plan, &mut part).and_then(|plan| plan.map_subqueries(&mut part));
        match (refused, plan) {
            (Some(refusal), _) => Err(refusal),
            (None, plan) => Ok(plan?.data),
        }
    }

    /// A sub-plan of a batch run: collected if it can be done as the rows come, otherwise in the run as well.
    fn part(&mut self, plan: LogicalPlan, inputs: &mut Inputs) -> Lower<LogicalPlan> {
        let mut reads = false;
        each_scan(&plan, &mut |_| reads = true);
        if !reads {
            return Ok(plan);
        }
        if self.order.as_ref() == Some(&plan) {
            return self.inputs_of(plan, inputs);
        }
        let relation = self.relation(&plan, Emission::Default);
        match relation.and_then(|relation| self.collected(relation, plan.schema(), inputs)) {
            Err(Refusal::NoForm(_)) => self.inputs_of(plan, inputs),
            other => other,
        }
    }

    /// A scan of the collected rows of `relation`, under the names that the plan has for its columns.
    fn collected(&mut self, relation: Relation, schema: &DFSchema, inputs: &mut Inputs) -> Lower<LogicalPlan> {
        let relation = self.attach(relation)?;
        let columns: Vec<usize> = relation.slots.iter().filter_map(Slot::index).collect();
        let key = (relation.node, columns.clone());
        let sink = match self.collected.get(&key) {
            Some(sink) => *sink,
            None => {
                let mut layout = Layout::default();
                for (column, field) in columns.iter().zip(unique_names(schema)) {
                    layout.push(*column, &field);
                }
                let rows = self.arrange(relation.node, layout);
                let edge = self.plan.node(rows).edge.clone();
                let op = SinkOp { target: SinkTarget::Collect };
                *self.collected.entry(key).or_insert(self.plan.add(StreamOp::Sink(op), vec![rows], edge))
            }
        };
        let name = match inputs.iter().find(|(_, s)| *s == sink) {
            Some((name, _)) => name.clone(),
            None => {
                inputs.push((format!("input_{}", inputs.len() + 1), sink));
                inputs[inputs.len() - 1].0.clone()
            }
        };
        let rows = Arc::clone(&self.plan.node(sink).edge.schema);
        // The nullability is the plan's: what stands above was planned with it.
        let fields = rows.fields().iter().zip(schema.fields());
        let fields: Vec<_> = fields.map(|(f, s)| f.as_ref().clone().with_nullable(s.is_nullable())).collect();
        let source = Arc::new(LogicalTableSource::new(Arc::new(Schema::new(fields))));
        let scan = TableScanBuilder::new(name.as_str(), source).build()?;
        let names = rows.fields().iter().zip(schema.iter()).map(|(collected, (qualifier, field))| {
            let column = Expr::Column(Column::new(Some(name.as_str()), collected.name()));
            column.alias_qualified(qualifier.cloned(), field.name())
        });
        let names: Vec<Expr> = names.collect();
        let plan = LogicalPlanBuilder::from(LogicalPlan::TableScan(scan)).project(names)?.build()?;
        if plan.schema().fields().len() != schema.fields().len() {
            return Err(Error::internal("the collected columns are not those of the plan").into());
        }
        Ok(plan)
    }
}

fn map_inputs(
    plan: LogicalPlan,
    f: &mut impl FnMut(LogicalPlan) -> PlanResult<Transformed<LogicalPlan>>,
) -> PlanResult<LogicalPlan> {
    use datafusion::common::tree_node::TreeNode;
    Ok(plan.map_children(|child| child.map_elements(&mut *f))?.data)
}

/// The fields of a schema, each with a name of its own.
fn unique_names(schema: &DFSchema) -> Vec<FieldRef> {
    let mut seen = HashSet::new();
    let mut unique = |field: &FieldRef| -> FieldRef {
        let mut name = field.name().clone();
        let mut count = 1;
        while !seen.insert(name.clone()) {
            count += 1;
            name = format!("{}_{count}", field.name());
        }
        Arc::new(Field::clone(field).with_name(name))
    };
    schema.fields().iter().map(&mut unique).collect()
}
