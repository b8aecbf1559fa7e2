//! `(a, b) = (1, 2)`, `(a, b) < (1, 2)`, `(a, b) IN ((1, 2), (3, 4))`: rows are compared value by value, so that a NULL in one of them leaves the
//! answer open where the others do not decide. To DataFusion they are values of their own, to which NULL is equal to NULL.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, Spanned, UnaryOperator};
use tidemill_core::Error;

use super::row_null::row;
use super::source::place;

/// Writes the comparison out.
pub(super) fn rewrite(expr: &mut Expr) -> ControlFlow<Error> {
    let written = match &*expr {
        Expr::BinaryOp { left, op, right } => {
            let (Some(left), Some(right)) = (row(left), row(right)) else { return ControlFlow::Continue(()) };
            same_length(&left, &right, expr).map(|()| compared(&left, op, &right))
        }
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
            let (Some(left), Some(right)) = (row(left), row(right)) else { return ControlFlow::Continue(()) };
            let negated = matches!(expr, Expr::IsNotDistinctFrom(..));
            same_length(&left, &right, expr).map(|()| {
                let each = left.into_iter().zip(right).map(|(l, r)| {
                    let (l, r) = (Box::new(l), Box::new(r));
                    if negated { Expr::IsNotDistinctFrom(l, r) } else { Expr::IsDistinctFrom(l, r) }
                });
                together(each.collect(), if negated { &BinaryOperator::And } else { &BinaryOperator::Or })
            })
        }
        Expr::InList { expr: of, list, negated } => {
            let Some(left) = row(of) else { return ControlFlow::Continue(()) };
            let Some(rows) = list.iter().map(row).collect::<Option<Vec<_>>>() else {
                return ControlFlow::Continue(());
            };
            let equal = |right: Vec<Expr>| {
                same_length(&left, &right, expr).map(|()| compared(&left, &BinaryOperator::Eq, &right))
            };
            rows.into_iter().map(equal).collect::<Result<Option<Vec<_>>, _>>().map(|equal| {
                let any = together(equal?, &BinaryOperator::Or)?;
                Some(if *negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(any) } } else { any })
            })
        }
        _ => return ControlFlow::Continue(()),
    };
    match written {
        Ok(Some(written)) => {
            *expr = written;
            ControlFlow::Continue(())
        }
        Ok(None) => ControlFlow::Continue(()),
        Err(e) => ControlFlow::Break(e),
    }
}

fn same_length(left: &[Expr], right: &[Expr], whole: &Expr) -> Result<(), Error> {
    match left.len() == right.len() {
        true => Ok(()),
        false => {
            let message = format!("a row of {} values is compared with one of {}", left.len(), right.len());
            Err(Error::statement(message).at(place(whole.span())))
        }
    }
}

/// `left op right`, if it is a comparison.
fn compared(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Option<Expr> {
    let each = |op: &BinaryOperator| left.iter().zip(right).map(|(l, r)| binary(l, op, r)).collect::<Vec<_>>();
    match op {
        BinaryOperator::Eq => together(each(op), &BinaryOperator::And),
        BinaryOperator::NotEq => together(each(op), &BinaryOperator::Or),
        BinaryOperator::Lt | BinaryOperator::LtEq => in_order(left, &BinaryOperator::Lt, op, right),
        BinaryOperator::Gt | BinaryOperator::GtEq => in_order(left, &BinaryOperator::Gt, op, right),
        _ => None,
    }
}

/// `a < x OR (a = x AND b <= y)`: the first values that differ decide.
fn in_order(left: &[Expr], before: &BinaryOperator, last: &BinaryOperator, right: &[Expr]) -> Option<Expr> {
    match (left, right) {
        ([l], [r]) => Some(binary(l, last, r)),
        ([l, left @ ..], [r, right @ ..]) => {
            let rest = in_order(left, before, last, right)?;
            let equal = binary(&binary(l, &BinaryOperator::Eq, r), &BinaryOperator::And, &rest);
            Some(binary(&binary(l, before, r), &BinaryOperator::Or, &equal))
        }
        _ => None,
    }
}

/// In parentheses. Of many it is a tree as flat as can be.
fn together(mut parts: Vec<Expr>, op: &BinaryOperator) -> Option<Expr> {
    while parts.len() > 1 {
        parts = parts
            .chunks(2)
            .map(|pair| match pair {
                [a, b] => binary(a, op, b),
                alone => alone[0].clone(),
            })
            .collect();
    }
    parts.pop()
}

fn binary(left: &Expr, op: &BinaryOperator, right: &Expr) -> Expr {
    let (left, right) = (Box::new(left.clone()), Box::new(right.clone()));
    Expr::Nested(Box::new(Expr::BinaryOp { left, op: op.clone(), right }))
}
