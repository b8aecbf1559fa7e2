//! Both forms against a naive oracle, over random rows and cuts.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion_physical_expr::expressions::{binary, col};
use expect_test::{Expect, expect};
use tidemill_core::{Delta, Watermark};
use tidemill_plan::op::{AsOfForm, AsOfJoinOp, AsOfMatch};

use super::instance;
use crate::operators::keyed_states::testing::{Chance, Row, ZSet, add, rows_of, seeds};
use crate::testing::picture;
use crate::{Cx, Operator};

const MATCHES: [AsOfMatch; 4] = [AsOfMatch::AtOrBefore, AsOfMatch::Before, AsOfMatch::AtOrAfter, AsOfMatch::After];

fn side(names: [&str; 3]) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(names[0], DataType::Int64, true),
        Field::new(names[1], DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new(names[2], DataType::Int64, true),
    ]))
}

fn schemas() -> ([SchemaRef; 2], SchemaRef) {
    let (left, right) = (side(["lk", "lt", "lv"]), side(["rk", "rt", "rv"]));
    let output = left.fields().iter().chain(right.fields()).cloned().collect::<Vec<_>>();
    ([left, right], Arc::new(Schema::new(output)))
}

/// `lk = rk` and the times; with `residual`, `lv <> rv` as well.
fn op(matching: AsOfMatch, outer: bool, residual: bool, form: AsOfForm) -> AsOfJoinOp {
    let (_, output) = schemas();
    let differ = || {
        let (l, r) = (col("lv", &output).unwrap(), col("rv", &output).unwrap());
        binary(l, datafusion_expr::Operator::NotEq, r, &output).unwrap()
    };
    let residual = residual.then(differ);
    AsOfJoinOp { keys: vec![(0, 0)], times: (1, 1), matching, outer, residual, gone: None, temporal: false, form }
}

fn operator(op: &AsOfJoinOp) -> Box<dyn Operator> {
    let (inputs, output) = schemas();
    instance(op, &inputs, &output).unwrap()
}

/// Rows of (key, time in milliseconds, value) with weights and split watermarks.
fn delta(schema: &SchemaRef, rows: &[(Row, i64)], split: Option<Vec<Option<i64>>>) -> Delta {
    let column = |i: usize| rows.iter().map(move |(r, _)| r[i]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter(column(0))),
        Arc::new(TimestampMillisecondArray::from_iter(column(1))),
        Arc::new(Int64Array::from_iter(column(2))),
    ];
    let weights = rows.iter().any(|(_, w)| *w != 1).then(|| rows.iter().map(|(_, w)| *w).collect());
    Delta {
        batch: RecordBatch::try_new(schema.clone(), columns).unwrap(),
        weights,
        split_watermark: split.map(|s| s.into_iter().map(|w| w.map(|w| w * 1_000)).collect()),
    }
}

/// The answer over all that is there.
fn oracle(op: &AsOfJoinOp, left: &ZSet, right: &ZSet) -> ZSet {
    let fits = |l: i64, r: i64| match op.matching {
        AsOfMatch::AtOrBefore => l >= r,
        AsOfMatch::Before => l > r,
        AsOfMatch::AtOrAfter => l <= r,
        AsOfMatch::After => l < r,
    };
    let mut all = ZSet::new();
    for (l, weight) in left {
        let candidates = right.keys().filter(|r| match (l[0], l[1], r[0], r[1]) {
            (Some(lk), Some(lt), Some(rk), Some(rt)) => lk == rk && fits(lt, rt),
            _ => false,
        });
        // The order of the rows is that of (time, key, value).
        let rank = |r: &&Row| (r[1], r[0], r[2]);
        let best = if op.matching.looks_back() { candidates.max_by_key(rank) } else { candidates.min_by_key(rank) };
        let best = best.filter(|r| op.residual.is_none() || matches!((l[2], r[2]), (Some(a), Some(b)) if a != b));
        let partner = match best {
            Some(r) => r.clone(),
            None if op.outer => vec![None; 3],
            None => continue,
        };
        *all.entry([l.clone(), partner].concat()).or_insert(0) += weight;
    }
    all
}

fn random_row(chance: &mut Chance, now: i64) -> Row {
    vec![
        Some(chance.below(3)).filter(|k| *k > 0 || chance.one_in(2)),
        Some(now + chance.below(8)).filter(|_| !chance.one_in(20)),
        Some(chance.below(3)).filter(|v| *v > 0),
    ]
}

