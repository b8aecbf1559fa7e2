//! Columns that are called as the function whose result they are: `SELECT sum FROM (SELECT SUM(y) FROM t)`, as in PostgreSQL.
//!
//! Only where such a column is asked for and there is none: otherwise a call without a name keeps the one it has.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, Ident, ObjectNamePart, Select, SelectItem, Spanned, VisitorMut};

use super::Node;
use crate::parser::walk::walk_mut;

/// Names the calls of function `name` that have no name of their own. Whether there was one.
pub(super) fn name_calls<N: Node>(node: &mut N, name: &str) -> bool {
    let mut calls = Calls { name, done: false };
    let _ = walk_mut(node, &mut calls);
    calls.done
}

struct Calls<'a> {
    name: &'a str,
    done: bool,
}

impl Calls<'_> {
    fn is_of(&self, function: &Function) -> bool {
        let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return false };
        name.value.eq_ignore_ascii_case(self.name)
    }
}

impl VisitorMut for Calls<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let mut named = false;
        for item in &mut select.projection {
            let expr = match item {
                SelectItem::UnnamedExpr(expr @ Expr::Function(_)) => expr,
                // The name that a column of the result has where it was given none: its text.
                SelectItem::ExprWithAlias { expr: expr @ Expr::Function(_), alias }
                    if alias.quote_style == Some('`') && alias.value.contains('(') =>
                {
                    expr
                }
                _ => continue,
            };
            let Expr::Function(function) = &*expr else { continue };
            // The second of one name would make it ambiguous.
            if self.is_of(function) && !named {
                let alias = Ident::with_quote_and_span('`', expr.span(), self.name);
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
                (named, self.done) = (true, true);
            }
        }
        ControlFlow::Continue(())
    }
}
