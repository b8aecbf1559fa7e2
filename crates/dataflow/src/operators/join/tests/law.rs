//! After every epoch, what was put out is the join of what has come in; and nothing was put out that did not change.

use std::collections::BTreeMap;

use datafusion_common::JoinType;
use tidemill_core::{Delta, Watermark};
use tidemill_plan::op::{JoinOp, Unmatched};

use super::harness::{TYPES, build, delta, epoch, join, oracle};
use crate::operators::keyed_states::testing::{Chance, Row, ZSet, add, rows_of, seeds};

/// Changes of one side: insertions, now and then several at once, and retractions of what is there, in any order.
fn changes(chance: &mut Chance, table: &mut ZSet, retracts: bool) -> Vec<([Option<i64>; 2], i64)> {
    let mut all = vec![];
    for _ in 0..chance.below(6) {
        let there: Vec<(Row, i64)> = table.iter().map(|(r, w)| (r.clone(), *w)).collect();
        let (row, weight) = match retracts && !there.is_empty() && chance.one_in(2) {
            true => {
                let (row, weight) = &there[chance.below(there.len() as i64) as usize];
                (row.clone(), if chance.one_in(2) { -weight } else { -1 })
            }
            false => {
                let draw = |chance: &mut Chance| (!chance.one_in(6)).then(|| chance.below(4));
                (vec![draw(chance), draw(chance)], if retracts { 1 + chance.below(2) } else { 1 })
            }
        };
        let sum = table.entry(row.clone()).or_insert(0);
        *sum += weight;
        if *sum == 0 {
            table.remove(&row);
        }
        all.push(([row[0], row[1]], weight));
    }
    for i in (1..all.len()).rev() {
        all.swap(i, chance.below(i as i64 + 1) as usize);
    }
    all
}

fn one_case(op: &JoinOp, retracts: [bool; 2], seed: u64) {
    let mut chance = Chance(seed);
    let only_comes = matches!(op.join_type, JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi);
    let append = retracts == [false, false] && (only_comes || op.unmatched == Unmatched::WhenOver);
    let mut join = build(op, retracts, append);
    let mut tables = [ZSet::new(), ZSet::new()];
    let mut out = ZSet::new();
    let what = || {
        format!(
            "{:?} keys {} residual {} retracts {retracts:?} seed {seed}",
            op.join_type,
            op.keys.len(),
            op.residual.is_some()
        )
    };
    let mut run = |input: Vec<(usize, Delta)>, tables: &[ZSet; 2], watermark| {
        let emitted = epoch(join.as_mut(), input, watermark);
        let mut net: BTreeMap<Row, (i64, i64)> = BTreeMap::new();
        for (row, weight) in emitted.iter().flat_map(rows_of) {
            assert!(weight > 0 || !append, "{}", what());
            let (plus, minus) = net.entry(row).or_default();
            if weight > 0 { *plus += weight } else { *minus -= weight }
        }
        // Equal rows of an append input are kept apart: only there may changes of theirs cross each other.
        if retracts == [true, true] {
            // A row padded with NULLs and a pair with a row of NULLs look alike.
            let ambiguous = |row: &Row| row.chunks(2).any(|side| side.iter().all(Option::is_none));
            net.retain(|row, _| !ambiguous(row));
            net.iter().for_each(|(row, (plus, minus))| assert!(*plus == 0 || *minus == 0, "{row:?} {}", what()));
        }
        add(&mut out, &emitted);
        if op.unmatched == Unmatched::EachEpoch || watermark == Watermark::MAX {
            assert_eq!(out, oracle(op, &tables[0], &tables[1]), "{}", what());
        }
        join.state()
    };
    for _ in 0..12 {
        let mut input = vec![];
        for side in [0, 1] {
            let rows = changes(&mut chance, &mut tables[side], retracts[side]);
            let cut = chance.below(rows.len() as i64 + 1) as usize;
            input.push((side, delta(&rows[..cut], retracts[side])));
            input.push((side, delta(&rows[cut..], retracts[side])));
        }
        run(input, &tables, Watermark::MIN);
    }
    if op.unmatched == Unmatched::EachEpoch && retracts == [true, true] {
        // All that is there goes, and with it the state.
        let input = [0, 1].map(|side: usize| {
            let rows: Vec<_> = std::mem::take(&mut tables[side]).into_iter().map(|(r, w)| ([r[0], r[1]], -w)).collect();
            (side, delta(&rows, true))
        });
        let state = run(input.into(), &tables, Watermark::MIN);
        assert_eq!(state.rows, 0, "{}", what());
    }
    let state = run(vec![], &tables, Watermark::MAX);
    assert_eq!(state.rows, 0, "{}", what());
}

fn any(chance: &mut Chance) -> (bool, bool) {
    (chance.one_in(2), chance.one_in(2))
}

fn check(seed: u64, op: &dyn Fn(&mut Chance) -> JoinOp) {
    let mut chance = Chance(seed);
    let retracts = any(&mut chance);
    let unmatched = if chance.one_in(2) { Unmatched::EachEpoch } else { Unmatched::WhenOver };
    let op = JoinOp { unmatched, ..op(&mut chance) };
    one_case(&op, [retracts.0, retracts.1], seed);
}

#[test]
fn every_join_after_every_epoch() {
    for seed in seeds(800) {
        check(seed, &|chance| {
            let join_type = TYPES[chance.below(TYPES.len() as i64) as usize];
            let (keyed, residual) = any(chance);
            JoinOp { nulls_match: chance.one_in(3), ..join(join_type, keyed, residual) }
        });
    }
}

#[test]
fn not_in_after_every_epoch() {
    for seed in seeds(100) {
        check(seed, &|chance| JoinOp { null_aware: true, ..join(JoinType::LeftAnti, true, chance.one_in(2)) });
    }
}