/// Takes rows back and puts rows in, several times what is there already now and then.
fn changes(chance: &mut Chance, there: &mut ZSet, rows: i64) -> Vec<(Row, i64)> {
    let mut out: Vec<(Row, i64)> = vec![];
    for _ in 0..chance.below(rows + 1) {
        if chance.one_in(3) && !there.is_empty() {
            let row = there.keys().nth(chance.below(there.len() as i64) as usize).unwrap().clone();
            let weight = if chance.one_in(2) { 1 } else { there[&row] };
            out.push((row.clone(), -weight));
            *there.get_mut(&row).unwrap() -= weight;
            if there[&row] == 0 {
                there.remove(&row);
            }
        } else {
            let row = random_row(chance, 0);
            let weight = 1 + chance.below(5) / 4;
            *there.entry(row.clone()).or_insert(0) += weight;
            out.push((row, weight));
        }
    }
    // The order within an epoch means nothing.
    for i in (1..out.len()).rev() {
        out.swap(i, chance.below(i as i64 + 1) as usize);
    }
    out
}

fn one_updating_case(seed: u64) {
    let mut chance = Chance(seed);
    let matching = MATCHES[chance.below(4) as usize];
    let op = op(matching, chance.one_in(2), chance.one_in(3), AsOfForm::Updating);
    let mut operator = operator(&op);
    let (inputs, _) = schemas();
    let (mut left, mut right, mut out) = (ZSet::new(), ZSet::new(), ZSet::new());
    let size = [2, 10, 60][chance.below(3) as usize];
    for _ in 0..12 {
        let mut cx = Cx::new(0);
        for (port, there) in [(0, &mut left), (1, &mut right)] {
            let mut rows = changes(&mut chance, there, size);
            while !rows.is_empty() {
                let rest = rows.split_off(1 + chance.below(rows.len() as i64) as usize);
                operator.push(port, delta(&inputs[port], &rows, None), &mut cx).unwrap();
                rows = rest;
            }
        }
        operator.advance(Watermark::MIN, &mut cx).unwrap();
        operator.end_epoch(&mut cx).unwrap();
        let emitted = cx.take_emitted();
        let mut seen = std::collections::BTreeMap::new();
        for (row, _) in emitted.iter().flat_map(rows_of) {
            *seen.entry(row).or_insert(0) += 1;
        }
        assert!(seen.values().all(|n| *n == 1), "seed {seed}: a row comes twice in an epoch");
        add(&mut out, &emitted);
        assert_eq!(out, oracle(&op, &left, &right), "seed {seed}: {op:?}");
    }
    let fitting = |side: &ZSet| side.keys().filter(|r| r[0].is_some() && r[1].is_some()).count();
    let kept_left = if op.outer { left.len() } else { fitting(&left) };
    assert_eq!(operator.state().rows, kept_left + fitting(&right), "seed {seed}");
}

#[test]
fn what_was_put_out_adds_up_to_the_join_after_every_epoch() {
    seeds(60).for_each(one_updating_case);
}

