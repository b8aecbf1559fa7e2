//! The first rows of partitions against a naive oracle, with random rows and random cuts; pictures; what an epoch costs.

use std::collections::BTreeMap;

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, Field};
use expect_test::{Expect, expect};
use tidemill_core::{Delta, Watermark};
use tidemill_plan::StreamOp;
use tidemill_plan::op::{Emit, Expire, RankFunction, SortKey, TopNOp};

use super::{TopN, build};
use crate::operators::keyed_states::testing::{
    Chance, In, Row, Steps, ZSet, add, delta, input_schema, node, rows_of, seeds, session,
};
use crate::testing::picture;
use crate::{Cx, Operator};

const ALL: [RankFunction; 3] = [RankFunction::RowNumber, RankFunction::Rank, RankFunction::DenseRank];

fn op(partitioned: bool, order: &[(usize, bool)], last: u64) -> TopNOp {
    let key = |(column, descending): &(usize, bool)| SortKey {
        column: *column,
        descending: *descending,
        nulls_first: !descending,
    };
    TopNOp {
        partition_by: if partitioned { vec![0] } else { vec![] },
        order_by: order.iter().map(key).collect(),
        bound: RankFunction::RowNumber,
        first: 1,
        last: Some(last),
        ranks: vec![],
        emit: Emit::Changes { every: 0 },
        expire: None,
    }
}

fn output(op: &TopNOp) -> Vec<Field> {
    let ranks = op.ranks.iter().map(|r| Field::new(r.name(), DataType::UInt64, false));
    input_schema().fields().iter().map(|f| f.as_ref().clone()).chain(ranks).collect()
}

fn steps(op: &TopNOp, append: bool, workers: usize) -> Steps {
    let node = node(StreamOp::TopN(op.clone()), output(op));
    Steps::new(workers, |input, graph| build(op, &node, input, &input_schema(), append, graph))
}

/// The rows in the range, by sorting everything.
fn oracle(op: &TopNOp, rows: &ZSet) -> ZSet {
    type Place = Vec<(bool, i64)>;
    let place = |row: &Row| -> Place {
        let of = |k: &SortKey| match row[k.column] {
            None => (!k.nulls_first, 0),
            Some(v) => (k.nulls_first, if k.descending { -v } else { v }),
        };
        op.order_by.iter().map(of).collect()
    };
    let mut partitions: BTreeMap<Row, Vec<(Place, Row)>> = BTreeMap::new();
    for (row, weight) in rows {
        let key = op.partition_by.iter().map(|c| row[*c]).collect();
        let partition = partitions.entry(key).or_default();
        (0..*weight).for_each(|_| partition.push((place(row), row.clone())));
    }
    let mut out = ZSet::new();
    for partition in partitions.values_mut() {
        partition.sort();
        let (mut rank, mut dense) = (0, 0);
        for i in 0..partition.len() {
            if i == 0 || partition[i].0 != partition[i - 1].0 {
                (rank, dense) = (i as u64 + 1, dense + 1);
            }
            let number = |f: RankFunction| match f {
                RankFunction::RowNumber => i as u64 + 1,
                RankFunction::Rank => rank,
                RankFunction::DenseRank => dense,
            };
            let bound = number(op.bound);
            if bound >= op.first && op.last.is_none_or(|last| bound <= last) {
                let mut row = partition[i].1.clone();
                row.extend(op.ranks.iter().map(|r| Some(number(*r) as i64)));
                *out.entry(row).or_insert(0) += 1;
            }
        }
    }
    out
}

fn one_case(seed: u64) {
    let mut chance = Chance(seed);
    let append = chance.one_in(2);
    let mut op = op(!chance.one_in(3), &[(2, chance.one_in(2)), (1, chance.one_in(2))], 1 + chance.below(5) as u64);
    op.order_by.truncate(chance.below(3) as usize);
    op.bound = ALL[chance.below(3) as usize];
    op.first = 1 + if chance.one_in(3) { chance.below(4) as u64 } else { 0 };
    op.last = op.last.filter(|_| !chance.one_in(8));
    op.ranks = ALL.into_iter().filter(|_| chance.one_in(3)).collect();
    let workers = 1 + chance.below(3);
    let mut steps = steps(&op, append, workers as usize);
    let (mut rows, mut result) = (ZSet::new(), ZSet::new());
    let mut live: Vec<In> = vec![];
    let values = 2 + chance.below(12);
    for epoch in 0..1 + chance.below(12) {
        let mut deltas = vec![];
        for _ in 0..chance.below(4) {
            let mut changes: Vec<(In, i64)> = vec![];
            for _ in 0..chance.below(8) {
                let mut some = |n: i64| Some(chance.below(n)).filter(|_| !chance.one_in(7));
                let row = In { k: some(3), ts: some(4), v: some(values), split: None };
                let often = if append || !chance.one_in(4) { 1 } else { 2 };
                (0..often).for_each(|_| live.push(row));
                changes.push((row, often));
            }
            for _ in 0..chance.below(10) {
                if !append && !live.is_empty() {
                    let gone = live.swap_remove(chance.below(live.len() as i64) as usize);
                    // In any order within the epoch.
                    changes.insert(chance.below(changes.len() as i64 + 1) as usize, (gone, -1));
                }
            }
            let inserted = delta(&changes.iter().map(|c| c.0).collect::<Vec<_>>());
            let weights: Int64Array = changes.iter().map(|c| Some(c.1)).collect();
            deltas.push(if append { inserted } else { Delta::weighted(inserted.batch, weights) });
        }
        for (row, weight) in deltas.iter().flat_map(rows_of) {
            *rows.entry(row.clone()).or_insert(0) += weight;
            rows.retain(|_, w| *w != 0);
        }
        let out = steps.epoch(deltas, Watermark(epoch), epoch);
        net(&out, seed);
        add(&mut result, &out);
        assert_eq!(result, oracle(&op, &rows), "seed {seed}, epoch {epoch}: {op:?}");
        let kept = steps.state().rows as i64;
        // Each worker may keep the same row, and then where all rows meet.
        let most = rows.len() as i64 * if append { workers + 1 } else { 1 };
        assert!(kept <= most, "seed {seed}: {kept} rows are kept");
    }
}

