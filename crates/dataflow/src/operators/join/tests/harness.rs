//! A join of two small tables `(k, v)` and `(k, v)`, epoch by epoch, and the same join by nested loops.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::JoinType;
use datafusion_expr::Operator as BinaryOperator;
use datafusion_physical_expr::expressions::{BinaryExpr, Column};
use tidemill_core::{Delta, Watermark};
use tidemill_plan::op::{Expr, JoinOp, Unmatched};

use crate::operators::join::operator;
use crate::operators::keyed_states::testing::{Row, ZSet};
use crate::{Cx, Operator};

pub(super) const TYPES: [JoinType; 10] = [
    JoinType::Inner,
    JoinType::Left,
    JoinType::Right,
    JoinType::Full,
    JoinType::LeftSemi,
    JoinType::RightSemi,
    JoinType::LeftAnti,
    JoinType::RightAnti,
    JoinType::LeftMark,
    JoinType::RightMark,
];

/// A join on `k`, or on nothing; `residual` asks for `l.v < r.v`, too.
pub(super) fn join(join_type: JoinType, keyed: bool, residual: bool) -> JoinOp {
    let column = |i: usize| Arc::new(Column::new("v", i)) as Expr;
    let less = Arc::new(BinaryExpr::new(column(1), BinaryOperator::Lt, column(3))) as Expr;
    JoinOp {
        join_type,
        keys: if keyed { vec![(0, 0)] } else { vec![] },
        nulls_match: false,
        null_aware: false,
        residual: residual.then_some(less),
        unmatched: Unmatched::EachEpoch,
        bound: None,
        allowed_lateness: 0,
    }
}

pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(["k", "v"].map(|n| Field::new(n, DataType::Int64, true)).to_vec()))
}

/// The columns of the output.
pub(super) fn output(join_type: JoinType) -> SchemaRef {
    let mut fields: Vec<Field> = schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    match join_type {
        JoinType::LeftSemi | JoinType::RightSemi | JoinType::LeftAnti | JoinType::RightAnti => {}
        JoinType::LeftMark | JoinType::RightMark => fields.push(Field::new("mark", DataType::Boolean, false)),
        _ => fields.extend(["k2", "v2"].map(|n| Field::new(n, DataType::Int64, true))),
    }
    Arc::new(Schema::new(fields))
}

pub(super) fn delta(rows: &[([Option<i64>; 2], i64)], weighted: bool) -> Delta {
    let column = |i: usize| Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.0[i]))) as ArrayRef;
    let batch = RecordBatch::try_new(schema(), vec![column(0), column(1)]).unwrap();
    match weighted {
        true => Delta::weighted(batch, Int64Array::from_iter_values(rows.iter().map(|r| r.1))),
        false => Delta::insert(batch),
    }
}

pub(super) fn build(op: &JoinOp, retracts: [bool; 2], append: bool) -> Box<dyn Operator> {
    let columns = [op.keys.iter().map(|k| k.0).collect(), op.keys.iter().map(|k| k.1).collect()];
    operator(op, columns, [schema(), schema()], retracts, output(op.join_type), append).unwrap()
}

/// One epoch.
pub(super) fn epoch(join: &mut dyn Operator, input: Vec<(usize, Delta)>, watermark: Watermark) -> Vec<Delta> {
    let mut cx = Cx::new(0);
    for (port, delta) in input {
        join.push(port, delta, &mut cx).unwrap();
    }
    join.advance(watermark, &mut cx).unwrap();
    join.end_epoch(&mut cx).unwrap();
    cx.take_emitted()
}

/// What the join of `l` and `r` is.
pub(super) fn oracle(op: &JoinOp, l: &ZSet, r: &ZSet) -> ZSet {
    let mut out = ZSet::new();
    let equal = |a: Option<i64>, b: Option<i64>| if op.nulls_match { a == b } else { a.is_some() && a == b };
    let meet = |a: &Row, b: &Row| {
        (op.keys.is_empty() || equal(a[0], b[0]))
            && (op.residual.is_none() || matches!((a[1], b[1]), (Some(x), Some(y)) if x < y))
    };
    let mut add = |row: Row, weight: i64| *out.entry(row).or_insert(0) += weight;
    let partners = |row: &Row, left: bool| -> bool {
        if left { r.keys().any(|b| meet(row, b)) } else { l.keys().any(|a| meet(a, row)) }
    };
    if op.pairs() {
        for (a, x) in l {
            for (b, y) in r.iter().filter(|(b, _)| meet(a, b)) {
                add(a.iter().chain(b).copied().collect(), x * y);
            }
        }
    }
    let null = [None, None];
    for (row, weight) in l {
        let has = partners(row, true);
        match op.join_type {
            JoinType::Left | JoinType::Full if !has => add(row.iter().copied().chain(null).collect(), *weight),
            JoinType::LeftSemi if has => add(row.clone(), *weight),
            JoinType::LeftAnti if op.null_aware => {
                let left_out = r.keys().any(|b| b[0].is_none()) || (row[0].is_none() && !r.is_empty());
                if !has && !left_out {
                    add(row.clone(), *weight);
                }
            }
            JoinType::LeftAnti if !has => add(row.clone(), *weight),
            JoinType::LeftMark => add(row.iter().copied().chain([Some(i64::from(has))]).collect(), *weight),
            _ => {}
        }
    }
    for (row, weight) in r {
        let has = partners(row, false);
        match op.join_type {
            JoinType::Right | JoinType::Full if !has => {
                add(null.into_iter().chain(row.iter().copied()).collect(), *weight)
            }
            JoinType::RightSemi if has => add(row.clone(), *weight),
            JoinType::RightAnti if !has => add(row.clone(), *weight),
            JoinType::RightMark => add(row.iter().copied().chain([Some(i64::from(has))]).collect(), *weight),
            _ => {}
        }
    }
    out
}
