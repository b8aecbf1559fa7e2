//! The expressions of a query, told from those of the queries within it.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, VisitMut, VisitorMut};

use super::walk::{any_expression, walk_mut};

/// Calls `f` with each expression in `node` and how many queries deep it stands; those within an expression come before it.
pub fn each_expression(node: &mut impl VisitMut, f: impl FnMut(&mut Expr, usize)) {
    struct Each<F> {
        f: F,
        depth: usize,
    }
    impl<F: FnMut(&mut Expr, usize)> VisitorMut for Each<F> {
        type Break = ();

        fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
            self.depth += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            (self.f)(expr, self.depth);
            ControlFlow::Continue(())
        }
    }
    // It never breaks.
    let _ = walk_mut(node, &mut Each { f, depth: 0 });
}

/// Whether `expr` asks a query.
pub fn asks(expr: &Expr) -> bool {
    any_expression(expr, |e| matches!(e, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. }))
}