fn one_settled_case(seed: u64) {
    let mut chance = Chance(seed);
    let matching = MATCHES[chance.below(4) as usize];
    let op = op(matching, chance.one_in(2), chance.one_in(3), AsOfForm::Settled);
    // Looking ahead needs the end of the input: the watermark stands still until then.
    let timed = matching.looks_back();
    let mut operator = operator(&op);
    let (inputs, _) = schemas();
    let (mut left, mut right, mut out) = (ZSet::new(), ZSet::new(), ZSet::new());
    let (mut now, mut watermark) = (0, Watermark::MIN);
    let mut late = 0;
    for epoch in 0..40 {
        let mut cx = Cx::new(0);
        for (port, there) in [(0, &mut left), (1, &mut right)] {
            let (mut rows, mut split) = (vec![], vec![]);
            for _ in 0..chance.below(12) {
                let mut row = random_row(&mut chance, now);
                let is_late = timed && epoch > 0 && chance.one_in(15) && row[1].is_some();
                if is_late {
                    row[1] = Some(now - 1 - chance.below(10));
                    late += 1;
                } else {
                    *there.entry(row.clone()).or_insert(0) += 1;
                }
                split.push(is_late.then_some(now));
                rows.push((row, 1));
            }
            if !rows.is_empty() {
                let split = split.iter().any(Option::is_some).then_some(split);
                operator.push(port, delta(&inputs[port], &rows, split), &mut cx).unwrap();
            }
        }
        now += chance.below(4);
        if timed {
            watermark = Watermark(now * 1_000);
        }
        operator.advance(watermark, &mut cx).unwrap();
        operator.end_epoch(&mut cx).unwrap();
        late -= cx.take_late().iter().map(|l| l.rows.num_rows()).sum::<usize>();
        assert_eq!(late, 0, "seed {seed}: what is late is reported");
        add(&mut out, &cx.take_emitted());
        if timed {
            let over = |row: &Row| row[1].is_none_or(|t| t < now);
            let due: ZSet = left.iter().filter(|(l, _)| over(l)).map(|(l, w)| (l.clone(), *w)).collect();
            assert_eq!(out, oracle(&op, &due, &right), "seed {seed}: {op:?} at {now}");
            // Two keys, at most one version each below the watermark, and eight milliseconds of what is to come.
            let (waiting, coming) =
                (left.keys().filter(|l| !over(l)).count(), right.keys().filter(|r| !over(r)).count());
            let kept = operator.state().rows;
            assert!(kept <= left.values().sum::<i64>() as usize + coming + 3, "seed {seed}: {kept} rows");
            assert!(waiting > 0 || kept <= coming + 3, "seed {seed}: {kept} rows, and none waits");
        }
    }
    let mut cx = Cx::new(0);
    operator.advance(Watermark::MAX, &mut cx).unwrap();
    add(&mut out, &cx.take_emitted());
    assert_eq!(out, oracle(&op, &left, &right), "seed {seed}: {op:?}");
    assert_eq!(operator.state().rows, 0, "seed {seed}: nothing is left at the end");
}

#[test]
fn a_left_row_is_put_out_once_when_its_time_is_over() {
    seeds(60).for_each(one_settled_case);
}

fn check(matching: AsOfMatch, outer: bool, expected: Expect) {
    let mut operator = operator(&op(matching, outer, false, AsOfForm::Updating));
    let (inputs, _) = schemas();
    let mut all = vec![];
    let mut epoch = |left: &[(Row, i64)], right: &[(Row, i64)]| {
        let mut cx = Cx::new(0);
        operator.push(0, delta(&inputs[0], left, None), &mut cx).unwrap();
        operator.push(1, delta(&inputs[1], right, None), &mut cx).unwrap();
        operator.end_epoch(&mut cx).unwrap();
        all.extend(cx.take_emitted());
    };
    let row = |k, t, v| vec![Some(k), Some(t), Some(v)];
    epoch(&[(row(1, 5, 0), 1), (row(1, 9, 0), 1), (row(2, 5, 0), 1)], &[(row(1, 3, 30), 1)]);
    // A better one for the later row alone; then it goes again.
    epoch(&[], &[(row(1, 7, 70), 1)]);
    epoch(&[], &[(row(1, 7, 70), -1)]);
    expected.assert_eq(&picture(&all));
}

