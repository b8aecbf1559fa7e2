//! `(a, b) IS NULL`, which is that each of them is NULL, and `(a, b) IS NOT NULL`, that none is. To DataFusion a row that is
//! made of values is never NULL.

use sqlparser::ast::{BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments};

/// Writes the question out for each value of the row.
pub(super) fn rewrite(expr: &mut Expr) {
    let (of, negated) = match &*expr {
        Expr::IsNull(of) => (of, false),
        Expr::IsNotNull(of) => (of, true),
        _ => return,
    };
    let Some(row) = row(of) else { return };
    let ask = |value: Expr| {
        let value = Box::new(Expr::Nested(Box::new(value)));
        if negated { Expr::IsNotNull(value) } else { Expr::IsNull(value) }
    };
    let each = row.into_iter().map(ask);
    let all = each.reduce(|a, b| Expr::BinaryOp { left: Box::new(a), op: BinaryOperator::And, right: Box::new(b) });
    if let Some(all) = all {
        *expr = Expr::Nested(Box::new(all));
    }
}

/// The values of `(a, b)` and `ROW(a, b)`.
pub(super) fn row(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Nested(inner) => row(inner),
        Expr::Tuple(values) => Some(values.clone()),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("row") => {
            let FunctionArguments::List(list) = &function.args else { return None };
            let value = |arg: &FunctionArg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
                _ => None,
            };
            list.args.iter().map(value).collect()
        }
        _ => None,
    }
}
