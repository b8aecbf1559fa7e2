//! Pictures of single cases, and random changes in random cuts against a table that is kept by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use expect_test::{Expect, expect};
use tidemill_core::{Delta, Watermark};

use super::*;
use crate::operator::Operator;
use crate::operators::keyed_states::testing::{Chance, seeds};
use crate::testing::picture;

fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, false),
        Field::new("v", DataType::Int64, true),
        Field::new("t", time, true),
    ]))
}

/// A change: weight, key, value and time, and the watermark of its split just before it.
type Change = (i64, i64, Option<i64>, Option<i64>, Option<i64>);

fn delta(changes: &[Change]) -> Delta {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(changes.iter().map(|c| Some(c.1)).collect::<Int64Array>()),
        Arc::new(changes.iter().map(|c| c.2).collect::<Int64Array>()),
        Arc::new(changes.iter().map(|c| c.3).collect::<TimestampMicrosecondArray>()),
    ];
    let batch = RecordBatch::try_new(schema(), columns).unwrap();
    let split_watermark = Some(changes.iter().map(|c| c.4).collect());
    Delta { split_watermark, ..Delta::weighted(batch, changes.iter().map(|c| c.0).collect()) }
}

fn operator(keyed: bool, timed: bool) -> Box<dyn Operator> {
    let op = NormalizeOp {
        key: if keyed { vec![0] } else { vec![] },
        event_time: timed.then_some(2),
        on_error: OnError::Reject,
    };
    match keyed {
        true => Box::new(keyed::Keyed::new(&op, schema()).unwrap()),
        false => Box::new(whole::WholeRows::new(&op, schema()).unwrap()),
    }
}

fn epoch(operator: &mut dyn Operator, changes: &[Change]) -> (Vec<Delta>, Vec<RejectedChanges>) {
    let mut cx = Cx::new(0);
    operator.push(0, delta(changes), &mut cx).unwrap();
    operator.advance(Watermark::MIN, &mut cx).unwrap();
    operator.end_epoch(&mut cx).unwrap();
    (cx.take_emitted(), cx.take_rejected())
}

fn check(keyed: bool, epochs: &[&[Change]], expected: Expect) {
    let mut operator = operator(keyed, true);
    let mut text = String::new();
    for changes in epochs {
        let (out, rejected) = epoch(operator.as_mut(), changes);
        text.push_str(&picture(&out));
        for r in rejected {
            text.push_str(&format!("\n{}: {} rejected", r.reason, r.rows.num_rows()));
        }
        text.push('\n');
    }
    expected.assert_eq(&text);
}