#[test]
fn a_new_right_row_rematches_the_left_rows_up_to_the_next_one() {
    check(
        AsOfMatch::AtOrBefore,
        true,
        expect![[r#"
            +----+-------------------------+----+----+-------------------------+----+--------+
            | lk | lt                      | lv | rk | rt                      | rv | weight |
            +----+-------------------------+----+----+-------------------------+----+--------+
            | 1  | 1970-01-01T00:00:00.005 | 0  | 1  | 1970-01-01T00:00:00.003 | 30 | 1      |
            | 1  | 1970-01-01T00:00:00.009 | 0  | 1  | 1970-01-01T00:00:00.003 | 30 | 1      |
            | 2  | 1970-01-01T00:00:00.005 | 0  |    |                         |    | 1      |
            +----+-------------------------+----+----+-------------------------+----+--------+
            +----+-------------------------+----+----+-------------------------+----+--------+
            | lk | lt                      | lv | rk | rt                      | rv | weight |
            +----+-------------------------+----+----+-------------------------+----+--------+
            | 1  | 1970-01-01T00:00:00.009 | 0  | 1  | 1970-01-01T00:00:00.003 | 30 | -1     |
            | 1  | 1970-01-01T00:00:00.009 | 0  | 1  | 1970-01-01T00:00:00.007 | 70 | 1      |
            +----+-------------------------+----+----+-------------------------+----+--------+
            +----+-------------------------+----+----+-------------------------+----+--------+
            | lk | lt                      | lv | rk | rt                      | rv | weight |
            +----+-------------------------+----+----+-------------------------+----+--------+
            | 1  | 1970-01-01T00:00:00.009 | 0  | 1  | 1970-01-01T00:00:00.007 | 70 | -1     |
            | 1  | 1970-01-01T00:00:00.009 | 0  | 1  | 1970-01-01T00:00:00.003 | 30 | 1      |
            +----+-------------------------+----+----+-------------------------+----+--------+"#]],
    );
}

/// Work is in proportion to what changes: ten thousand left rows of one key, and a right row between two of them.
#[test]
fn a_late_version_touches_the_rows_of_its_own_time() {
    let mut operator = operator(&op(AsOfMatch::AtOrBefore, true, false, AsOfForm::Updating));
    let (inputs, _) = schemas();
    let rows = |times: std::ops::Range<i64>| times.map(|t| (vec![Some(1), Some(t), Some(0)], 1)).collect::<Vec<_>>();
    let mut cx = Cx::new(0);
    operator.push(0, delta(&inputs[0], &rows(0..10_000), None), &mut cx).unwrap();
    operator.push(1, delta(&inputs[1], &[(vec![Some(1), Some(5_003), Some(7)], 1)], None), &mut cx).unwrap();
    operator.end_epoch(&mut cx).unwrap();
    cx.take_emitted();
    operator.push(1, delta(&inputs[1], &[(vec![Some(1), Some(5_000), Some(6)], 1)], None), &mut cx).unwrap();
    operator.end_epoch(&mut cx).unwrap();
    let touched: usize = cx.take_emitted().iter().map(Delta::num_rows).sum();
    assert_eq!(touched, 2 * 3, "three rows, each taken back and put out");
}

/// A version that says that its key is gone ends the one before, and goes with it.
#[test]
fn keys_that_are_gone_leave_nothing_behind() {
    let ([left, _], _) = schemas();
    let mut fields = side(["rk", "rt", "rv"]).fields().to_vec();
    fields.push(Arc::new(Field::new("gone", DataType::Boolean, false)));
    let right: SchemaRef = Arc::new(Schema::new(fields));
    let output: SchemaRef = Arc::new(Schema::new([left.fields().to_vec(), right.fields().to_vec()].concat()));
    let residual = datafusion_physical_expr::expressions::not(col("gone", &output).unwrap()).unwrap();
    let op = AsOfJoinOp {
        residual: Some(residual),
        gone: Some(3),
        ..op(AsOfMatch::AtOrBefore, false, false, AsOfForm::Settled)
    };
    let mut operator = instance(&op, &[left.clone(), right.clone()], &output).unwrap();
    let mut found = vec![];
    for round in 0..50_i64 {
        let mut cx = Cx::new(0);
        let rows = |time: i64| (0..200).map(|i| (vec![Some(round * 200 + i), Some(time), None], 1)).collect::<Vec<_>>();
        let at = 10 * round;
        operator.push(0, delta(&left, &[rows(at), rows(at + 4)].concat(), None), &mut cx).unwrap();
        for (time, gone) in [(at, false), (at + 3, true)] {
            let rows = delta(&side(["rk", "rt", "rv"]), &rows(time), None);
            let mut columns = rows.batch.columns().to_vec();
            columns.push(Arc::new(arrow::array::BooleanArray::from(vec![gone; 200])));
            let batch = RecordBatch::try_new(right.clone(), columns).unwrap();
            operator.push(1, Delta::insert(batch), &mut cx).unwrap();
        }
        operator.advance(Watermark((at + 10) * 1_000), &mut cx).unwrap();
        operator.end_epoch(&mut cx).unwrap();
        found.extend(cx.take_emitted());
    }
    assert_eq!(found.iter().map(Delta::num_rows).sum::<usize>(), 50 * 200, "each at its beginning, none after its end");
    assert!(operator.state().rows <= 200, "{} rows", operator.state().rows);
}
