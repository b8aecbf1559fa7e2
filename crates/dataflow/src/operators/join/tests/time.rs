//! Joins bounded by time: what goes when, what is late, which watermark is forwarded.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion_common::JoinType;
use datafusion_expr::Operator as BinaryOperator;
use datafusion_physical_expr::expressions::{BinaryExpr, Column};
use tidemill_core::{Delta, Watermark};
use tidemill_plan::op::{Expr, JoinOp, TimeBound, Unmatched};

use super::harness::join;
use crate::operators::join::operator;
use crate::{Cx, Operator};

fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Millisecond, None);
    Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true), Field::new("ts", time, true)]))
}

fn delta(rows: &[(i64, i64)], split: Option<i64>) -> Delta {
    let k = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0))) as ArrayRef;
    let ts = Arc::new(TimestampMillisecondArray::from_iter_values(rows.iter().map(|r| r.1)));
    let mut delta = Delta::insert(RecordBatch::try_new(schema(), vec![k, ts]).unwrap());
    delta.split_watermark = split.map(|w| Int64Array::from(vec![w * 1_000; rows.len()]));
    delta
}

/// `l.k = r.k AND l.ts >= r.ts`, and, as the bound says, `l.ts <= r.ts + 10 ms`.
fn within_ten(join_type: JoinType) -> Box<dyn Operator> {
    let column = |i: usize| Arc::new(Column::new("ts", i)) as Expr;
    let after = Arc::new(BinaryExpr::new(column(1), BinaryOperator::GtEq, column(3))) as Expr;
    let bound = TimeBound::Interval { times: (1, 1), least: Some(0), most: Some(10_000) };
    let op = JoinOp {
        residual: Some(after),
        unmatched: Unmatched::WhenOver,
        bound: Some(bound),
        ..join(join_type, true, false)
    };
    let fields = [schema().fields().to_vec(), schema().fields().to_vec()].concat();
    let output = Arc::new(Schema::new(fields));
    operator(&op, [vec![0], vec![0]], [schema(), schema()], [false, false], output, true).unwrap()
}

/// Each epoch: rows `(k, ts)` of both sides, and the watermark after them, in milliseconds; then how many rows come out, how
/// many are kept, and the watermark that is forwarded.
type Epoch<'a> = (&'a [(i64, i64)], &'a [(i64, i64)], i64, (usize, usize, i64));

fn check(join_type: JoinType, epochs: &[Epoch<'_>]) {
    let mut join = within_ten(join_type);
    for (left, right, watermark, expected) in epochs {
        let mut cx = Cx::new(0);
        join.push(0, delta(left, None), &mut cx).unwrap();
        join.push(1, delta(right, None), &mut cx).unwrap();
        let forwarded = join.advance(Watermark(watermark * 1_000), &mut cx).unwrap();
        let out: usize = cx.take_emitted().iter().map(Delta::num_rows).sum();
        assert_eq!((out, join.state().rows, forwarded.0 / 1_000), *expected, "at {watermark}");
    }
}

#[test]
fn a_row_without_a_partner_comes_when_it_is_over() {
    check(
        JoinType::Full,
        &[
            // (1, 20) and (1, 15) meet. The right row at 5 may meet left rows up to 15, the left one at 20 right rows up to 20.
            (&[(1, 20), (3, 22)], &[(1, 15), (2, 5)], 10, (1, 4, 0)),
            (&[], &[], 16, (1, 3, 6)),
            (&[], &[], 23, (1, 1, 13)),
            (&[], &[(3, 24)], 40, (1, 0, 30)),
        ],
    );
}

#[test]
fn a_row_below_the_watermark_of_its_split_is_late_whether_or_not_its_partner_is_there() {
    for join_type in [JoinType::Inner, JoinType::Left] {
        let mut join = within_ten(join_type);
        let mut cx = Cx::new(0);
        join.push(1, delta(&[(1, 12)], None), &mut cx).unwrap();
        join.push(0, delta(&[(1, 13), (1, 14)], Some(14)), &mut cx).unwrap();
        join.advance(Watermark(10_000), &mut cx).unwrap();
        let late = cx.take_late();
        assert_eq!(late.len(), 1);
        assert_eq!(
            (late[0].event_time.values().to_vec(), late[0].watermark.values().to_vec()),
            (vec![13_000], vec![14_000])
        );
        assert_eq!(cx.take_emitted().iter().map(Delta::num_rows).sum::<usize>(), 1);
    }
}
