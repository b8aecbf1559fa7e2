//! `WINDOW w AS (..)`: windows by name, put where they are named.
//!
//! DataFusion looks for names in the columns of a result only, not in `QUALIFY`, and drops the name in `OVER (w ROWS ..)`.
//! A name that is not there is left for it to refuse.

use sqlparser::ast::{
    Expr, Ident, NamedWindowDefinition, NamedWindowExpr, Query, Select, SetExpr, WindowSpec, WindowType,
};

use super::excludes::only_marks;
use super::own::each_expression;

/// Writes the windows of `select` out wherever it names them.
pub(super) fn write_out(select: &mut Select) {
    let named = windows_of(select);
    each_expression(&mut select.projection, |expr, depth| named.write_out(expr, depth));
    each_expression(&mut select.qualify, |expr, depth| named.write_out(expr, depth));
}

/// Writes the windows of a query's SELECT out in its ORDER BY.
pub(super) fn write_out_in_order(query: &mut Query) {
    if let (SetExpr::Select(select), Some(order)) = (query.body.as_mut(), &mut query.order_by)
        && !select.named_window.is_empty()
    {
        let named = windows_of(select);
        each_expression(order, |expr, depth| named.write_out(expr, depth));
    }
}

/// The windows that `select` names, each written out.
fn windows_of(select: &mut Select) -> Named {
    let mut named = Named { windows: vec![] };
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
        if only_marks(&spec.order_by) {
            spec.order_by.splice(..0, base.order_by);
        }
        spec.window_frame = spec.window_frame.take().or(base.window_frame);
    }

    /// Within a query in an expression, names are that query's.
    fn write_out(&self, expr: &mut Expr, depth: usize) {
        let Expr::Function(function) = expr else { return };
        if depth > 0 {
            return;
        }
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
}

fn same(a: &Ident, b: &Ident) -> bool {
    a.value == b.value || (a.quote_style.is_none() && b.quote_style.is_none() && a.value.eq_ignore_ascii_case(&b.value))
}
