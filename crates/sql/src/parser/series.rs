//! Functions that give rows: `GENERATE_SERIES(first, last [, step])` in FROM and in the SELECT list, a list of that name
//! taken apart; and `LATERAL UNNEST(list)`, which is `UNNEST(list)`.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart, Select, SelectItem,
    Spanned, TableAlias, TableAliasColumnDef, TableFactor,
};

use super::forms::call;

/// Functions of DataFusion whose list is a series.
const SERIES: [&str; 2] = ["generate_series", "range"];

/// Makes `UNNEST(GENERATE_SERIES(..))` of a series in FROM, lateral or not.
pub(super) fn rewrite(factor: &mut TableFactor) {
    let (name, args, alias, with_ordinality) = match factor {
        TableFactor::Table { name, args: Some(args), alias, with_ordinality, .. } => {
            (name, &args.args, alias, *with_ordinality)
        }
        TableFactor::Function { name, args, alias, with_ordinality, .. } => (name, &*args, alias, *with_ordinality),
        _ => return,
    };
    let Some((function, values)) = series(name, args) else {
        if matches!(factor, TableFactor::Function { .. }) {
            lateral_unnest(factor);
        }
        return;
    };
    let span = name.span();
    let mut alias = alias.take().unwrap_or(TableAlias {
        explicit: true,
        name: Ident::with_span(span, function),
        columns: vec![],
        at: None,
    });
    if alias.columns.is_empty() {
        // As in PostgreSQL, the column is called as the table is.
        let names = [alias.name.value.clone()].into_iter().chain(with_ordinality.then(|| "ordinality".to_string()));
        alias.columns = names.map(TableAliasColumnDef::from_name).collect();
    }
    *factor = TableFactor::UNNEST {
        alias: Some(alias),
        array_exprs: vec![call(function, span, values)],
        with_offset: false,
        with_offset_alias: None,
        with_ordinality,
    };
}

/// UNNEST refers to the tables before it, whether it says LATERAL or not.
fn lateral_unnest(factor: &mut TableFactor) {
    let TableFactor::Function { name, args, alias, with_ordinality, .. } = factor else { return };
    let [ObjectNamePart::Identifier(function)] = name.0.as_slice() else { return };
    if !function.value.eq_ignore_ascii_case("unnest") {
        return;
    }
    let Some(array_exprs) = args.iter().map(value).collect() else { return };
    *factor = TableFactor::UNNEST {
        alias: alias.take(),
        array_exprs,
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: *with_ordinality,
    };
}

/// Makes `UNNEST(GENERATE_SERIES(..))` of a series in the SELECT list, which gives a row for each of its values.
pub(super) fn rewrite_values(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            rewrite_value(expr);
        }
    }
}

/// Not within calls: `CARDINALITY(GENERATE_SERIES(1, 3))` asks for the list.
fn rewrite_value(expr: &mut Expr) {
    match expr {
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } | Expr::Cast { expr: inner, .. } => {
            rewrite_value(inner)
        }
        Expr::BinaryOp { left, right, .. } => {
            rewrite_value(left);
            rewrite_value(right);
        }
        Expr::Function(function) if function.over.is_none() => {
            let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return };
            let FunctionArguments::List(_) = &function.args else { return };
            if name.value.eq_ignore_ascii_case(SERIES[0]) {
                let list = Expr::Function(function.clone());
                *expr = call("unnest", list.span(), [list]);
            }
        }
        _ => {}
    }
}

fn series(name: &ObjectName, args: &[FunctionArg]) -> Option<(&'static str, Vec<Expr>)> {
    let [ObjectNamePart::Identifier(name)] = name.0.as_slice() else { return None };
    let function = SERIES.into_iter().find(|s| name.value.eq_ignore_ascii_case(s))?;
    Some((function, args.iter().map(value).collect::<Option<_>>()?))
}

fn value(arg: &FunctionArg) -> Option<Expr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
        _ => None,
    }
}
