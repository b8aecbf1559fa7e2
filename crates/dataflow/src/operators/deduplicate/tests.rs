//! One row of each key against a naive oracle, with random rows and random cuts; what an epoch costs.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use tidemill_core::{ChangeMode, Delta, Watermark};
use tidemill_plan::StreamOp;
use tidemill_plan::op::{DeduplicateOp, Emit, Keep, SortKey};

use super::{Best, build};
use crate::operators::keyed_states::testing::{
    Chance, In, Row, Steps, ZSet, add, delta, input_schema, node, rows_of, seeds,
};
use crate::testing::picture;
use crate::{Cx, Operator};

fn op(keep: Keep, emit: Emit) -> DeduplicateOp {
    DeduplicateOp { keys: vec![0], keep, emit }
}

fn by(column: usize, descending: bool) -> Keep {
    Keep::FirstBy(vec![SortKey { column, descending, nulls_first: !descending }])
}

fn steps(op: &DeduplicateOp, workers: usize) -> Steps {
    let fields = input_schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    let mut node = node(StreamOp::Deduplicate(op.clone()), fields);
    node.edge.changes = ChangeMode::Retract;
    Steps::new(workers, |input, graph| build(op, &node, input, &input_schema(), graph))
}

/// The row of each key, from all rows as they came.
fn oracle(keep: &Keep, rows: &[Row]) -> ZSet {
    let mut best: BTreeMap<Option<i64>, Row> = BTreeMap::new();
    for row in rows {
        let better = |held: &Row| match keep {
            Keep::FirstArrived => false,
            Keep::LastArrived => true,
            Keep::FirstBy(keys) => {
                let key = keys[0];
                let place = |r: &Row| match r[key.column] {
                    None => (!key.nulls_first, 0),
                    Some(v) => (key.nulls_first, if key.descending { -v } else { v }),
                };
                (place(row), row) < (place(held), held)
            }
        };
        match best.get_mut(&row[0]) {
            Some(held) => {
                if better(held) {
                    *held = row.clone();
                }
            }
            None => drop(best.insert(row[0], row.clone())),
        }
    }
    best.into_values().map(|row| (row, 1)).collect()
}

fn one_case(seed: u64) {
    let mut chance = Chance(seed);
    let keep = match chance.below(5) {
        0 => Keep::FirstArrived,
        1 => Keep::LastArrived,
        _ => by(1 + chance.below(2) as usize, chance.one_in(2)),
    };
    let at_end = chance.one_in(4) && keep != Keep::FirstArrived;
    let op = op(keep, if at_end { Emit::AtEnd } else { Emit::Changes { every: 0 } });
    // The rows of one worker come in order; which of two workers' rows came first means nothing.
    let arrival = matches!(op.keep, Keep::FirstArrived | Keep::LastArrived);
    let mut steps = steps(&op, if arrival { 1 } else { 1 + chance.below(3) as usize });
    let (mut rows, mut result) = (vec![], ZSet::new());
    let epochs = 1 + chance.below(10);
    let keys = 1 + chance.below(8);
    for epoch in 0..epochs {
        let mut deltas: Vec<Delta> = vec![];
        for _ in 0..chance.below(4) {
            let count = chance.below(9);
            let mut some = |n: i64| Some(chance.below(n)).filter(|_| !chance.one_in(9));
            let row = |_| In { k: some(keys), ts: some(4), v: some(6), split: None };
            deltas.push(delta(&(0..count).map(row).collect::<Vec<_>>()));
        }
        rows.extend(deltas.iter().flat_map(rows_of).map(|(row, _)| row));
        let last = epoch + 1 == epochs;
        let out = steps.epoch(deltas, if last { Watermark::MAX } else { Watermark(epoch) }, epoch);
        add(&mut result, &out);
        let expected = if at_end && !last { ZSet::new() } else { oracle(&op.keep, &rows) };
        assert_eq!(result, expected, "seed {seed}, epoch {epoch}: {op:?}");
    }
}

#[test]
fn the_row_of_a_key_is_that_of_the_oracle() {
    seeds(500).for_each(one_case);
}

fn rows(values: &[(i64, i64, i64)]) -> Delta {
    let row = |(k, ts, v): &(i64, i64, i64)| In { k: Some(*k), ts: Some(*ts), v: Some(*v), split: None };
    delta(&values.iter().map(row).collect::<Vec<_>>())
}

fn check(keep: Keep, expected: Expect) {
    let mut steps = steps(&op(keep, Emit::Changes { every: 0 }), 1);
    let mut text = String::new();
    for epoch in [rows(&[(1, 5, 1), (2, 5, 2), (1, 6, 3)]), rows(&[(1, 4, 4), (3, 9, 5), (2, 7, 6)])] {
        text.push_str(&picture(&steps.epoch(vec![epoch], Watermark::MIN, 0)));
        text.push('\n');
    }
    expected.assert_eq(text.trim_end());
}

#[test]
fn the_first_that_came_is_put_out_for_good() {
    check(
        Keep::FirstArrived,
        expect![[r#"
        +---+-------------------------+---+
        | k | ts                      | v |
        +---+-------------------------+---+
        | 1 | 1970-01-01T00:00:00.005 | 1 |
        | 2 | 1970-01-01T00:00:00.005 | 2 |
        +---+-------------------------+---+
        +---+-------------------------+---+
        | k | ts                      | v |
        +---+-------------------------+---+
        | 3 | 1970-01-01T00:00:00.009 | 5 |
        +---+-------------------------+---+"#]],
    );
}

#[test]
fn the_last_by_time_takes_the_place_of_the_one_before() {
    check(
        by(1, true),
        expect![[r#"
            +---+-------------------------+---+
            | k | ts                      | v |
            +---+-------------------------+---+
            | 1 | 1970-01-01T00:00:00.006 | 3 |
            | 2 | 1970-01-01T00:00:00.005 | 2 |
            +---+-------------------------+---+
            +---+-------------------------+---+--------+
            | k | ts                      | v | weight |
            +---+-------------------------+---+--------+
            | 2 | 1970-01-01T00:00:00.005 | 2 | -1     |
            +---+-------------------------+---+--------+
            +---+-------------------------+---+
            | k | ts                      | v |
            +---+-------------------------+---+
            | 3 | 1970-01-01T00:00:00.009 | 5 |
            | 2 | 1970-01-01T00:00:00.007 | 6 |
            +---+-------------------------+---+"#]],
    );
}

#[test]
fn an_epoch_costs_what_it_changes() {
    let mut best = Best::new(&op(by(2, false), Emit::Changes { every: 0 }), input_schema()).unwrap();
    let mut epoch = |input: Delta| {
        let before = best.work;
        let mut cx = Cx::new(0);
        best.push(0, input, &mut cx).unwrap();
        best.advance(Watermark::MIN, &mut cx).unwrap();
        best.end_epoch(&mut cx).unwrap();
        best.work - before
    };
    assert_eq!(epoch(rows(&(0..20_000).map(|k| (k, 0, 5)).collect::<Vec<_>>())), 20_000);
    // Rows that are no better cost nothing, one that is costs one.
    assert_eq!(epoch(rows(&(0..20_000).map(|k| (k, 0, 6)).collect::<Vec<_>>())), 0);
    assert_eq!(epoch(rows(&[(7, 0, 1), (8, 0, 9)])), 1);
    assert_eq!(best.state().rows, 20_000);
}
