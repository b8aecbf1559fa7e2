//! `GENERATE_SERIES(first, last [, step])` in FROM: a list of that name, taken apart.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, Spanned, TableAlias, TableAliasColumnDef,
    TableFactor,
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
    let Some((function, values)) = series(name, args) else { return };
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

fn series(name: &ObjectName, args: &[FunctionArg]) -> Option<(&'static str, Vec<Expr>)> {
    let [ObjectNamePart::Identifier(name)] = name.0.as_slice() else { return None };
    let function = SERIES.into_iter().find(|s| name.value.eq_ignore_ascii_case(s))?;
    let value = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
        _ => None,
    };
    Some((function, args.iter().map(value).collect::<Option<_>>()?))
}
