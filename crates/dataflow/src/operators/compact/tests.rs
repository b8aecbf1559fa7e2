//! Pictures of single epochs, and random results in random cuts: what a sink has been handed, added up, is the result.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use expect_test::{Expect, expect};
use tidemill_core::Watermark;

use super::*;
use crate::operators::keyed_states::testing::{Chance, seeds};
use crate::testing::picture;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true), Field::new("v", DataType::Int64, true)]))
}

fn delta(changes: &[(i64, i64, i64)]) -> Delta {
    let column =
        |f: fn(&(i64, i64, i64)) -> i64| -> ArrayRef { Arc::new(changes.iter().map(f).collect::<Int64Array>()) };
    let batch = RecordBatch::try_new(schema(), vec![column(|c| c.1), column(|c| c.2)]).unwrap();
    Delta::weighted(batch, changes.iter().map(|c| c.0).collect())
}

fn operator(give: Give, key: &[usize]) -> Box<dyn Operator> {
    match give {
        Give::GreatestByKey => Box::new(greatest::Greatest::new(key, schema()).unwrap()),
        _ => Box::new(Compact::new(&CompactOp { key: key.to_vec(), give }, schema()).unwrap()),
    }
}

fn epoch(operator: &mut dyn Operator, changes: &[(i64, i64, i64)]) -> Vec<Delta> {
    let mut cx = Cx::new(0);
    for part in changes.chunks(2) {
        operator.push(0, delta(part), &mut cx).unwrap();
    }
    operator.advance(Watermark::MIN, &mut cx).unwrap();
    operator.end_epoch(&mut cx).unwrap();
    cx.take_emitted()
}

fn check(give: Give, key: &[usize], changes: &[(i64, i64, i64)], expected: Expect) {
    expected.assert_eq(&picture(&epoch(operator(give, key).as_mut(), changes)));
}

const CHANGES: &[(i64, i64, i64)] =
    &[(1, 1, 11), (-1, 2, 20), (-1, 1, 10), (1, 3, 30), (-1, 3, 30), (1, 4, 40), (1, 4, 40), (-1, 1, 11), (1, 1, 12)];

#[test]
fn rows_gone_then_updates_then_rows_new() {
    check(
        Give::Changes,
        &[0],
        CHANGES,
        expect![[r#"
            +---+----+--------+
            | k | v  | weight |
            +---+----+--------+
            | 2 | 20 | -1     |
            +---+----+--------+
            +---+----+--------+
            | k | v  | weight |
            +---+----+--------+
            | 1 | 10 | -1     |
            | 1 | 12 | 1      |
            +---+----+--------+
            +---+----+--------+
            | k | v  | weight |
            +---+----+--------+
            | 4 | 40 | 2      |
            +---+----+--------+"#]],
    );
}

#[test]
fn without_a_key_there_are_no_pairs() {
    check(
        Give::Changes,
        &[],
        &[(-1, 1, 10), (1, 1, 11)],
        expect![[r#"
            +---+----+--------+
            | k | v  | weight |
            +---+----+--------+
            | 1 | 10 | -1     |
            +---+----+--------+
            +---+----+
            | k | v  |
            +---+----+
            | 1 | 11 |
            +---+----+"#]],
    );
}

#[test]
fn an_upsert_is_one_row_for_each_key() {
    check(
        Give::LastByKey,
        &[0],
        CHANGES,
        expect![[r#"
            +---+----+--------+
            | k | v  | weight |
            +---+----+--------+
            | 2 | 20 | -1     |
            +---+----+--------+
            +---+----+
            | k | v  |
            +---+----+
            | 1 | 12 |
            | 4 | 40 |
            +---+----+"#]],
    );
    check(
        Give::LastInserted,
        &[0],
        &[(1, 1, 9), (1, 2, 5), (1, 1, 3)],
        expect![[r#"
            +---+---+
            | k | v |
            +---+---+
            | 2 | 5 |
            | 1 | 3 |
            +---+---+"#]],
    );
}

/// Random rows come and go; after each epoch the table that an upsert sink would hold is compared.
#[test]
fn what_an_upsert_sink_holds_is_the_greatest_live_row_of_each_key() {
    for seed in seeds(60) {
        let mut chance = Chance(seed);
        let mut operator = operator(Give::GreatestByKey, &[0]);
        let mut live: BTreeMap<(i64, i64), i64> = BTreeMap::new();
        let mut sink: BTreeMap<i64, i64> = BTreeMap::new();
        for _ in 0..30 {
            let mut changes = vec![];
            for _ in 0..chance.below(8) {
                let row = (chance.below(3), chance.below(3));
                let count = live.entry(row).or_default();
                let weight = if *count > 0 && chance.one_in(2) { -1 } else { 1 };
                *count += weight;
                changes.push((weight, row.0, row.1));
            }
            live.retain(|_, count| *count > 0);
            for delta in epoch(operator.as_mut(), &changes) {
                let (k, v) = (delta.batch.column(0), delta.batch.column(1));
                let (k, v) = (k.as_primitive::<Int64Type>(), v.as_primitive::<Int64Type>());
                for row in 0..delta.num_rows() {
                    match delta.weights.as_ref().map_or(1, |w| w.value(row)) {
                        1 => drop(sink.insert(k.value(row), v.value(row))),
                        _ => assert!(sink.remove(&k.value(row)).is_some(), "seed {seed}"),
                    }
                }
            }
            let expected: BTreeMap<i64, i64> = live.keys().copied().collect();
            assert_eq!(sink, expected, "seed {seed}");
            assert_eq!(operator.state().rows, live.len(), "seed {seed}");
        }
    }
}