/// Each row comes once in an epoch: what goes and comes again is not put out.
fn net(out: &[Delta], seed: u64) {
    let mut seen = BTreeMap::new();
    for (row, _) in out.iter().flat_map(rows_of) {
        assert!(seen.insert(row.clone(), ()).is_none(), "seed {seed}: {row:?} comes twice");
    }
}

#[test]
fn the_first_rows_are_those_of_the_oracle() {
    seeds(500).for_each(one_case);
}

fn rows(values: &[(i64, i64, i64)]) -> Delta {
    let row = |(k, ts, v): &(i64, i64, i64)| In { k: Some(*k), ts: Some(*ts), v: Some(*v), split: None };
    delta(&values.iter().map(row).collect::<Vec<_>>())
}

fn check(op: &TopNOp, epochs: &[Delta], expected: Expect) {
    let mut steps = steps(op, epochs.iter().all(|d| d.weights.is_none()), 1);
    let mut text = String::new();
    for (i, epoch) in epochs.iter().enumerate() {
        let watermark = if i + 1 == epochs.len() { Watermark::MAX } else { Watermark(i as i64) };
        text.push_str(&picture(&steps.epoch(vec![epoch.clone()], watermark, 0)));
        text.push('\n');
    }
    expected.assert_eq(text.trim_end());
}

