//! The share in `PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY x)`: wrong ones are told at their place, before anything runs.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, UnaryOperator, Value};
use tidemill_core::Error;

use super::source::place;

/// Refuses a share that is no number from 0 to 1.
pub(super) fn check(expr: &Expr) -> ControlFlow<Error> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), within_group, .. }) = expr else {
        return ControlFlow::Continue(());
    };
    let name = name.to_string().to_ascii_uppercase();
    if !matches!(name.as_str(), "PERCENTILE" | "PERCENTILE_CONT" | "PERCENTILE_DISC") {
        return ControlFlow::Continue(());
    }
    // PERCENTILE_CONT(x, 0.9) is the other form.
    let at = usize::from(within_group.is_empty());
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(share))) = list.args.get(at) else {
        return ControlFlow::Continue(());
    };
    let wrong = match number(share) {
        Share::Number(n) => !(0.0..=1.0).contains(&n),
        Share::Unknown => false,
        Share::None => true,
    };
    match wrong {
        true => ControlFlow::Break(
            Error::statement(format!("{name} takes a share from 0 to 1, not {share}"))
                .with_hint("0.5 is the value in the middle.")
                .at(place(share.span())),
        ),
        false => ControlFlow::Continue(()),
    }
}

enum Share {
    Number(f64),
    /// What comes out of it is seen later.
    Unknown,
    /// No number, or not the same one for all rows.
    None,
}

fn number(expr: &Expr) -> Share {
    match expr {
        Expr::Nested(inner) => number(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match number(expr) {
            Share::Number(n) => Share::Number(-n),
            other => other,
        },
        Expr::Value(v) => match &v.value {
            Value::Number(n, _) => n.parse().map_or(Share::None, Share::Number),
            _ => Share::None,
        },
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => Share::None,
        _ => Share::Unknown,
    }
}
