//! Work is in proportion to what an epoch changes and what that meets, not to what is kept.

use std::sync::Arc;

use datafusion_common::JoinType;
use tidemill_core::{Delta, Watermark};

use super::harness::{TYPES, delta, epoch, join, output, schema};
use crate::operators::join::append_join::AppendJoin;
use crate::operators::join::changing_join::ChangingJoin;
use crate::operators::join::keys::JoinKeys;
use crate::operators::join::matcher::Matcher;
use crate::operators::join::shape::Shape;
use crate::operators::join::side::Side;

fn rows(count: i64, key: impl Fn(i64) -> i64, weight: i64) -> Delta {
    let rows: Vec<_> = (0..count).map(|i| ([Some(key(i)), Some(i)], weight)).collect();
    delta(&rows, true)
}

fn changing(join_type: JoinType, residual: bool) -> ChangingJoin {
    let op = join(join_type, true, residual);
    let schemas = [schema(), schema()];
    let keys = JoinKeys::new([vec![0], vec![0]], &schemas[0], false).unwrap();
    let matcher = Matcher::new(op.residual.as_ref(), [&schemas[0], &schemas[1]], output(join_type)).unwrap();
    ChangingJoin::new(Shape::of(&op, [true, true], false), keys, matcher, schemas, None)
}

#[test]
fn one_row_costs_as_much_as_it_meets() {
    for join_type in TYPES {
        for residual in [false, true] {
            let mut join = changing(join_type, residual);
            epoch(&mut join, vec![(0, rows(50_000, |i| i, 1)), (1, rows(50_000, |i| i, 1))], Watermark::MIN);
            let before = join.work;
            for side in [0, 1] {
                epoch(&mut join, vec![(side, delta(&[([Some(7), Some(7)], -1)], true))], Watermark::MIN);
            }
            assert!(join.work - before <= 12, "{join_type:?} {residual}: {}", join.work - before);
        }
    }
}

#[test]
fn a_hot_key_is_not_quadratic_for_rows_that_are_only_asked_about() {
    // Every row has one key: a semi-join by key alone counts, and looks at no pair.
    for join_type in [JoinType::LeftSemi, JoinType::LeftAnti, JoinType::LeftMark] {
        let mut join = changing(join_type, false);
        epoch(&mut join, vec![(0, rows(20_000, |_| 1, 1)), (1, rows(20_000, |_| 1, 1))], Watermark::MIN);
        let before = join.work;
        assert!(before <= 200_000, "{join_type:?}: {before}");
        // All but one of the other side go: nothing changes.
        epoch(&mut join, vec![(1, rows(19_999, |_| 1, -1))], Watermark::MIN);
        assert!(join.work - before <= 40_000, "{join_type:?}: {}", join.work - before);
        epoch(&mut join, vec![(0, rows(20_000, |_| 1, -1))], Watermark::MIN);
        assert!(join.work - before <= 120_000, "{join_type:?}: {}", join.work - before);
    }
}

#[test]
fn rows_that_only_come_meet_their_key_alone() {
    let schemas = [schema(), schema()];
    let keys = JoinKeys::new([vec![0], vec![0]], &schemas[0], false).unwrap();
    let matcher = Matcher::new(None, [&schemas[0], &schemas[1]], output(JoinType::Inner)).unwrap();
    let sides = schemas.map(|s| Side::new(Arc::clone(&s), false));
    let mut join = AppendJoin::new(keys, sides, matcher, None);
    let plain = |d: Delta| Delta::insert(d.batch);
    epoch(&mut join, vec![(0, plain(rows(50_000, |i| i / 2, 1)))], Watermark::MIN);
    let before = join.work;
    epoch(&mut join, vec![(1, plain(rows(1, |_| 7, 1)))], Watermark::MIN);
    assert_eq!(join.work - before, 3);
}