#[test]
fn a_row_that_only_moves_is_put_out_with_its_number_and_not_without() {
    let mut two = op(true, &[(2, true)], 2);
    let epochs = [rows(&[(1, 0, 10), (1, 0, 20), (2, 0, 5)]), rows(&[(1, 0, 30), (1, 0, 1)])];
    check(
        &two,
        &epochs,
        expect![[r#"
        +---+---------------------+----+
        | k | ts                  | v  |
        +---+---------------------+----+
        | 1 | 1970-01-01T00:00:00 | 20 |
        | 1 | 1970-01-01T00:00:00 | 10 |
        | 2 | 1970-01-01T00:00:00 | 5  |
        +---+---------------------+----+
        +---+---------------------+----+--------+
        | k | ts                  | v  | weight |
        +---+---------------------+----+--------+
        | 1 | 1970-01-01T00:00:00 | 30 | 1      |
        | 1 | 1970-01-01T00:00:00 | 10 | -1     |
        +---+---------------------+----+--------+"#]],
    );
    two.ranks = vec![RankFunction::RowNumber];
    check(
        &two,
        &epochs,
        expect![[r#"
        +---+---------------------+----+------------+
        | k | ts                  | v  | ROW_NUMBER |
        +---+---------------------+----+------------+
        | 1 | 1970-01-01T00:00:00 | 20 | 1          |
        | 1 | 1970-01-01T00:00:00 | 10 | 2          |
        | 2 | 1970-01-01T00:00:00 | 5  | 1          |
        +---+---------------------+----+------------+
        +---+---------------------+----+------------+--------+
        | k | ts                  | v  | ROW_NUMBER | weight |
        +---+---------------------+----+------------+--------+
        | 1 | 1970-01-01T00:00:00 | 30 | 1          | 1      |
        | 1 | 1970-01-01T00:00:00 | 20 | 1          | -1     |
        | 1 | 1970-01-01T00:00:00 | 20 | 2          | 1      |
        | 1 | 1970-01-01T00:00:00 | 10 | 2          | -1     |
        +---+---------------------+----+------------+--------+"#]],
    );
}

#[test]
fn a_row_that_goes_makes_room_for_the_next() {
    let gone = |d: Delta| Delta::weighted(d.batch, Int64Array::from(vec![-1]));
    check(
        &op(false, &[(2, true)], 1),
        &[rows(&[(1, 0, 10), (1, 0, 20)]), gone(rows(&[(1, 0, 20)])), gone(rows(&[(1, 0, 10)]))],
        expect![[r#"
            +---+---------------------+----+
            | k | ts                  | v  |
            +---+---------------------+----+
            | 1 | 1970-01-01T00:00:00 | 20 |
            +---+---------------------+----+
            +---+---------------------+----+--------+
            | k | ts                  | v  | weight |
            +---+---------------------+----+--------+
            | 1 | 1970-01-01T00:00:00 | 20 | -1     |
            | 1 | 1970-01-01T00:00:00 | 10 | 1      |
            +---+---------------------+----+--------+
            +---+---------------------+----+--------+
            | k | ts                  | v  | weight |
            +---+---------------------+----+--------+
            | 1 | 1970-01-01T00:00:00 | 10 | -1     |
            +---+---------------------+----+--------+"#]],
    );
}

#[test]
fn at_the_end_rows_come_in_order_and_once() {
    let mut first = op(false, &[(2, false)], 3);
    first.emit = Emit::AtEnd;
    first.ranks = vec![RankFunction::Rank];
    check(
        &first,
        &[rows(&[(1, 0, 10), (1, 0, 20)]), rows(&[(1, 1, 5), (2, 1, 10), (2, 1, 30)])],
        expect![[r#"

        +---+-------------------------+----+------+
        | k | ts                      | v  | RANK |
        +---+-------------------------+----+------+
        | 1 | 1970-01-01T00:00:00.001 | 5  | 1    |
        | 1 | 1970-01-01T00:00:00     | 10 | 2    |
        | 2 | 1970-01-01T00:00:00.001 | 10 | 2    |
        +---+-------------------------+----+------+"#]],
    );
}

#[test]
fn a_window_is_put_out_when_it_closes_and_late_rows_are_reported() {
    // `ts` stands for window_end here.
    let mut first = op(true, &[(2, true)], 1);
    first.partition_by = vec![1];
    first.emit = Emit::OnClose;
    first.expire = Some(Expire { end_key: 0, window: session(1), allowed_lateness: 0 });
    let mut steps = steps(&first, true, 2);
    let out = steps.epoch(vec![rows(&[(1, 10, 5), (2, 10, 7), (3, 20, 1)])], Watermark(10_000), 0);
    expect![[r#"
        +---+-------------------------+---+
        | k | ts                      | v |
        +---+-------------------------+---+
        | 2 | 1970-01-01T00:00:00.010 | 7 |
        +---+-------------------------+---+"#]]
    .assert_eq(&picture(&out));
    assert_eq!(steps.state().rows, 1);
    let out = steps.epoch(vec![rows(&[(4, 10, 9), (5, 20, 2)])], Watermark::MAX, 0);
    expect![[r#"
        +---+-------------------------+---+
        | k | ts                      | v |
        +---+-------------------------+---+
        | 5 | 1970-01-01T00:00:00.020 | 2 |
        +---+-------------------------+---+"#]]
    .assert_eq(&picture(&out));
    assert_eq!(steps.late.iter().map(|l| l.rows.num_rows()).sum::<usize>(), 1);
    assert_eq!((steps.state().rows, steps.state().oldest), (0, None));
}

#[test]
fn an_epoch_costs_what_it_changes() {
    let mut top = TopN::new(&op(true, &[(2, true)], 10), input_schema(), input_schema(), true).unwrap();
    let mut epoch = |input: Delta| {
        let before = top.work;
        let mut cx = Cx::new(0);
        top.push(0, input, &mut cx).unwrap();
        top.advance(Watermark::MIN, &mut cx).unwrap();
        top.end_epoch(&mut cx).unwrap();
        top.work - before
    };
    for i in 0..40 {
        epoch(rows(&(0..1_000).map(|k| (k, 0, i)).collect::<Vec<_>>()));
    }
    // Rows behind all that are kept are not looked at any further, however many there are.
    assert_eq!(epoch(rows(&(0..10_000).map(|i| (i % 1_000, 0, i % 20)).collect::<Vec<_>>())), 0);
    // One that comes in costs its own partition.
    let work = epoch(rows(&[(7, 0, 100)]));
    assert!(work <= 15, "{work} rows were looked at");
    assert_eq!(top.state().rows, 10_000);
}

#[test]
fn partitions_without_rows_are_forgotten() {
    let mut top = TopN::new(&op(true, &[(2, true)], 1), input_schema(), input_schema(), false).unwrap();
    for i in 0..50_000 / 500 {
        let some: Vec<_> = (0..500).map(|k| (i * 500 + k, 0, 1)).collect();
        for weight in [1, -1] {
            let mut cx = Cx::new(0);
            let weights = Int64Array::from_value(weight, some.len());
            top.push(0, Delta::weighted(rows(&some).batch, weights), &mut cx).unwrap();
            top.advance(Watermark::MIN, &mut cx).unwrap();
            top.end_epoch(&mut cx).unwrap();
        }
    }
    let state = top.state();
    assert_eq!(state.rows, 0);
    assert!(state.bytes < 2_000_000, "{} bytes", state.bytes);
}
