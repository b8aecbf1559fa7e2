//! `WHERE`: the rows for which an expression is true.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::compute::{filter_record_batch, prep_null_mask_filter};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion_common::ScalarValue;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::utils::collect_columns;
use tidemill_core::{Delta, Error, Result};
use tidemill_plan::Node;
use tidemill_plan::op::{Expr, FilterOp};

use crate::expression::{conform, data_error};
use crate::graph::{Graph, Routing, StepId};
use crate::operator::{Cx, Operator};

/// Adds the step: each worker works on the rows it has.
pub fn build(op: &FilterOp, node: &Node, input: StepId, input_schema: &SchemaRef, graph: &mut Graph) -> StepId {
    let (op, input_schema, output) = (op.clone(), Arc::clone(input_schema), Arc::clone(&node.edge.schema));
    let make = move || Ok(Box::new(Filter::new(&op, &input_schema, Arc::clone(&output))?) as _);
    graph.add(node.op.name(), node.id, vec![(input, Routing::Stay)], make)
}

/// Lets rows through or not. A delta that passes whole, or not at all, is not copied; of others, each column once.
#[derive(Debug)]
pub struct Filter {
    /// Asked of all rows.
    first: Expr,
    /// Asked of those that are left.
    rest: Vec<Condition>,
    /// The columns to put out, where they are not all columns.
    columns: Option<Vec<usize>>,
    schema: SchemaRef,
}

impl Filter {
    /// The rows for which the conditions are true. `input` and `output` are the schemas of what is taken in and put out.
    pub fn new(op: &FilterOp, input: &SchemaRef, output: SchemaRef) -> Result<Self> {
        let Some((first, rest)) = op.conditions.split_first() else {
            return Err(Error::internal("a filter without a condition"));
        };
        let rest = rest.iter().map(|c| Condition::new(c, input)).collect::<Result<_>>()?;
        Ok(Self { first: Arc::clone(first), rest, columns: op.columns.clone(), schema: output })
    }

    /// The columns to put out, before rows are left out of them.
    fn chosen(&self, delta: Delta) -> Result<Delta> {
        let Some(columns) = &self.columns else { return Ok(delta) };
        let chosen = columns.iter().map(|c| Arc::clone(delta.batch.column(*c))).collect();
        let batch = conform(&self.schema, chosen, delta.num_rows())?;
        Ok(Delta { batch, ..delta })
    }
}

impl Operator for Filter {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let mut passing = asked(&self.first, &delta.batch)?;
        for condition in &self.rest {
            passing = match passing {
                Passing::All => asked(&condition.expr, &condition.read(&delta.batch)?)?,
                Passing::Some(rows) => {
                    match asked(&condition.expr, &filter_record_batch(&condition.read(&delta.batch)?, &rows)?)? {
                        Passing::All => Passing::Some(rows),
                        Passing::Some(of_them) => Passing::Some(those_of(&rows, &of_them)),
                        Passing::None => Passing::None,
                    }
                }
                Passing::None => return Ok(()),
            };
        }
        match passing {
            Passing::All => cx.emit(self.chosen(delta)?),
            Passing::Some(rows) => cx.emit(self.chosen(delta)?.filter(&rows)?),
            Passing::None => {}
        }
        Ok(())
    }
}

/// A condition over the columns that it reads, so that asking it of some rows costs no more than copying those.
#[derive(Debug)]
struct Condition {
    columns: Vec<usize>,
    schema: SchemaRef,
    expr: Expr,
}

/// Which rows meet a condition.
enum Passing {
    All,
    /// True for those that do; without NULLs.
    Some(BooleanArray),
    None,
}

/// The rows that are true in `rows` and, counted among those, in `of_them`. Goes by 64 rows at a time, and looks at single
/// ones only where some of them are in and some are not.
fn those_of(rows: &BooleanArray, of_them: &BooleanArray) -> BooleanArray {
    let answers: Vec<u64> = of_them.values().bit_chunks().iter_padded().chain([0]).collect();
    let mut at = 0;
    let mut next = |count: usize| -> u64 {
        let (word, shift) = (at / 64, at % 64);
        at += count;
        let high = if shift == 0 { 0 } else { answers.get(word + 1).map_or(0, |a| a << (64 - shift)) };
        let answers = answers[word] >> shift | high;
        if count == 64 { answers } else { answers & ((1 << count) - 1) }
    };
    let both = rows.values().bit_chunks().iter_padded().map(|mut word| {
        let count = word.count_ones() as usize;
        let mut answers = next(count);
        if answers.count_ones() as usize == count {
            return word;
        }
        let mut both = 0;
        while answers != 0 {
            let first = word & word.wrapping_neg();
            if answers & 1 == 1 {
                both |= first;
            }
            word ^= first;
            answers >>= 1;
        }
        both
    });
    BooleanArray::from(BooleanBuffer::new(Buffer::from_iter(both), 0, rows.len()))
}

