//! Random queries over random rows, in random cuts, with one worker and with three.

use std::collections::BTreeMap;

use arrow::datatypes::TimeUnit;
use tidemill_core::{Micros, Watermark};
use tidemill_plan::window::{WindowKind, Zone};

use crate::operators::window_aggregate::tests::harness::{MS, Query, Row, Run, S};
use crate::operators::window_aggregate::tests::oracle;

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`.
    fn below(&mut self, n: i64) -> i64 {
        (self.next() % n as u64) as i64
    }

    fn one_in(&mut self, n: i64) -> bool {
        self.below(n) == 0
    }
}

fn query(dice: &mut Dice) -> Query {
    let unit = [S, 500 * MS, 7 * MS][dice.below(3) as usize];
    let kind = match dice.below(6) {
        0 | 1 => WindowKind::Tumble { size: unit * (1 + dice.below(20)) },
        2 | 3 => WindowKind::Hop { size: unit * (1 + dice.below(30)), slide: unit * (1 + dice.below(12)) },
        4 => WindowKind::Hop { size: unit * (20 + dice.below(30)), slide: unit },
        _ => {
            let step = unit * (1 + dice.below(4));
            WindowKind::Cumulate { max: step * (1 + dice.below(6)), step }
        }
    };
    let lateness = if dice.one_in(3) { unit * dice.below(20) } else { 0 };
    let keys = dice.below(3) as usize;
    let sets = match (dice.below(4), keys) {
        (0, 1) => vec![vec![false], vec![true], vec![true]],
        (0, 2) => vec![vec![false, false], vec![false, true], vec![true, true]],
        _ => vec![],
    };
    let zone = if dice.one_in(4) { Zone::parse("Europe/Berlin").unwrap() } else { Zone::Utc };
    let attached = dice.one_in(6);
    Query {
        offset: unit * dice.below(3),
        unit: [TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond][dice.below(3) as usize],
        zone,
        attached,
        lateness,
        keys,
        sets,
        ..Query::new(kind)
    }
}

/// The rows of one split: mostly forwards, out of order by some, now and then by much.
fn split(dice: &mut Dice, query: &Query, from: Micros, delay: Micros, watermarks: &mut Vec<Micros>) -> Vec<Row> {
    let (mut now, mut max) = (from, i64::MIN);
    let pace = 1 + dice.below(800);
    let mut row = |dice: &mut Dice| {
        now += dice.below(2 * pace) * MS;
        if dice.one_in(40) {
            now += 30 * S;
        }
        let back = match dice.below(10) {
            0 => dice.below(20_000),
            1..4 => dice.below(1_000),
            _ => 0,
        };
        let time = now - back * MS;
        let watermark = max.saturating_sub(delay);
        max = max.max(time);
        watermarks.push(max.saturating_sub(delay));
        let span = query.window().windows_of(query.zone.to_wall(time)).last();
        Row {
            time,
            k: (!dice.one_in(5)).then(|| dice.below(4)),
            name: (!dice.one_in(5)).then(|| ["a", "b", "c"][dice.below(3) as usize].to_string()),
            v: (!dice.one_in(5)).then(|| dice.below(8)),
            window: span.map_or((0, S), |s| (s.start, s.end)),
            mark: (time < watermark).then_some(watermark),
        }
    };
    let rows = if dice.one_in(8) { 0 } else { dice.below(50) };
    let mut made: Vec<Row> = (0..rows).map(|_| row(dice)).collect();
    if query.attached {
        // A row whose window does not hold its time promises nothing.
        made.retain(|r| query.window().windows_of(query.zone.to_wall(r.time)).next().is_some());
        watermarks.clear();
        let mut max = i64::MIN;
        for r in &mut made {
            let watermark = max.saturating_sub(delay);
            r.mark = (r.time < watermark).then_some(watermark);
            max = max.max(r.time);
            watermarks.push(max.saturating_sub(delay));
        }
    }
    made
}

fn check(seed: u64) {
    let mut dice = Dice(seed);
    let query = query(&mut dice);
    // 2024-03-30 22:00 UTC: Berlin's clock goes forward three hours later. Or anywhere.
    let from = [1_711_836_000 * S, 1_730_000_000 * S, 0, -50 * S][dice.below(4) as usize];
    let delay = dice.below(5) * S;
    let mut splits = vec![];
    for _ in 0..1 + dice.below(3) {
        let mut watermarks = vec![];
        let start = from + dice.below(10) * S;
        let rows = split(&mut dice, &query, start, delay, &mut watermarks);
        splits.push((rows, watermarks));
    }
    for workers in [1, 3] {
        for largest in [1_000, 40, 3] {
            run(&query, &splits, workers, largest, &mut Dice(seed ^ largest as u64), seed);
        }
    }
}

/// One cut: each epoch takes up to `largest` rows of each split.
fn run(query: &Query, splits: &[(Vec<Row>, Vec<Micros>)], workers: usize, largest: i64, dice: &mut Dice, seed: u64) {
    let context = |what: &str| format!("{what}; seed {seed}, {workers} workers, up to {largest} rows: {query:?}");
    let mut run = Run::new(query, workers);
    let mut taken: Vec<Row> = vec![];
    let mut at = vec![0; splits.len()];
    let mut sum: BTreeMap<String, i64> = BTreeMap::new();
    let mut late = vec![];
    loop {
        let mut pieces = vec![vec![]; workers];
        for ((rows, _), at) in splits.iter().zip(&mut at) {
            let next = (*at + dice.below(largest) as usize + 1).min(rows.len());
            if next > *at {
                taken.extend_from_slice(&rows[*at..next]);
                pieces[dice.below(workers as i64) as usize].push(rows[*at..next].to_vec());
                *at = next;
            }
        }
        let ended = splits.iter().zip(&at).all(|((rows, _), at)| *at == rows.len());
        let watermark = splits.iter().zip(&at).map(|((rows, marks), at)| match *at {
            at if at == rows.len() => i64::MAX,
            0 => i64::MIN,
            at => marks[at - 1],
        });
        let watermark = Watermark(watermark.min().unwrap());
        let out = run.epoch(&pieces, watermark);
        late.extend(out.late);
        let mut changes: BTreeMap<(String, i64), usize> = BTreeMap::new();
        for (row, weight) in out.rows {
            let of_group = 3 + query.keys + usize::from(!query.sets.is_empty());
            let group: Vec<&str> = row.split(' ').take(of_group).collect();
            *changes.entry((group.join(" "), weight)).or_default() += 1;
            *sum.entry(row).or_default() += weight;
        }
        let at_most_one_each = changes.iter().all(|((_, weight), n)| *n == 1 && weight.abs() == 1);
        assert!(at_most_one_each, "{}", context("a group twice in an epoch"));
        sum.retain(|_, weight| *weight != 0);
        assert!(sum.values().all(|w| *w == 1), "{}", context("a row twice"));
        if !ended && !dice.one_in(8) {
            continue;
        }
        let (expected, expected_late) = oracle::evaluate(query, &taken, watermark);
        let got: Vec<&String> = sum.keys().collect();
        assert_eq!(got, expected.iter().collect::<Vec<_>>(), "{}", context("results"));
        late.sort();
        assert_eq!(late, expected_late, "{}", context("late rows"));
        if ended {
            break;
        }
    }
    assert_eq!(run.kept(), 0, "{}", context("kept after the end"));
}

#[test]
fn what_was_put_out_adds_up_to_the_naive_evaluation() {
    let cases = std::env::var("TIDEMILL_LAW_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(24);
    for seed in 0..cases {
        check(seed);
    }
}
