//! Sessions against a row-by-row answer, whatever the order of the rows and the cuts between epochs.

use std::collections::BTreeMap;

use tidemill_core::Watermark;
use tidemill_plan::StreamOp;
use tidemill_plan::op::{RowWindow, SessionRowsOp, WindowAggregateOp};

use super::build;
use crate::operators::keyed_states::testing::{
    Chance, In, Row, Steps, ZSet, add, aggregate_fields, aggregation, bound_fields, delta, input_schema, node, rows_of,
    seeds, session, split,
};
use crate::operators::session_rows;

const MS: i64 = 1_000;

fn aggregate(by_key: bool, gap: i64, lateness: i64, workers: usize) -> Steps {
    let (group, aggregates) = aggregation(by_key);
    let op = WindowAggregateOp {
        window: RowWindow::ByTime(session(gap)),
        group,
        aggregates,
        allowed_lateness: lateness * MS,
    };
    let mut fields = bound_fields();
    fields.extend(by_key.then(|| input_schema().field(0).clone()));
    fields.extend(aggregate_fields());
    let node = node(StreamOp::WindowAggregate(op.clone()), fields);
    Steps::new(workers, |input, graph| build(&op, &node, input, &input_schema(), graph))
}

fn rows(by_key: bool, gap: i64, lateness: i64, workers: usize) -> Steps {
    let op = SessionRowsOp {
        window: session(gap),
        partition_by: if by_key { vec![0] } else { vec![] },
        allowed_lateness: lateness * MS,
        changing: false,
    };
    let mut fields: Vec<_> = input_schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.extend(bound_fields());
    let node = node(StreamOp::SessionRows(op.clone()), fields);
    Steps::new(workers, |input, graph| session_rows::build(&op, &node, input, &input_schema(), graph))
}

/// The rows of each session that has closed: by key and start.
fn sessions(input: &[In], by_key: bool, gap: i64, lateness: i64, watermark: i64) -> Vec<(i64, i64, Vec<In>)> {
    let mut keys: BTreeMap<Option<i64>, Vec<In>> = BTreeMap::new();
    for row in input {
        if let Some(ts) = row.ts
            && row.split.is_none_or(|w| ts + gap + lateness > w)
        {
            keys.entry(row.k.filter(|_| by_key)).or_default().push(*row);
        }
    }
    let mut found = vec![];
    for mut rows in keys.into_values() {
        rows.sort_by_key(|r| r.ts);
        let mut current: Vec<In> = vec![];
        for row in rows.into_iter().map(Some).chain([None]) {
            let apart = row.is_none_or(|r| current.last().is_some_and(|l| l.ts.unwrap() + gap < r.ts.unwrap()));
            if apart && let (Some(first), Some(last)) = (current.first(), current.last()) {
                let (start, end) = (first.ts.unwrap(), last.ts.unwrap() + gap);
                if watermark >= end.saturating_add(gap) {
                    found.push((start, end, std::mem::take(&mut current)));
                }
                current.clear();
            }
            current.extend(row);
        }
    }
    found
}

fn expected_aggregates(sessions: &[(i64, i64, Vec<In>)], by_key: bool) -> ZSet {
    let mut all = ZSet::new();
    for (start, end, rows) in sessions {
        let mut row: Row = vec![Some(*start), Some(*end), Some(*end - 1)];
        row.extend(by_key.then_some(rows[0].k));
        let values: Vec<i64> = rows.iter().filter_map(|r| r.v).collect();
        let sum = (!values.is_empty()).then(|| values.iter().sum());
        row.extend([Some(values.len() as i64), sum, values.iter().max().copied()]);
        *all.entry(row).or_insert(0) += 1;
    }
    all
}

fn expected_rows(sessions: &[(i64, i64, Vec<In>)]) -> ZSet {
    let mut all = ZSet::new();
    for (start, end, rows) in sessions {
        for r in rows {
            *all.entry(vec![r.k, r.ts, r.v, Some(*start), Some(*end), Some(*end - 1)]).or_insert(0) += 1;
        }
    }
    all
}

fn one_case(seed: u64) {
    let mut chance = Chance(seed);
    let gap = 1 + chance.below(30);
    let lateness = if chance.one_in(2) { 0 } else { chance.below(60) };
    let by_key = !chance.one_in(4);
    let workers = 1 + chance.below(3) as usize;
    let keys = 1 + chance.below(6);
    let (step, delay) = (1 + chance.below(20), chance.below(40));
    let count = 1 + chance.below(300) as usize;
    let input = split(&mut chance, count, keys, step, delay);
    let mut aggregated = (aggregate(by_key, gap, lateness, workers), ZSet::new());
    let mut plain = (rows(by_key, gap, lateness, workers), ZSet::new());
    let mut so_far: Vec<In> = vec![];
    let mut rest = &input[..];
    while !rest.is_empty() {
        let cut = (1 + chance.below(40) as usize).min(rest.len());
        let (now, later) = rest.split_at(cut);
        rest = later;
        let watermark = now.last().unwrap().1;
        let now: Vec<In> = now.iter().map(|r| r.0).collect();
        so_far.extend(&now);
        let pieces: Vec<_> = now.chunks(1 + chance.below(20) as usize).map(delta).collect();
        let wm = if rest.is_empty() { Watermark::MAX } else { Watermark(watermark * MS) };
        let watermark = if rest.is_empty() { i64::MAX } else { watermark };
        let closed = sessions(&so_far, by_key, gap, lateness, watermark);
        add(&mut aggregated.1, &aggregated.0.epoch(pieces.clone(), wm, 0));
        assert_eq!(aggregated.1, expected_aggregates(&closed, by_key), "seed {seed}: aggregates at {watermark}");
        add(&mut plain.1, &plain.0.epoch(pieces, wm, 0));
        assert_eq!(plain.1, expected_rows(&closed), "seed {seed}: rows at {watermark}");
    }
    let late = |r: &&In| r.ts.is_some_and(|ts| r.split.is_some_and(|w| ts + gap + lateness <= w));
    for steps in [aggregated.0, plain.0] {
        let reported: usize = steps.late.iter().map(|l| l.rows.num_rows()).sum();
        assert_eq!(reported, so_far.iter().filter(late).count(), "seed {seed}: late rows");
        assert_eq!((steps.state().rows, steps.state().bytes, steps.state().oldest), (0, 0, None), "seed {seed}: state");
    }
}

