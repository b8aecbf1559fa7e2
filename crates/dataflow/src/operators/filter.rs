//! `WHERE`: the rows for which an expression is true.

use arrow::array::AsArray;
use datafusion_common::ScalarValue;
use datafusion_expr::ColumnarValue;
use tidemill_core::{Delta, Result};
use tidemill_plan::op::Expr;

use crate::expression::data_error;
use crate::operator::{Cx, Operator};

/// Lets rows through or not. A delta that passes whole, or not at all, is not copied.
#[derive(Debug)]
pub struct Filter {
    condition: Expr,
}

impl Filter {
    /// The rows for which `condition`, a boolean, is true; neither false nor NULL.
    pub fn new(condition: Expr) -> Self {
        Self { condition }
    }
}

impl Operator for Filter {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let keep = match self.condition.evaluate(&delta.batch).map_err(data_error)? {
            ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) => {
                cx.emit(delta);
                return Ok(());
            }
            ColumnarValue::Scalar(_) => return Ok(()),
            ColumnarValue::Array(keep) => keep,
        };
        let keep = keep.as_boolean();
        match keep.true_count() {
            0 => {}
            all if all == delta.num_rows() => cx.emit(delta),
            _ => cx.emit(delta.filter(keep)?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion_expr::Operator as BinaryOperator;
    use datafusion_physical_expr::expressions::{BinaryExpr, col, lit};
    use expect_test::{Expect, expect};

    use super::*;
    use crate::testing::{picture, rows, run};

    fn check(weights: Vec<i64>, more_than: i64, expected: Expect) {
        let delta = rows("n", &[Some(1), None, Some(3)], weights);
        let n = col("n", &delta.schema()).unwrap();
        let condition = Arc::new(BinaryExpr::new(n, BinaryOperator::Gt, lit(more_than)));
        expected.assert_eq(&picture(&run(Filter::new(condition), vec![delta])));
    }

    #[test]
    fn null_is_not_true() {
        check(
            vec![1, 1, -1],
            0,
            expect![[r#"
            +---+--------+
            | n | weight |
            +---+--------+
            | 1 | 1      |
            | 3 | -1     |
            +---+--------+"#]],
        );
    }

    #[test]
    fn weights_go_with_their_rows() {
        check(
            vec![1, 1, -1],
            2,
            expect![[r#"
            +---+--------+
            | n | weight |
            +---+--------+
            | 3 | -1     |
            +---+--------+"#]],
        );
        check(vec![1, 1, -1], 9, expect![""]);
    }
}
