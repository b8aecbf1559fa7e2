//! Merged columns in the queries within a query: `SELECT .. FROM l JOIN r USING (k) WHERE EXISTS (SELECT .. WHERE x = k)`.
//!
//! Whether `k` there is a column of the inner query only its planning tells. Where it is not, and a query around it has such a merged
//! column, it is that.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, Select, SetExpr, VisitorMut};
use sqlparser::tokenizer::Location;
use tidemill_core::Span;

use super::scope::{Visible, merged};
use crate::parser::source::place;
use crate::parser::walk::walk_mut;
use crate::resolve::Node;

/// The columns in sight behind the joins that were written out, by the place of the `SELECT` that each is of.
#[derive(Debug, Default)]
pub(crate) struct MergedColumns(Vec<(Location, Vec<Visible>)>);

fn place_of(select: &Select) -> Location {
    select.select_token.0.span.start
}

impl MergedColumns {
    /// Those of `select`.
    pub(super) fn add(&mut self, select: &Select, seen: Vec<Visible>) {
        self.0.push((place_of(select), seen));
    }

    /// Writes what `name` stands for where it is used, at `at`, in a query within one of the selects. Whether it was so.
    pub(in crate::resolve) fn write_within<N: Node>(&self, node: &mut N, name: &str, at: Option<Span>) -> bool {
        let Some(at) = at.filter(|_| !self.0.is_empty()) else { return false };
        let mut within = Within { columns: self, name, at, around: vec![], done: false };
        let _ = walk_mut(node, &mut within);
        within.done
    }
}

struct Within<'a> {
    columns: &'a MergedColumns,
    name: &'a str,
    at: Span,
    /// The places of the selects around, from the outermost in.
    around: Vec<Option<Location>>,
    done: bool,
}

impl VisitorMut for Within<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.around.push(match query.body.as_ref() {
            SetExpr::Select(select) => Some(place_of(select)),
            _ => None,
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.around.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Identifier(own) = &*expr else { return ControlFlow::Continue(()) };
        let here = place(own.span);
        if own.value != self.name || (here.line, here.column) != (self.at.line, self.at.column) {
            return ControlFlow::Continue(());
        }
        let Some((_, outer)) = self.around.split_last() else { return ControlFlow::Continue(()) };
        let of = |select: &Location| self.columns.0.iter().find(|(of, _)| of == select);
        let column = outer.iter().rev().flatten().filter_map(of).find_map(|(_, seen)| merged(self.name, seen));
        if let Some(column) = column {
            *expr = column.expr.clone();
            self.done = true;
        }
        ControlFlow::Continue(())
    }
}
