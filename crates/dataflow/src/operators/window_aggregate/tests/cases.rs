//! Single cases, as pictures: what each epoch puts out.

use tidemill_core::{Micros, Watermark};
use tidemill_plan::window::WindowKind;

use crate::operators::window_aggregate::tests::harness::{Query, Row, Run, S};

/// Seconds, key, value, and the second of its split's watermark if that has passed it.
type Short = (i64, i64, i64, Option<i64>);

/// Runs epochs, each with its rows and the watermark after it, in seconds. A result is `start..end key: rows sum`, with
/// its weight if that is not +1; a late row is `late time: end`.
fn check(query: &Query, epochs: &[(&[Short], i64)], expected: &[&[&str]]) {
    for workers in [1, 3] {
        let mut run = Run::new(query, workers);
        let mut got: Vec<Vec<String>> = vec![];
        for (rows, watermark) in epochs {
            let mut pieces = vec![vec![]; workers];
            for (i, row) in rows.iter().enumerate() {
                pieces[i % workers].push(vec![long(row)]);
            }
            let watermark = if *watermark == i64::MAX { Watermark::MAX } else { Watermark(watermark * S) };
            let out = run.epoch(&pieces, watermark);
            let mut lines: Vec<String> = out.rows.iter().map(|(row, weight)| short(row, *weight)).collect();
            lines.extend(out.late.iter().map(|(time, end, _)| format!("late {}: {}", time / S, end / S)));
            lines.sort();
            got.push(lines);
        }
        assert_eq!(got, expected, "{workers} workers");
    }
}

fn long((time, k, v, mark): &Short) -> Row {
    let window: (Micros, Micros) = (time / 10 * 10 * S, (time / 10 + 1) * 10 * S);
    Row { time: time * S, k: Some(*k), name: None, v: Some(*v), window, mark: mark.map(|m| m * S) }
}

fn short(row: &str, weight: i64) -> String {
    let cells: Vec<&str> = row.split(' ').collect();
    let second = |time: &str| time["1970-01-01T00:".len()..].to_string();
    let weight = if weight == 1 { String::new() } else { format!(" {weight:+}") };
    format!("{}..{} {}: {} {}{weight}", second(cells[0]), second(cells[1]), cells[3], cells[4], cells[6])
}

#[test]
fn a_tumbling_window_closes_with_the_watermark() {
    check(
        &Query::new(WindowKind::Tumble { size: 10 * S }),
        &[
            (&[(1, 1, 5, None), (2, 2, 7, None), (12, 1, 1, None)], 9),
            // Out of order, but not late; and late.
            (&[(3, 1, 2, None), (4, 1, 9, Some(9))], 11),
            (&[(5, 1, 9, Some(10)), (11, 1, 3, Some(15))], 19),
            (&[], i64::MAX),
        ],
        &[&[], &["00:00..00:10 1: 3 16", "00:00..00:10 2: 1 7"], &["late 5: 10"], &["00:10..00:20 1: 2 4"]],
    );
}

#[test]
fn a_row_may_be_late_for_one_window_and_not_for_the_next() {
    check(
        &Query::new(WindowKind::Hop { size: 10 * S, slide: 5 * S }),
        &[(&[(6, 1, 1, None)], 10), (&[(7, 1, 2, Some(11)), (8, 1, 4, Some(16))], 12), (&[], 30)],
        &[&["00:00..00:10 1: 1 1"], &["late 7: 10", "late 8: 15"], &["00:05..00:15 1: 2 3"]],
    );
}

#[test]
fn a_cumulating_window_is_put_out_at_every_step_once_it_has_a_row() {
    check(
        &Query::new(WindowKind::Cumulate { max: 15 * S, step: 5 * S }),
        &[(&[(6, 1, 1, None)], 9), (&[(3, 2, 5, Some(6)), (16, 1, 2, None)], 16), (&[], i64::MAX)],
        &[
            &[],
            &["00:00..00:10 1: 1 1", "00:00..00:10 2: 1 5", "00:00..00:15 1: 1 1", "00:00..00:15 2: 1 5", "late 3: 5"],
            &["00:15..00:20 1: 1 2", "00:15..00:25 1: 1 2", "00:15..00:30 1: 1 2"],
        ],
    );
}

#[test]
fn a_closed_window_is_corrected_while_lateness_is_allowed() {
    let query = Query { lateness: 5 * S, ..Query::new(WindowKind::Tumble { size: 10 * S }) };
    check(
        &query,
        &[
            (&[(1, 1, 5, None), (1, 2, 5, None)], 11),
            // Two more rows of a group are one correction; a new group is no retraction.
            (&[(2, 1, 1, Some(12)), (3, 1, 1, Some(14)), (4, 3, 1, Some(14))], 14),
            (&[(5, 1, 1, Some(15))], 15),
            (&[], 40),
        ],
        &[
            &["00:00..00:10 1: 1 5", "00:00..00:10 2: 1 5"],
            &["00:00..00:10 1: 1 5 -1", "00:00..00:10 1: 3 7", "00:00..00:10 3: 1 1"],
            &["late 5: 10"],
            &[],
        ],
    );
}

#[test]
fn a_window_that_stands_in_the_row_closes_at_its_end() {
    let query = Query { attached: true, ..Query::new(WindowKind::Tumble { size: 10 * S }) };
    check(
        &query,
        &[(&[(1, 1, 5, None), (12, 1, 1, None), (2, 1, 7, None)], 10), (&[(1, 1, 1, Some(10))], 21)],
        &[&["00:00..00:10 1: 2 12"], &["00:10..00:20 1: 1 1", "late 9: 10"]],
    );
}

#[test]
fn gaps_between_windows_belong_to_none() {
    check(
        &Query::new(WindowKind::Hop { size: 2 * S, slide: 5 * S }),
        &[(&[(1, 1, 5, None), (3, 1, 1, None), (6, 1, 7, None)], i64::MAX)],
        &[&["00:00..00:02 1: 1 5", "00:05..00:07 1: 1 7"]],
    );
}
