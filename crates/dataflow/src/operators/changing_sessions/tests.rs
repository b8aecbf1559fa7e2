//! Rows with the sessions they are in, against sessions cut anew after every epoch.

use std::collections::BTreeMap;

use arrow::array::Int64Array;
use arrow::datatypes::Field;
use tidemill_core::{Delta, Watermark};
use tidemill_plan::StreamOp;
use tidemill_plan::op::SessionRowsOp;

use super::build;
use crate::operators::keyed_states::testing::{
    Chance, In, Row, Steps, ZSet, add, bound_fields, delta, input_schema, node, seeds, session,
};

const GAP: i64 = 5;

/// Key, time and value of a row.
type Plain = (Option<i64>, i64, Option<i64>);

fn answer(rows: &BTreeMap<Plain, i64>) -> ZSet {
    let mut by_key: BTreeMap<Option<i64>, Vec<i64>> = BTreeMap::new();
    rows.keys().for_each(|(k, ts, _)| by_key.entry(*k).or_default().push(*ts));
    let mut out = ZSet::new();
    for ((k, ts, v), weight) in rows {
        let times = &by_key[k];
        let at = times.iter().position(|t| t == ts).unwrap();
        let mut first = at;
        while first > 0 && times[first] - times[first - 1] <= GAP {
            first -= 1;
        }
        let mut last = at;
        while last + 1 < times.len() && times[last + 1] - times[last] <= GAP {
            last += 1;
        }
        let end = times[last] + GAP;
        let row: Row = vec![*k, Some(*ts), *v, Some(times[first]), Some(end), Some(end - 1)];
        *out.entry(row).or_insert(0) += weight;
    }
    out
}

fn one_case(seed: u64) {
    let mut chance = Chance(seed);
    let op = SessionRowsOp { window: session(GAP), partition_by: vec![0], allowed_lateness: 0, changing: true };
    let mut fields: Vec<Field> = input_schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.extend(bound_fields());
    let out = node(StreamOp::SessionRows(op.clone()), fields);
    let workers = 1 + chance.below(3) as usize;
    let mut steps = Steps::new(workers, |input, graph| build(&op, &out, input, &input_schema(), graph));
    let (mut there, mut all): (BTreeMap<Plain, i64>, ZSet) = Default::default();
    let mut now = 0;
    for _ in 0..1 + chance.below(25) {
        now += chance.below(12);
        let mut changes: Vec<(Plain, i64)> = vec![];
        for _ in 0..chance.below(20) {
            let recent: Vec<Plain> = there.keys().filter(|r| r.1 >= now - 10).copied().collect();
            let row = match recent.get(chance.below(recent.len() as i64 + 1) as usize) {
                Some(row) if chance.one_in(2) => {
                    *there.get_mut(row).unwrap() -= 1;
                    changes.push((*row, -1));
                    *row
                }
                _ => {
                    let row =
                        (Some(chance.below(3)).filter(|k| *k > 0), now - 10 + chance.below(20), Some(chance.below(2)));
                    *there.entry(row).or_insert(0) += 1;
                    changes.push((row, 1));
                    row
                }
            };
            if there[&row] == 0 {
                there.remove(&row);
            }
        }
        for i in (1..changes.len()).rev() {
            changes.swap(i, chance.below(i as i64 + 1) as usize);
        }
        let pieces = changes.chunks(1 + chance.below(6) as usize).map(|piece| {
            let rows: Vec<In> =
                piece.iter().map(|((k, ts, v), _)| In { k: *k, ts: Some(*ts), v: *v, split: None }).collect();
            Delta { weights: Some(Int64Array::from_iter_values(piece.iter().map(|p| p.1))), ..delta(&rows) }
        });
        let got = steps.epoch(pieces.collect(), Watermark((now - 10) * 1_000), 0);
        add(&mut all, &got);
        assert_eq!(all, answer(&there), "seed {seed}");
    }
    steps.epoch(vec![], Watermark::MAX, 0);
    let state = steps.state();
    assert_eq!((state.rows, state.oldest), (0, None), "seed {seed}: state");
}

#[test]
fn rows_come_with_the_sessions_that_there_are() {
    seeds(200).for_each(one_case);
}
