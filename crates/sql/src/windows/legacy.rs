//! The old form: `GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE), k` with `TUMBLE_START(..)` and its like.
//!
//! It becomes the new one, in the syntax tree: the `FROM` and `WHERE` go, as a subquery, into a window function, the group
//! function becomes `window_start, window_end`, and `TUMBLE_START`, or the group function itself among the results, becomes
//! `window_start`. The subquery has no name of
//! its own, so that names such as `t.a` still mean what they meant.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, ObjectNamePart, OrderBy,
    Query, Select, SelectItem, SetExpr, Spanned, TableFactor, TableWithJoins, Value, VisitorMut,
};
use tidemill_core::{Error, Result};

use crate::parser::finish::select_all;
use crate::parser::forms::{TABLE_ARGUMENT, call};
use crate::parser::rows::sets_of_rows;
use crate::parser::source::place;
use crate::parser::walk::walk_mut;

/// Rewrites every query of `query` that groups by a window function.
pub(crate) fn rewrite(query: &mut Query) -> Result<()> {
    match walk_mut(query, &mut Rewrite) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(e) => Err(e),
    }
}

/// The functions, how many lengths each takes, and how it is written.
const FUNCTIONS: &[(&str, std::ops::RangeInclusive<usize>, &str)] = &[
    ("TUMBLE", 1..=2, "TUMBLE(time, size [, offset])"),
    ("HOP", 2..=3, "HOP(time, slide, size [, offset])"),
    ("CUMULATE", 2..=3, "CUMULATE(time, step, size [, offset])"),
    ("SESSION", 1..=1, "SESSION(time, gap)"),
];

/// What follows the name of a window function in the functions that ask for its bounds.
const BOUNDS: &[(&str, &str)] =
    &[("_START", "window_start"), ("_END", "window_end"), ("_ROWTIME", "window_time"), ("_PROCTIME", "window_time")];

struct Rewrite;

impl VisitorMut for Rewrite {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let result = match query.body.as_mut() {
            SetExpr::Select(select) => rewrite_select(select, query.order_by.as_mut()),
            _ => Ok(()),
        };
        flow(result)
    }

    /// Those that are not alone in their query: the sides of a UNION.
    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        flow(rewrite_select(select, None))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if let Some((name, _)) = bound_function(expr) {
            let window = name.split('_').next().unwrap_or_default().to_uppercase();
            let error = Error::statement(format!("{name} needs a GROUP BY {window}(..) in the same query"));
            return ControlFlow::Break(error.at(place(expr.span())));
        }
        ControlFlow::Continue(())
    }
}

fn flow(result: Result<()>) -> ControlFlow<Error> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(e) => ControlFlow::Break(e),
    }
}

fn rewrite_select(select: &mut Select, order_by: Option<&mut OrderBy>) -> Result<()> {
    let GroupByExpr::Expressions(groups, _) = &select.group_by else { return Ok(()) };
    let mut windows = groups.iter().flat_map(group_parts).filter(|g| group_window(g).is_some());
    let Some(window) = windows.next().cloned() else { return Ok(()) };
    if let Some(second) = windows.find(|w| **w != window) {
        return Err(Error::unsupported("GROUP BY two window functions is not supported").at(place(second.span())));
    }
    let Some((function, args)) = group_window(&window) else { return Ok(()) };
    let span = window.span();
    let known = FUNCTIONS.iter().find(|(name, ..)| function.value.eq_ignore_ascii_case(name));
    let Some((function, numbers, usage)) = known else { return Err(Error::internal("a window without a function")) };
    let (time, lengths) = match args.as_slice() {
        [time, lengths @ ..] if numbers.contains(&lengths.len()) => (time, lengths),
        _ => {
            return Err(Error::statement(format!("GROUP BY {function} has another number of arguments"))
                .with_hint(format!("Write {usage}."))
                .at(place(span)));
        }
    };

    // The rows: all columns, and those expressions that the window function needs as columns.
    let mut inner = select_all(std::mem::take(&mut select.from));
    let SetExpr::Select(rows) = inner.body.as_mut() else { return Err(Error::internal("a subquery without SELECT")) };
    rows.selection = select.selection.take();
    let mut as_column = |expr: &Expr, name: &str| -> Expr {
        if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            return expr.clone();
        }
        let alias = Ident::with_quote_and_span('`', expr.span(), name);
        rows.projection.push(SelectItem::ExprWithAlias { expr: expr.clone(), alias: alias.clone() });
        Expr::Identifier(alias)
    };
    let time = as_column(time, "group_window_time");
    let mut keys: Vec<(Expr, Expr)> = vec![];
    if *function == "SESSION" {
        // The keys beside it are the session's partition.
        if groups.iter().any(|g| matches!(g, Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_))) {
            return Err(Error::unsupported("SESSION(..) beside ROLLUP, CUBE or GROUPING SETS is not supported")
                .with_hint("Write FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), gap)), and group by its window_start and window_end.")
                .at(place(span)));
        }
        for (i, group) in groups.iter().filter(|g| **g != window).enumerate() {
            let key = by_number(group, &select.projection);
            keys.push((key.clone(), as_column(&key, &format!("group_key_{i}"))));
        }
    }
    let mut table = vec![Expr::Subquery(Box::new(inner))];
    table.extend(keys.iter().map(|(_, column)| column.clone()));
    let mut arguments = vec![call(TABLE_ARGUMENT, span, table), call("DESCRIPTOR", span, [time])];
    arguments.extend(lengths.iter().cloned());
    let relation = TableFactor::TableFunction { expr: call(function, span, arguments), alias: None };
    select.from = vec![TableWithJoins { relation, joins: vec![] }];

    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) = item
            && keys.iter().any(|(key, column)| key == expr && key != column)
        {
            // The column of the result keeps the name that it would have had.
            let alias = Ident::with_quote_and_span('`', expr.span(), expr.to_string());
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
    let mut replace = Replace { window: &window, function, keys: &keys, window_time: false };
    let mut visited = select.projection.iter_mut().try_for_each(|item| walk_mut(item, &mut replace));
    if visited.is_continue() {
        visited = select.having.iter_mut().try_for_each(|having| walk_mut(having, &mut replace));
    }
    if visited.is_continue() {
        visited = order_by.into_iter().try_for_each(|order_by| walk_mut(order_by, &mut replace));
    }
    if let ControlFlow::Break(e) = visited {
        return Err(e);
    }
    let window_time = replace.window_time;
    if let GroupByExpr::Expressions(groups, _) = &mut select.group_by {
        let mut bounds = vec![bound("window_start", span), bound("window_end", span)];
        if window_time {
            bounds.push(bound("window_time", span));
        }
        for group in groups.iter_mut() {
            if let Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) = group {
                for set in sets {
                    let each = |part: Expr| if part == window { bounds.clone() } else { vec![part] };
                    *set = std::mem::take(set).into_iter().flat_map(each).collect();
                }
                sets_of_rows(group);
            }
        }
        *groups = groups
            .drain(..)
            .flat_map(|group| match keys.iter().find(|(key, _)| *key == group) {
                _ if group == window => std::mem::take(&mut bounds),
                Some((_, column)) => vec![column.clone()],
                None => vec![group],
            })
            .collect();
    }
    Ok(())
}

