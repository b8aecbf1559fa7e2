//! What some joins put out, epoch by epoch.

use datafusion_common::JoinType;
use expect_test::{Expect, expect};
use tidemill_core::Watermark;

use super::harness::{build, delta, epoch, join};
use crate::testing::picture;

/// The changes of both sides in one epoch: key and value of each row, and its weight.
type Sides<'a> = [&'a [([Option<i64>; 2], i64)]; 2];

/// Each epoch: rows of the left side, rows of the right side.
fn check(join_type: JoinType, retracts: bool, epochs: &[Sides<'_>], expected: Expect) {
    let append = join_type == JoinType::Inner && !retracts;
    let mut join = build(&join(join_type, true, false), [retracts; 2], append);
    let one = |sides: &Sides<'_>| {
        let input = vec![(0, delta(sides[0], retracts)), (1, delta(sides[1], retracts))];
        picture(&epoch(join.as_mut(), input, Watermark::MIN))
    };
    expected.assert_eq(&epochs.iter().map(one).collect::<Vec<_>>().join("\n--\n"));
}

#[test]
fn a_row_is_padded_until_its_partner_comes() {
    let (one, two) = ([Some(1), Some(10)], [Some(1), Some(20)]);
    check(
        JoinType::Left,
        true,
        &[[&[(one, 1)], &[]], [&[], &[(two, 1)]], [&[(one, 1)], &[(two, -1)]], [&[(one, -1), (one, 1)], &[]]],
        expect![[r#"
            +---+----+----+----+--------+
            | k | v  | k2 | v2 | weight |
            +---+----+----+----+--------+
            | 1 | 10 |    |    | 1      |
            +---+----+----+----+--------+
            --
            +---+----+----+----+--------+
            | k | v  | k2 | v2 | weight |
            +---+----+----+----+--------+
            | 1 | 10 | 1  | 20 | 1      |
            +---+----+----+----+--------+
            +---+----+----+----+--------+
            | k | v  | k2 | v2 | weight |
            +---+----+----+----+--------+
            | 1 | 10 |    |    | -1     |
            +---+----+----+----+--------+
            --
            +---+----+----+----+--------+
            | k | v  | k2 | v2 | weight |
            +---+----+----+----+--------+
            | 1 | 10 | 1  | 20 | -1     |
            +---+----+----+----+--------+
            +---+----+----+----+--------+
            | k | v  | k2 | v2 | weight |
            +---+----+----+----+--------+
            | 1 | 10 |    |    | 2      |
            +---+----+----+----+--------+
            --
        "#]],
    );
}

#[test]
fn what_changes_on_both_sides_at_once_is_put_out_once() {
    let row = |v: i64| [Some(1), Some(v)];
    check(
        JoinType::Inner,
        true,
        &[[&[(row(10), 1)], &[(row(20), 1)]], [&[(row(10), -1), (row(11), 1)], &[(row(20), -1), (row(21), 1)]]],
        expect![[r#"
            +---+----+----+----+--------+
            | k | v  | k2 | v2 | weight |
            +---+----+----+----+--------+
            | 1 | 10 | 1  | 20 | 1      |
            +---+----+----+----+--------+
            --
            +---+----+----+----+--------+
            | k | v  | k2 | v2 | weight |
            +---+----+----+----+--------+
            | 1 | 10 | 1  | 20 | -1     |
            | 1 | 11 | 1  | 21 | 1      |
            +---+----+----+----+--------+"#]],
    );
}
