//! Expressions over the output of a node.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, FieldRef, Schema};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use tidemill_plan::op::StreamOp;
use tidemill_plan::{Edge, NodeId};

use super::lowering::Lowering;
use super::refusal::{Lower, subquery};
use super::relation::{Place, Relation, Slot};

impl Lowering<'_> {
    /// The node's output as a schema in which the names of the logical plan find their columns. Columns that no name
    /// leads to have names that nothing refers to.
    pub(super) fn schema_over(&self, relation: &Relation, logical: &DFSchema) -> Lower<DFSchema> {
        named_schema(&self.plan.node(relation.node).edge.schema, &relation.slots, logical)
    }

    /// `expr` over the columns of `schema`, which [`schema_over`](Self::schema_over) made.
    pub(super) fn express(&self, expr: &Expr, schema: &DFSchema) -> Lower<Arc<dyn PhysicalExpr>> {
        refuse_subquery(expr)?;
        Ok(create_physical_expr(expr, schema, &self.props, &PhysicalPlanningContext::default())?)
    }

    /// The same relation with a place of its own for each column, which names need to find them.
    pub(super) fn distinct_places(&mut self, relation: Relation, logical: &DFSchema) -> Lower<Relation> {
        let mut seen = HashSet::new();
        if relation.slots.iter().filter_map(Slot::index).all(|i| seen.insert(i)) {
            return Ok(relation);
        }
        let mut layout = Layout::default();
        let mut slots = vec![];
        for (slot, field) in relation.slots.iter().zip(logical.fields()) {
            slots.push(match slot.index() {
                Some(i) => Slot::at(layout.push(i, field), slot.origin.clone()),
                None => slot.clone(),
            });
        }
        self.lay_out(relation, slots, layout)
    }

    /// A projection of columns. What the relation needs beside its slots (hidden bounds, the pending window's columns)
    /// is kept behind them.
    pub(super) fn lay_out(&mut self, relation: Relation, slots: Vec<Slot>, mut layout: Layout) -> Lower<Relation> {
        let edge = self.plan.node(relation.node).edge.clone();
        let field = |i: usize| Arc::clone(&edge.schema.fields()[i]);
        let hidden = relation.bounds_beside(&slots);
        let hidden = hidden
            .into_iter()
            .filter_map(|s| Some(Slot::at(layout.find_or_push(s.index()?, &field(s.index()?)), s.origin)));
        let hidden = hidden.collect();
        let window = relation.window.map(|mut w| {
            w.time = layout.find_or_push(w.time, &field(w.time));
            w.partition_by = w.partition_by.iter().map(|p| layout.find_or_push(*p, &field(*p))).collect();
            w
        });
        let node = self.add_layout(relation.node, &edge, layout);
        Ok(Relation { node, slots, hidden, window })
    }

    pub(super) fn add_layout(&mut self, input: NodeId, edge: &Edge, layout: Layout) -> NodeId {
        let event_time = edge.event_time.and_then(|t| layout.columns.iter().position(|c| *c == t));
        let exprs = layout.columns.iter().map(|i| column(edge, *i)).collect();
        let schema = Arc::new(Schema::new(layout.fields));
        self.plan.add(StreamOp::Project(exprs), vec![input], Edge { schema, event_time, ..edge.clone() })
    }
}

/// The columns of `output` as a schema in which the names of `logical` find their places.
pub(super) fn named_schema(output: &Schema, slots: &[Slot], logical: &DFSchema) -> Lower<DFSchema> {
    let mut fields: Vec<(Option<_>, FieldRef)> = output
        .fields()
        .iter()
        .enumerate()
        .map(|(i, f)| (None, Arc::new(Field::new(format!("__column_{i}"), f.data_type().clone(), f.is_nullable()))))
        .collect();
    for (slot, (qualifier, field)) in slots.iter().zip(logical.iter()) {
        if let Place::At(i) = slot.place {
            fields[i] = (qualifier.cloned(), Arc::clone(field));
        }
    }
    Ok(DFSchema::new_with_metadata(fields, logical.metadata().clone())?)
}

/// Columns of an input in another order, under other names.
#[derive(Default)]
pub(super) struct Layout {
    columns: Vec<usize>,
    fields: Vec<FieldRef>,
}

impl Layout {
    /// One more column, the input's at `index`, as `field`. Returns its place.
    pub(super) fn push(&mut self, index: usize, field: &FieldRef) -> usize {
        self.columns.push(index);
        self.fields.push(Arc::clone(field));
        self.columns.len() - 1
    }

    /// Whether it is the input as it is.
    pub(super) fn is_all_of(&self, edge: &Edge) -> bool {
        self.columns.iter().copied().eq(0..edge.schema.fields().len())
            && self.fields.iter().zip(edge.schema.fields()).all(|(a, b)| a.name() == b.name())
    }

    fn find_or_push(&mut self, index: usize, field: &FieldRef) -> usize {
        match self.columns.iter().position(|c| *c == index) {
            Some(at) => at,
            None => self.push(index, field),
        }
    }
}

/// The column at `index` of an edge, as an expression.
pub(super) fn column(edge: &Edge, index: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new(edge.schema.field(index).name(), index))
}

/// Refuses an expression with a query of its own, which no operator evaluates.
pub(super) fn refuse_subquery(expr: &Expr) -> Lower<()> {
    let mut found = false;
    expr.apply(|e| {
        found |= matches!(e, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_));
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if found { Err(subquery()) } else { Ok(()) }
}