/// What a group is made of: itself, or all that stands in its sets.
fn group_parts(group: &Expr) -> Vec<&Expr> {
    match group {
        Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) => sets.iter().flatten().collect(),
        other => vec![other],
    }
}

fn bound(name: &str, span: sqlparser::tokenizer::Span) -> Expr {
    Expr::Identifier(Ident::with_span(span, name))
}

/// The name and the arguments of a call.
fn called(expr: &Expr) -> Option<(&Ident, Vec<Expr>)> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), over: None, .. }) = expr else {
        return None;
    };
    let [ObjectNamePart::Identifier(name)] = name.0.as_slice() else { return None };
    let args = list.args.iter().map(|a| match a {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e.clone()),
        _ => None,
    });
    Some((name, args.collect::<Option<_>>()?))
}

/// `TUMBLE(ts, ..)` as a group.
fn group_window(expr: &Expr) -> Option<(&Ident, Vec<Expr>)> {
    called(expr).filter(|(name, _)| FUNCTIONS.iter().any(|(f, ..)| name.value.eq_ignore_ascii_case(f)))
}

/// `TUMBLE_START(..)`: its name, and the column that it becomes.
fn bound_function(expr: &Expr) -> Option<(String, &'static str)> {
    let (name, _) = called(expr)?;
    let upper = name.value.to_ascii_uppercase();
    let (_, column) = FUNCTIONS.iter().find_map(|(f, ..)| {
        let rest = upper.strip_prefix(f)?;
        BOUNDS.iter().find(|(suffix, _)| rest == *suffix)
    })?;
    Some((name.value.clone(), column))
}

/// `GROUP BY 1` means the first column of the result.
fn by_number(group: &Expr, projection: &[SelectItem]) -> Expr {
    let Expr::Value(v) = group else { return group.clone() };
    let Value::Number(n, _) = &v.value else { return group.clone() };
    let item = n.parse::<usize>().ok().and_then(|n| projection.get(n.checked_sub(1)?));
    match item {
        Some(SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. }) => e.clone(),
        _ => group.clone(),
    }
}

struct Replace<'a> {
    window: &'a Expr,
    function: &'a str,
    keys: &'a [(Expr, Expr)],
    window_time: bool,
}

impl VisitorMut for Replace<'_> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if let Some((_, column)) = self.keys.iter().find(|(key, _)| key == expr) {
            *expr = column.clone();
            return ControlFlow::Continue(());
        }
        if let (Some((name, args)), Some((own, own_args))) = (group_window(expr), group_window(self.window))
            && name.value.eq_ignore_ascii_case(&own.value)
            && args == own_args
        {
            *expr = bound("window_start", expr.span());
            return ControlFlow::Continue(());
        }
        let Some((name, column)) = bound_function(expr) else { return ControlFlow::Continue(()) };
        let own = name.to_ascii_uppercase().starts_with(self.function);
        let same = own && called(expr).map(|(_, args)| args) == called(self.window).map(|(_, args)| args);
        if !same {
            let message = format!("{name} has other arguments than the window of the GROUP BY");
            return ControlFlow::Break(Error::statement(message).at(place(expr.span())));
        }
        self.window_time |= column == "window_time";
        *expr = bound(column, expr.span());
        ControlFlow::Continue(())
    }
}
