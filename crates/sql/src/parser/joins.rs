//! Joins with their condition where DataFusion looks for it.
//!
//! - An outer, semi or anti join without a condition joins every row with every row, as an inner one does: `ON TRUE`;
//! - `CROSS JOIN b ON ..` is an inner join;
//! - `SEMI JOIN` and `ANTI JOIN` are of the left side.

use sqlparser::ast::{Expr, Join, JoinConstraint, JoinOperator, Spanned, Value};

/// Rewrites such joins.
pub(super) fn rewrite(joins: &mut [Join]) {
    for join in joins {
        let span = join.relation.span();
        match &mut join.join_operator {
            JoinOperator::CrossJoin(constraint @ (JoinConstraint::On(_) | JoinConstraint::Using(_))) => {
                let constraint = std::mem::replace(constraint, JoinConstraint::None);
                join.join_operator = JoinOperator::Inner(constraint);
            }
            JoinOperator::Semi(constraint) => join.join_operator = JoinOperator::LeftSemi(constraint.clone()),
            JoinOperator::Anti(constraint) => join.join_operator = JoinOperator::LeftAnti(constraint.clone()),
            _ => {}
        }
        match &mut join.join_operator {
            JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::LeftSemi(constraint)
            | JoinOperator::RightSemi(constraint)
            | JoinOperator::LeftAnti(constraint)
            | JoinOperator::RightAnti(constraint)
                if matches!(constraint, JoinConstraint::None) =>
            {
                *constraint = JoinConstraint::On(Expr::Value(Value::Boolean(true).with_span(span)));
            }
            _ => {}
        }
    }
}