#[test]
fn sessions_are_the_same_whatever_the_order_and_the_cuts() {
    seeds(150).for_each(one_case);
}

fn at(k: i64, ts: i64) -> In {
    In { k: Some(k), ts: Some(ts), v: Some(1), split: None }
}

/// Start, end and count of what comes out, with the weight.
fn check(steps: &mut Steps, input: &[In], watermark: i64, expected: &[(i64, i64, i64, i64)]) {
    let out = steps.epoch(vec![delta(input)], Watermark(watermark * MS), 0);
    let got: Vec<_> = out.iter().flat_map(rows_of).collect();
    let got: Vec<_> = got.iter().map(|(r, w)| (r[0].unwrap(), r[1].unwrap(), r[4].unwrap(), *w)).collect();
    assert_eq!(got, expected);
}

#[test]
fn rows_exactly_a_gap_apart_are_one_session() {
    let mut steps = aggregate(true, 10, 0, 1);
    check(&mut steps, &[at(1, 0), at(1, 10), at(1, 21)], 29, &[]);
    check(&mut steps, &[], 30, &[(0, 20, 2, 1)]);
    check(&mut steps, &[], 41, &[(21, 31, 1, 1)]);
}

#[test]
fn one_row_joins_the_sessions_on_both_sides() {
    let mut steps = aggregate(true, 10, 0, 1);
    check(&mut steps, &[at(1, 0), at(1, 40), at(1, 20)], 0, &[]);
    check(&mut steps, &[at(1, 10)], 0, &[]);
    check(&mut steps, &[at(1, 30)], 60, &[(0, 50, 5, 1)]);
}

#[test]
fn a_correction_retracts_both_sessions_that_become_one() {
    let mut steps = aggregate(true, 10, 100, 1);
    check(&mut steps, &[at(1, 0), at(1, 20)], 40, &[(0, 10, 1, 1), (20, 30, 1, 1)]);
    let back = In { split: Some(40), ..at(1, 10) };
    check(&mut steps, &[back], 40, &[(20, 30, 1, -1), (0, 10, 1, -1), (0, 30, 3, 1)]);
    check(&mut steps, &[at(1, 39), at(1, 30)], 45, &[(0, 30, 3, -1)]);
    check(&mut steps, &[], 59, &[(0, 49, 5, 1)]);
    check(&mut steps, &[], 158, &[]);
    // Four partial states, and what was put out.
    assert_eq!(steps.state().rows, 5);
    check(&mut steps, &[], 159, &[]);
    assert_eq!(steps.state().rows, 0);
}

#[test]
fn sessions_come_out_by_end_and_start() {
    let mut steps = aggregate(true, 10, 0, 1);
    check(&mut steps, &[at(1, 7), at(2, 3), at(3, 0), at(3, 7)], 100, &[(3, 13, 1, 1), (0, 17, 2, 1), (7, 17, 1, 1)]);
}

#[test]
fn many_keys_and_long_sessions_are_kept_small() {
    let mut steps = aggregate(true, 10, 0, 1);
    let mut all = ZSet::new();
    // One key that never pauses, and a thousand new ones in each epoch.
    for epoch in 0..200 {
        let rows: Vec<In> = (0..1_000).map(|i| at(1_000 * epoch + i + 1, 100 * epoch + i % 100)).collect();
        let long: Vec<In> = (0..20).map(|i| at(-1, 100 * epoch + 5 * i)).collect();
        let watermark = Watermark((100 * epoch + 99) * MS);
        add(&mut all, &steps.epoch(vec![delta(&rows), delta(&long)], watermark, 0));
        let state = steps.state();
        assert!(state.rows <= 1_000 + 16_384 + 1, "{} rows in epoch {epoch}", state.rows);
        assert!(state.bytes < 8_000_000, "{} bytes in epoch {epoch}", state.bytes);
    }
    add(&mut all, &steps.epoch(vec![], Watermark::MAX, 0));
    assert_eq!(all.len(), 200_001);
    let long: Row = vec![Some(0), Some(20_005), Some(20_004), Some(-1), Some(4_000), Some(4_000), Some(1)];
    assert_eq!(all.get(&long), Some(&1));
    assert_eq!(steps.state().bytes, 0);
}
