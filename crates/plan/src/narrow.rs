//! What a filter need not copy: columns that nothing above reads, and rows that the next filter leaves out.
//!
//! A filter copies every column of the rows that it lets through. Often some of them were only for its condition, or the
//! query names a few of many. What reads the filter says which are needed, if it is a projection: a bare one becomes a
//! part of the filter, any other finds its columns in their new places. And a filter right above another, a query's over
//! that of a view, asks its question in the same step.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::utils::collect_columns;

use crate::graph::{Edge, Node, NodeId, StreamPlan};
use crate::op::{Expr, StreamOp};
use crate::unique::column;

/// Lets rows through or not.
#[derive(Debug, Clone)]
pub struct FilterOp {
    /// One after the other, each only over the rows that the ones before let through: true for the rows that are let
    /// through, and not false or NULL.
    pub conditions: Vec<Expr>,
    /// The input columns that are put out; `None` for all. What nobody reads above need not be copied.
    pub columns: Option<Vec<usize>>,
}

impl FilterOp {
    /// All columns of the rows that meet `condition`.
    pub fn new(condition: Expr) -> Self {
        Self { conditions: vec![condition], columns: None }
    }

    /// Where input column `column` is in the output.
    pub fn place_of(&self, column: usize) -> Option<usize> {
        match &self.columns {
            Some(columns) => columns.iter().position(|c| *c == column),
            None => Some(column),
        }
    }
}

/// What becomes of a filter.
enum Fate {
    /// It stays as it is.
    Stays,
    /// It puts out these columns only.
    Narrow(Vec<usize>),
    /// Its one reader, which only chooses columns or rows, takes its place.
    Joins,
}

impl StreamPlan {
    /// The same plan, in which filters copy no more than they have to.
    #[must_use]
    pub fn narrowed(&self) -> Self {
        self.with_filters_in_one().with_filters_narrow()
    }

    /// A filter that only another one reads becomes a part of it.
    fn with_filters_in_one(&self) -> Self {
        let readers = self.readers();
        self.rewritten(|node| match (&node.op, &readers[node.id.0][..]) {
            (StreamOp::Filter(_), [(reader, _)]) if matches!(self.node(*reader).op, StreamOp::Filter(_)) => Fate::Joins,
            _ => Fate::Stays,
        })
    }

    /// A filter that only projections read puts out the columns that they read.
    fn with_filters_narrow(&self) -> Self {
        let readers = self.readers();
        self.rewritten(|node| self.fate(node, &readers[node.id.0]))
    }

    fn rewritten(&self, fate: impl Fn(&Node) -> Fate) -> Self {
        let fates: Vec<Fate> = self.nodes().iter().map(fate).collect();
        let mut plan = Self::new(self.clock().clone());
        let mut places = vec![NodeId(0); self.nodes().len()];
        // What joins a filter above it is in the plan no more, and that one still needs it.
        let mut joined: Vec<Option<FilterOp>> = vec![None; self.nodes().len()];
        for node in self.nodes() {
            let inputs: Vec<NodeId> = node.inputs.iter().map(|i| places[i.0]).collect();
            let below = node.inputs.first().map(|i| (joined[i.0].clone(), &fates[i.0]));
            let (op, edge) = match (&node.op, below) {
                (StreamOp::Filter(above), Some((Some(below), _))) => {
                    let conditions = below.conditions.into_iter().chain(above.conditions.iter().cloned()).collect();
                    (StreamOp::Filter(FilterOp { conditions, columns: above.columns.clone() }), node.edge.clone())
                }
                (StreamOp::Project(exprs), Some((Some(below), _))) => {
                    let columns = Some(exprs.iter().filter_map(column).collect());
                    (StreamOp::Filter(FilterOp { columns, ..below }), node.edge.clone())
                }
                (StreamOp::Project(exprs), Some((None, Fate::Narrow(columns)))) => {
                    (StreamOp::Project(exprs.iter().map(|e| moved(e, columns)).collect()), node.edge.clone())
                }
                _ => (node.op.moved(&places), node.edge.clone()),
            };
            places[node.id.0] = match (op, &fates[node.id.0]) {
                (StreamOp::Filter(op), Fate::Joins) => {
                    joined[node.id.0] = Some(op);
                    // Whoever reads it reads what it reads.
                    inputs[0]
                }
                (StreamOp::Filter(op), Fate::Narrow(columns)) => {
                    let op = FilterOp { columns: Some(columns.clone()), ..op };
                    plan.add(StreamOp::Filter(op), inputs, narrow(&edge, columns))
                }
                (op, _) => plan.add(op, inputs, edge),
            };
        }
        plan
    }

    fn fate(&self, node: &Node, readers: &[(NodeId, usize)]) -> Fate {
        let StreamOp::Filter(FilterOp { columns: None, .. }) = &node.op else { return Fate::Stays };
        let mut read = BTreeSet::new();
        for (reader, _) in readers {
            let StreamOp::Project(exprs) = &self.node(*reader).op else { return Fate::Stays };
            if let ([_], true) = (readers, exprs.iter().all(|e| column(e).is_some())) {
                return Fate::Joins;
            }
            read.extend(exprs.iter().flat_map(collect_columns).map(|c| c.index()));
        }
        match readers.is_empty() || read.len() == node.edge.schema.fields().len() {
            true => Fate::Stays,
            false => Fate::Narrow(read.into_iter().collect()),
        }
    }
}

