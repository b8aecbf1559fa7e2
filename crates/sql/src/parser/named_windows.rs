//! `WINDOW w AS (..)`: windows by name, put where they are named.
//!
//! DataFusion looks for names in the columns of a result only, not in `QUALIFY`, and drops the name in `OVER (w ROWS ..)`.
//! A name that is not there is left for it to refuse.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, NamedWindowDefinition, NamedWindowExpr, Query, Select, SetExpr, VisitMut, VisitorMut, WindowSpec,
    WindowType,
};

/// Writes the windows of `select` out wherever it names them.
pub(super) fn write_out(select: &mut Select) {
    let mut named = windows_of(select);
    // It never breaks.
    let _ = select.projection.visit(&mut named);
    let _ = select.qualify.visit(&mut named);
}

/// Writes the windows of a query's SELECT out in its ORDER BY.
pub(super) fn write_out_in_order(query: &mut Query) {
    if let (SetExpr::Select(select), Some(order)) = (query.body.as_mut(), &mut query.order_by)
        && !select.named_window.is_empty()
    {
        // It never breaks.
        let _ = order.visit(&mut windows_of(select));
    }
}

/// The windows that `select` names, each written out.
fn windows_of(select: &mut Select) -> Named {
    let mut named = Named { windows: vec![], depth: 0 };
    for NamedWindowDefinition(name, window) in &mut select.named_window {
        match window {
            NamedWindowExpr::NamedWindow(other) => {
                if let Some(spec) = named.of(other) {
                    *window = NamedWindowExpr::WindowSpec(spec);
                }
            }
            NamedWindowExpr::WindowSpec(spec) => named.complete(spec),
        }
        if let NamedWindowExpr::WindowSpec(spec) = window {
            named.windows.push((name.clone(), spec.clone()));
        }
    }
    named
}

struct Named {
    windows: Vec<(Ident, WindowSpec)>,
    /// How many queries deep: within a query in an expression, names are that query's.
    depth: usize,
}

impl Named {
    fn of(&self, name: &Ident) -> Option<WindowSpec> {
        self.windows.iter().find(|(other, _)| same(other, name)).map(|(_, spec)| spec.clone())
    }

    /// Adds to `(w ORDER BY .. ROWS ..)` what `w` says.
    fn complete(&self, spec: &mut WindowSpec) {
        let Some(base) = spec.window_name.as_ref().and_then(|name| self.of(name)) else { return };
        spec.window_name = None;
        spec.partition_by.splice(..0, base.partition_by);
        if spec.order_by.is_empty() {
            spec.order_by = base.order_by;
        }
        spec.window_frame = spec.window_frame.take().or(base.window_frame);
    }
}

impl VisitorMut for Named {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && self.depth == 0
        {
            match &mut function.over {
                Some(WindowType::WindowSpec(spec)) => self.complete(spec),
                Some(over @ WindowType::NamedWindow(_)) => {
                    if let WindowType::NamedWindow(name) = over
                        && let Some(spec) = self.of(name)
                    {
                        *over = WindowType::WindowSpec(spec);
                    }
                }
                None => {}
            }
        }
        ControlFlow::Continue(())
    }
}

fn same(a: &Ident, b: &Ident) -> bool {
    a.value == b.value || (a.quote_style.is_none() && b.quote_style.is_none() && a.value.eq_ignore_ascii_case(&b.value))
}