#[test]
fn the_last_row_of_a_key_counts_and_what_was_there_is_taken_back_in_full() {
    check(
        true,
        &[
            &[(1, 7, Some(1), Some(5), None), (1, 7, Some(2), Some(6), None), (-1, 9, None, None, None)],
            &[(1, 7, Some(3), Some(8), None), (1, 8, Some(1), Some(8), None), (-1, 8, None, None, None)],
            &[(1, 7, Some(3), Some(8), None)],
            &[(-1, 7, None, None, None)],
        ],
        expect![[r#"
            +---+---+----------------------------+
            | k | v | t                          |
            +---+---+----------------------------+
            | 7 | 2 | 1970-01-01T00:00:00.000006 |
            +---+---+----------------------------+
            no row with this PRIMARY KEY (k) is there to be taken back: 1 rejected
            +---+---+----------------------------+--------+
            | k | v | t                          | weight |
            +---+---+----------------------------+--------+
            | 7 | 2 | 1970-01-01T00:00:00.000006 | -1     |
            | 7 | 3 | 1970-01-01T00:00:00.000008 | 1      |
            +---+---+----------------------------+--------+

            +---+---+----------------------------+--------+
            | k | v | t                          | weight |
            +---+---+----------------------------+--------+
            | 7 | 3 | 1970-01-01T00:00:00.000008 | -1     |
            +---+---+----------------------------+--------+
        "#]],
    );
}

#[test]
fn a_row_that_is_below_the_watermark_when_it_is_taken_back_may_be_late_and_says_so() {
    check(
        true,
        &[&[(1, 7, Some(1), Some(5), None), (1, 7, Some(2), Some(20), Some(10)), (1, 7, Some(3), Some(21), Some(10))]],
        expect![[r#"
            +---+---+----------------------------+--------+-----------------+
            | k | v | t                          | weight | split watermark |
            +---+---+----------------------------+--------+-----------------+
            | 7 | 1 | 1970-01-01T00:00:00.000005 | 1      |                 |
            | 7 | 1 | 1970-01-01T00:00:00.000005 | -1     | 10              |
            | 7 | 3 | 1970-01-01T00:00:00.000021 | 1      |                 |
            +---+---+----------------------------+--------+-----------------+
        "#]],
    );
}

#[test]
fn without_a_key_equal_rows_are_counted_and_never_fall_below_zero() {
    check(
        false,
        &[
            &[(2, 7, Some(1), Some(5), None), (-1, 7, Some(2), Some(5), None), (-1, 7, Some(1), Some(5), None)],
            &[(-2, 7, Some(1), Some(5), None)],
            &[(-1, 7, Some(1), Some(5), Some(9)), (1, 7, Some(1), Some(5), Some(9))],
        ],
        expect![[r#"
            +---+---+----------------------------+
            | k | v | t                          |
            +---+---+----------------------------+
            | 7 | 1 | 1970-01-01T00:00:00.000005 |
            +---+---+----------------------------+
            no such row is there to be taken back: 1 rejected

            no such row is there to be taken back: 1 rejected
            +---+---+----------------------------+--------+-----------------+
            | k | v | t                          | weight | split watermark |
            +---+---+----------------------------+--------+-----------------+
            | 7 | 1 | 1970-01-01T00:00:00.000005 | -1     | 9               |
            | 7 | 1 | 1970-01-01T00:00:00.000005 | 1      | 9               |
            +---+---+----------------------------+--------+-----------------+
        "#]],
    );
}

type Row = (i64, Option<i64>, Option<i64>);

/// Adds up what was put out; no row may be negative after any epoch.
fn add(table: &mut BTreeMap<Row, i64>, out: Vec<Delta>) {
    for delta in out {
        let ints = |c: usize| delta.batch.column(c).as_primitive::<Int64Type>().clone();
        let (k, v) = (ints(0), ints(1));
        let t = delta.batch.column(2).as_primitive::<arrow::datatypes::TimestampMicrosecondType>().clone();
        for row in 0..delta.num_rows() {
            let weight = delta.weights.as_ref().map_or(1, |w| w.value(row));
            let value = (k.value(row), v.iter().nth(row).flatten(), t.iter().nth(row).flatten());
            *table.entry(value).or_default() += weight;
        }
    }
    table.retain(|_, w| *w != 0);
    assert!(table.values().all(|w| *w > 0), "negative: {table:?}");
}

fn one_case(seed: u64, keyed: bool, timed: bool) {
    let mut chance = Chance(seed);
    let mut operator = operator(keyed, timed);
    let (mut expected, mut rejected_expected): (BTreeMap<Row, i64>, usize) = (BTreeMap::new(), 0);
    let (mut got, mut rejected): (BTreeMap<Row, i64>, usize) = (BTreeMap::new(), 0);
    let mut watermark = 0;
    for _ in 0..40 {
        let mut changes = vec![];
        for _ in 0..chance.below(9) {
            let weight = if chance.one_in(3) { -1 } else { 1 };
            let row: Row = (chance.below(4), Some(chance.below(2)), Some(watermark + chance.below(8) - 4));
            changes.push((weight, row.0, row.1, row.2, Some(watermark)));
            watermark += chance.below(2);
            if keyed {
                let before = expected.keys().find(|r| r.0 == row.0).copied();
                before.iter().for_each(|r| assert_eq!(expected.remove(r), Some(1)));
                match weight {
                    1 => assert_eq!(expected.insert(row, 1), None),
                    _ => rejected_expected += usize::from(before.is_none()),
                }
            } else {
                let count = expected.entry(row).or_default();
                match *count + weight < 0 {
                    true => rejected_expected += 1,
                    false => *count += weight,
                }
                expected.retain(|_, w| *w != 0);
            }
        }
        let (out, refused) = epoch(operator.as_mut(), &changes);
        add(&mut got, out);
        rejected += refused.iter().map(|r| r.rows.num_rows()).sum::<usize>();
        assert_eq!(got, expected, "seed {seed}");
        assert_eq!(rejected, rejected_expected, "seed {seed}");
    }
    let live = expected.len();
    assert_eq!(operator.state().rows, live, "seed {seed}");
}

#[test]
fn random_changes_in_random_cuts_are_the_table_kept_by_hand() {
    for seed in seeds(60) {
        for keyed in [true, false] {
            for timed in [true, false] {
                one_case(seed, keyed, timed);
            }
        }
    }
}

#[test]
fn keys_that_come_and_go_leave_nothing_behind() {
    for keyed in [true, false] {
        let mut operator = operator(keyed, false);
        for round in 0..40 {
            let rows = |weight| -> Vec<Change> {
                (0..500).map(|i| (weight, round * 500 + i, Some(i), Some(i), None)).collect()
            };
            epoch(operator.as_mut(), &rows(1));
            let (_, rejected) = epoch(operator.as_mut(), &rows(-1));
            assert!(rejected.is_empty());
        }
        assert_eq!(operator.state().rows, 0);
        assert!(operator.state().bytes < 100_000, "{} bytes", operator.state().bytes);
    }
}