impl Condition {
    fn new(expr: &Expr, input: &SchemaRef) -> Result<Self> {
        let mut columns: Vec<usize> = collect_columns(expr).iter().map(Column::index).collect();
        columns.sort_unstable();
        let place = |e: Expr| {
            let Some(column) = e.downcast_ref::<Column>() else { return Ok(Transformed::no(e)) };
            let place = columns.partition_point(|c| *c < column.index());
            Ok(Transformed::yes(Arc::new(Column::new(column.name(), place)) as Expr))
        };
        let expr = Arc::clone(expr).transform(place).map_err(data_error)?.data;
        let fields: Vec<_> = columns.iter().map(|c| Arc::clone(&input.fields()[*c])).collect();
        Ok(Self { columns, schema: Arc::new(Schema::new(fields)), expr })
    }

    /// The columns that it reads.
    fn read(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.columns.iter().map(|c| Arc::clone(batch.column(*c))).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

/// Which of the rows meet a condition.
fn asked(condition: &Expr, batch: &RecordBatch) -> Result<Passing> {
    let keep = match condition.evaluate(batch).map_err(data_error)? {
        ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) => return Ok(Passing::All),
        ColumnarValue::Scalar(_) => return Ok(Passing::None),
        ColumnarValue::Array(keep) => keep,
    };
    let keep = keep.as_boolean();
    Ok(match keep.true_count() {
        0 => Passing::None,
        all if all == batch.num_rows() => Passing::All,
        _ if keep.null_count() == 0 => Passing::Some(keep.clone()),
        _ => Passing::Some(prep_null_mask_filter(keep)),
    })
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion_expr::Operator as BinaryOperator;
    use datafusion_physical_expr::expressions::{BinaryExpr, col, lit};
    use expect_test::{Expect, expect};

    use super::*;
    use crate::operators::keyed_states::testing::Chance;
    use crate::testing::{picture, rows, run};

    fn check(weights: Vec<i64>, more_than: i64, expected: Expect) {
        let delta = rows("n", &[Some(1), None, Some(3)], weights);
        let n = col("n", &delta.schema()).unwrap();
        let condition = Arc::new(BinaryExpr::new(n, BinaryOperator::Gt, lit(more_than)));
        let filter = Filter::new(&FilterOp::new(condition), &delta.schema(), delta.schema()).unwrap();
        expected.assert_eq(&picture(&run(filter, vec![delta])));
    }

    #[test]
    fn only_the_columns_that_are_read_are_put_out() {
        let delta = rows("n", &[Some(1), Some(3)], vec![1, 1]);
        let n = col("n", &delta.schema()).unwrap();
        let condition: Expr = Arc::new(BinaryExpr::new(n, BinaryOperator::Gt, lit(1_i64)));
        let op = |columns| FilterOp { conditions: vec![Arc::clone(&condition)], columns: Some(columns) };
        let filter = |columns, output| Filter::new(&op(columns), &delta.schema(), output).unwrap();
        let twice = Arc::new(Schema::new(["a", "b"].map(|name| Field::new(name, DataType::Int64, true)).to_vec()));
        expect![[r#"
            +---+---+--------+
            | a | b | weight |
            +---+---+--------+
            | 3 | 3 | 1      |
            +---+---+--------+"#]]
        .assert_eq(&picture(&run(filter(vec![0, 0], twice), vec![delta.clone()])));
        let counted = run(filter(vec![], Arc::new(Schema::empty())), vec![delta.clone()]);
        assert_eq!(counted[0].num_rows(), 1, "rows without columns are still rows");
    }

    #[test]
    fn a_condition_is_asked_only_of_rows_that_met_those_before() {
        let delta = rows("n", &[Some(0), Some(2), Some(5), None], vec![1, 1, 1, 1]);
        let n = || col("n", &delta.schema()).unwrap();
        let is = |left: Expr, operator, right: i64| Arc::new(BinaryExpr::new(left, operator, lit(right))) as Expr;
        let not_zero = is(n(), BinaryOperator::NotEq, 0);
        // It would fail for the row that is left out.
        let half = is(Arc::new(BinaryExpr::new(lit(10_i64), BinaryOperator::Divide, n())), BinaryOperator::Lt, 5);
        let op = FilterOp { conditions: vec![not_zero, half], columns: None };
        let filter = Filter::new(&op, &delta.schema(), delta.schema()).unwrap();
        expect![[r#"
            +---+--------+
            | n | weight |
            +---+--------+
            | 5 | 1      |
            +---+--------+"#]]
        .assert_eq(&picture(&run(filter, vec![delta])));
    }

    #[test]
    fn answers_about_some_rows_are_put_where_those_stand() {
        let mut chance = Chance(7);
        for rows in [0, 1, 63, 64, 65, 200, 1_000] {
            for (some, most) in [(2, 2), (1, 9), (9, 1), (30, 1)] {
                let all: Vec<bool> = (0..rows).map(|_| chance.below(some + most) < most).collect();
                let of_them: Vec<bool> =
                    all.iter().filter(|in_it| **in_it).map(|_| chance.below(some + most) < some).collect();
                let mut answers = of_them.iter();
                let expected: Vec<bool> =
                    all.iter().map(|in_it| *in_it && *answers.next().expect("an answer for each")).collect();
                // Masks may begin anywhere in their buffers.
                let shifted = |mask: &[bool]| BooleanArray::from([&[true; 3], mask].concat()).slice(3, mask.len());
                assert_eq!(those_of(&shifted(&all), &shifted(&of_them)), BooleanArray::from(expected));
            }
        }
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
