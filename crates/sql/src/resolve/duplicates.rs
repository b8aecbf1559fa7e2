//! Columns of a result of one name: `SELECT 1, 1`, `SELECT COUNT(*), COUNT(*)`, `SELECT a AS x, b AS x`.
//!
//! DataFusion names those without a name by their expressions and refuses two of one name; Flink numbers them. The second and later ones
//! are numbered here.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result as PlanResult, SchemaError};
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan};
use sqlparser::ast::{Expr, Ident, Query, Select, SelectItem, Spanned, Value, VisitorMut};

use super::Node;
use crate::parser::walk::walk_mut;

/// Names the columns that would have the name of one before them.
pub(crate) fn name_duplicates(query: &mut Query) {
    struct Duplicates;
    impl VisitorMut for Duplicates {
        type Break = ();
        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            of_select(select, name_of);
            ControlFlow::Continue(())
        }
    }
    let _ = walk_mut(query, &mut Duplicates);
}

/// Numbers columns that end in the name of one before them: `a.x, b.x` becomes `a.x, b.x AS x0`. Whether there was one.
pub(super) fn number_fields<N: Node>(node: &mut N) -> bool {
    struct Fields(bool);
    impl VisitorMut for Fields {
        type Break = ();
        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            self.0 |= of_select(select, by_last_name);
            ControlFlow::Continue(())
        }
    }
    let mut fields = Fields(false);
    let _ = walk_mut(node, &mut fields);
    fields.0
}

/// Numbers the columns of `select` that have the name of one before them, explicit names and those of columns alike.
pub(super) fn of_select(select: &mut Select, name_of: impl Fn(&Expr) -> String) -> bool {
    let mut numbered = false;
    // As DataFusion has them, without regard to case; and those by which others would call the column.
    let mut names: Vec<String> = vec![];
    let mut called: Vec<(String, bool)> = vec![];
    for i in 0..select.projection.len() {
        let (name, own, explicit) = match &select.projection[i] {
            SelectItem::UnnamedExpr(expr) => (name_of(expr), own_name(expr).unwrap_or_default(), false),
            SelectItem::ExprWithAlias { alias, .. } => (alias.value.to_lowercase(), alias.value.clone(), true),
            _ => continue,
        };
        let taken = match explicit {
            true => called.iter().any(|(c, _)| *c == own),
            false => names.contains(&name) || called.iter().any(|(c, explicit)| *explicit && *c == own),
        };
        if taken && let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = &select.projection[i] {
            let free = |n: &String| !called.iter().any(|(c, _)| c == n);
            let alias = match own.is_empty() {
                false => (0..).map(|n| format!("{own}{n}")).find(free).unwrap_or_default(),
                true => format!("EXPR${i}"),
            };
            called.push((alias.clone(), true));
            let alias = Ident::with_quote_and_span('`', expr.span(), alias);
            select.projection[i] = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            numbered = true;
        } else if !own.is_empty() {
            called.push((own, explicit));
        }
        names.push(name);
    }
    numbered
}

/// The name that a column has of its own.
fn own_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(column) => Some(column.value.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().map(|p| p.value.clone()),
        _ => None,
    }
}

/// An error if two expressions of a grouping would have one name: a column and a cast of it, which are told apart as long as
/// the column's table stands before it, and not by what comes later.
pub(crate) fn distinct_groups(plan: &LogicalPlan) -> PlanResult<()> {
    plan.apply_with_subqueries(|node| {
        let LogicalPlan::Aggregate(aggregate) = node else { return Ok(TreeNodeRecursion::Continue) };
        let mut names = HashSet::new();
        for expr in &aggregate.group_expr {
            let name = expr.schema_name().to_string();
            if matches!(expr, PlanExpr::Cast(_) | PlanExpr::TryCast(_) | PlanExpr::Column(_))
                && !names.insert(name.clone())
            {
                let error = SchemaError::DuplicateUnqualifiedField { name };
                return Err(DataFusionError::SchemaError(Box::new(error), Box::new(None)));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// Numbers columns by their last names.
pub(super) fn by_last_name(expr: &Expr) -> String {
    match expr {
        Expr::CompoundIdentifier(parts) => parts.last().map_or(String::new(), |p| p.value.to_lowercase()),
        other => name_of(other),
    }
}

/// What DataFusion makes a column's name of: the expression without its casts.
pub(super) fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Nested(inner) => name_of(inner),
        Expr::Cast { expr, .. } => name_of(expr),
        Expr::TypedString(typed) => typed.value.value.to_string().to_lowercase(),
        Expr::Value(v) => match &v.value {
            // A number has no quotes, so that it is not taken for the text.
            Value::Number(n, _) => n.clone(),
            other => other.to_string().to_lowercase(),
        },
        other => other.to_string().to_lowercase(),
    }
}