fn narrow(edge: &Edge, columns: &[usize]) -> Edge {
    let fields: Vec<_> = columns.iter().map(|c| Arc::clone(&edge.schema.fields()[*c])).collect();
    let event_time = edge.event_time.and_then(|t| columns.iter().position(|c| *c == t));
    Edge { schema: Arc::new(Schema::new(fields)), event_time, ..edge.clone() }
}

/// `expr` over the columns that are left.
fn moved(expr: &Expr, columns: &[usize]) -> Expr {
    let place = |e: Expr| {
        let Some(old) = e.downcast_ref::<Column>() else { return Ok(Transformed::no(e)) };
        let place = columns.iter().position(|c| *c == old.index()).unwrap_or(old.index());
        Ok(Transformed::yes(Arc::new(Column::new(old.name(), place)) as Expr))
    };
    Arc::clone(expr).transform(place).map_or_else(|_| Arc::clone(expr), |t| t.data)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};
    use datafusion_expr::Operator;
    use datafusion_physical_expr::expressions::{BinaryExpr, lit};
    use expect_test::{Expect, expect};
    use tidemill_core::{ChangeMode, EpochClock};

    use super::*;
    use crate::explain;
    use crate::op::{SinkOp, SinkTarget};

    fn edge(names: &[&str]) -> Edge {
        let fields: Vec<_> = names.iter().map(|n| Field::new(*n, DataType::Int64, true)).collect();
        Edge { schema: Arc::new(Schema::new(fields)), changes: ChangeMode::Append, event_time: None, bounded: true }
    }

    fn at(name: &str, place: usize) -> Expr {
        Arc::new(Column::new(name, place))
    }

    /// Rows `a`, `b`, `c` where `b > 1`, read by a projection for each of `readers`.
    fn check(readers: Vec<Vec<Expr>>, expected: Expect) {
        let mut plan = StreamPlan::new(EpochClock::default());
        let rows = plan.add(StreamOp::Values(vec![]), vec![], edge(&["a", "b", "c"]));
        let condition = Arc::new(BinaryExpr::new(at("b", 1), Operator::Gt, lit(1_i64)));
        let filter = plan.add(StreamOp::Filter(FilterOp::new(condition)), vec![rows], edge(&["a", "b", "c"]));
        for (i, exprs) in readers.into_iter().enumerate() {
            let names = &["x", "y", "z"][..exprs.len()];
            let project = plan.add(StreamOp::Project(exprs), vec![filter], edge(names));
            plan.add(StreamOp::Sink(SinkOp { target: SinkTarget::Result(i) }), vec![project], edge(names));
        }
        expected.assert_eq(&explain::stream(&plan.narrowed()));
    }

    #[test]
    fn a_choice_of_columns_becomes_a_part_of_the_filter() {
        check(
            vec![vec![at("c", 2), at("a", 0)]],
            expect![[r#"
            Sink result  [append, bounded]
              Filter b@1 > 1 columns=[x, y]  [append, bounded]
                Values rows=0  [append, bounded]
        "#]],
        );
    }

    #[test]
    fn expressions_find_their_columns_in_their_new_places() {
        let sum = Arc::new(BinaryExpr::new(at("c", 2), Operator::Plus, at("a", 0)));
        check(
            vec![vec![sum]],
            expect![[r#"
            Sink result  [append, bounded]
              Project c@1 + a@0 AS x  [append, bounded]
                Filter b@1 > 1 columns=[a, c]  [append, bounded]
                  Values rows=0  [append, bounded]
        "#]],
        );
    }

    #[test]
    fn a_filter_above_another_asks_in_the_same_step() {
        let mut plan = StreamPlan::new(EpochClock::default());
        let mut rows = plan.add(StreamOp::Values(vec![]), vec![], edge(&["a", "b", "c"]));
        for (name, place) in [("a", 0), ("b", 1), ("c", 2)] {
            let condition = Arc::new(BinaryExpr::new(at(name, place), Operator::Gt, lit(1_i64)));
            rows = plan.add(StreamOp::Filter(FilterOp::new(condition)), vec![rows], edge(&["a", "b", "c"]));
        }
        let project = plan.add(StreamOp::Project(vec![at("a", 0)]), vec![rows], edge(&["x"]));
        plan.add(StreamOp::Sink(SinkOp { target: SinkTarget::Result(0) }), vec![project], edge(&["x"]));
        expect![[r#"
            Sink result  [append, bounded]
              Filter a@0 > 1, then b@1 > 1, then c@2 > 1 columns=[x]  [append, bounded]
                Values rows=0  [append, bounded]
        "#]]
        .assert_eq(&explain::stream(&plan.narrowed()));
    }

    #[test]
    fn what_one_of_several_readers_reads_is_there() {
        check(
            vec![vec![at("c", 2)], vec![at("b", 1)]],
            expect![[r#"
            Sink result  [append, bounded]
              Project c@1 AS x  [append, bounded]
                #1 Filter b@1 > 1 columns=[b, c]  [append, bounded]
                  Values rows=0  [append, bounded]
            Sink result  [append, bounded]
              Project b@0 AS x  [append, bounded]
                #1 Filter (see above)
        "#]],
        );
    }
}
