//! Columns of a result without a name of their own: `SELECT 1, 1`, `SELECT COUNT(*), COUNT(*)`.
//!
//! DataFusion names them by their expressions and refuses two of one name; Flink numbers them. The second and later ones
//! are numbered here.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, Query, Select, SelectItem, Spanned, Value, VisitMut, VisitorMut};

use super::Node;

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
    let _ = VisitMut::visit(query, &mut Duplicates);
}

/// Numbers columns that end in the name of one before them: `a.x, b.x` becomes `a.x, b.x AS x1`. Whether there was one.
pub(super) fn number_fields<N: Node>(node: &mut N) -> bool {
    struct Fields(bool);
    impl VisitorMut for Fields {
        type Break = ();
        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            self.0 |= of_select(select, |expr| match expr {
                Expr::CompoundIdentifier(parts) => parts.last().map_or(String::new(), |p| p.value.to_lowercase()),
                other => name_of(other),
            });
            ControlFlow::Continue(())
        }
    }
    let mut fields = Fields(false);
    let _ = VisitMut::visit(node, &mut fields);
    fields.0
}

fn of_select(select: &mut Select, name_of: impl Fn(&Expr) -> String) -> bool {
    let mut numbered = false;
    let mut names: Vec<String> = vec![];
    for i in 0..select.projection.len() {
        let name = match &select.projection[i] {
            SelectItem::UnnamedExpr(expr) => name_of(expr),
            SelectItem::ExprWithAlias { alias, .. } => alias.value.to_lowercase(),
            _ => continue,
        };
        if let SelectItem::UnnamedExpr(expr) = &select.projection[i]
            && names.contains(&name)
        {
            let alias = match expr {
                Expr::Identifier(column) => format!("{}{i}", column.value),
                Expr::CompoundIdentifier(parts) => format!("{}{i}", parts.last().map_or("", |p| p.value.as_str())),
                _ => format!("EXPR${i}"),
            };
            let alias = Ident::with_quote_and_span('`', expr.span(), alias);
            select.projection[i] = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            numbered = true;
        }
        names.push(name);
    }
    numbered
}

/// What DataFusion makes a column's name of: the expression without its casts.
fn name_of(expr: &Expr) -> String {
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
