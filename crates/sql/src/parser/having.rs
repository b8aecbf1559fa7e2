//! Groups without keys that no aggregate tells of: `SELECT 1 FROM t HAVING EXISTS (..)`, `GROUP BY ()`.
//!
//! All rows are one group, also where there are none. DataFusion makes groups only of keys or for aggregates, so the
//! condition is given one that is always true.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, Function, GroupByExpr, Query, Select, Visit, Visitor};
use sqlparser::parser::Parser;

use super::dialect::Dialect;
use super::walk::walk;

/// Rewrites such a SELECT.
pub(super) fn rewrite(select: &mut Select) {
    let GroupByExpr::Expressions(keys, modifiers) = &mut select.group_by else { return };
    let written = keys.len();
    keys.retain(|key| !matches!(key, Expr::Tuple(values) if values.is_empty()));
    let is_one = keys.len() < written || select.having.is_some();
    if !keys.is_empty() || !modifiers.is_empty() || !is_one {
        return;
    }
    if !has_known_aggregate(&select.projection) && !has_known_aggregate(&select.having) {
        one_group(select);
    }
}

/// Whether there is an aggregate that anyone would know, outside of subqueries.
pub(super) fn has_known_aggregate(node: &impl Visit) -> bool {
    walk(node, &mut Aggregates { depth: 0 }).is_break()
}

/// Makes one group of all rows of a SELECT without keys.
pub(super) fn one_group(select: &mut Select) {
    let all = parsed("COUNT(*) >= 0");
    select.having = Some(match select.having.take() {
        None => all,
        Some(having) => {
            let having = Box::new(Expr::Nested(Box::new(having)));
            Expr::BinaryOp { left: having, op: BinaryOperator::And, right: Box::new(all) }
        }
    });
}

/// Breaks at an aggregate that anyone would know. One that it does not know does no harm.
struct Aggregates {
    depth: usize,
}

/// Whether it is such an aggregate.
pub(super) fn is_known_aggregate(function: &Function) -> bool {
    let name = function.name.to_string();
    function.over.is_none() && KNOWN.iter().any(|known| name.eq_ignore_ascii_case(known))
}

const KNOWN: [&str; 6] = ["count", "sum", "min", "max", "avg", "array_agg"];

impl Visitor for Aggregates {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(f) if self.depth == 0 && is_known_aggregate(f) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn parsed(text: &str) -> Expr {
    let parsed = Parser::new(&Dialect).try_with_sql(text).and_then(|mut p| p.parse_expr());
    parsed.expect("this text is an expression")
}
