//! `SELECT`: expressions over each row.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_physical_expr::expressions::Column;
use tidemill_core::{Delta, Result};
use tidemill_plan::op::Expr;

use crate::expression::{conform, evaluate};
use crate::operator::{Cx, Operator};

/// One expression for each output column. Bare columns are handed on, not copied.
#[derive(Debug)]
pub struct Project {
    columns: Vec<Projected>,
    schema: SchemaRef,
}

#[derive(Debug)]
enum Projected {
    /// The input's column.
    Column(usize),
    Expr(Expr),
}

impl Project {
    /// The values of `exprs` as the columns of `schema`.
    pub fn new(exprs: &[Expr], schema: SchemaRef) -> Self {
        let columns = exprs.iter().map(|expr| match expr.downcast_ref::<Column>() {
            Some(column) => Projected::Column(column.index()),
            None => Projected::Expr(Arc::clone(expr)),
        });
        Self { columns: columns.collect(), schema }
    }
}

impl Operator for Project {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let columns = self.columns.iter().map(|projected| match projected {
            Projected::Column(i) => Ok(Arc::clone(delta.batch.column(*i))),
            Projected::Expr(expr) => evaluate(expr, &delta.batch),
        });
        let batch = conform(&self.schema, columns.collect::<Result<_>>()?, delta.num_rows())?;
        cx.emit(Delta { batch, ..delta });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion_expr::Operator as BinaryOperator;
    use datafusion_physical_expr::expressions::{BinaryExpr, col, lit};
    use expect_test::expect;

    use super::*;
    use crate::testing::{picture, rows, run};

    #[test]
    fn columns_and_expressions_side_by_side() {
        let delta = rows("n", &[Some(1), None, Some(3)], vec![1, 1, -1]);
        let n = col("n", &delta.schema()).unwrap();
        let twice: Expr = Arc::new(BinaryExpr::new(n.clone(), BinaryOperator::Multiply, lit(2_i64)));
        let schema = Arc::new(Schema::new(vec![
            Field::new("twice", DataType::Int64, true),
            Field::new("once", DataType::Int64, true),
            Field::new("one", DataType::Int64, false),
        ]));
        expect![[r#"
            +-------+------+-----+--------+
            | twice | once | one | weight |
            +-------+------+-----+--------+
            | 2     | 1    | 1   | 1      |
            |       |      | 1   | 1      |
            | 6     | 3    | 1   | -1     |
            +-------+------+-----+--------+"#]]
        .assert_eq(&picture(&run(Project::new(&[twice, n, lit(1_i64)], schema), vec![delta])));
    }

    #[test]
    fn no_column_at_all_keeps_the_number_of_rows() {
        let delta = rows("n", &[Some(1), None], vec![1, 1]);
        let out = run(Project::new(&[], Arc::new(Schema::empty())), vec![delta]);
        assert_eq!(out[0].num_rows(), 2);
    }
}
