//! The naive evaluation: each row into each of its windows, by itself.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::Int64Array;
use arrow::util::display::array_value_to_string;
use tidemill_core::{Micros, Watermark};
use tidemill_plan::window::{Span, WINDOW_TIME_BEFORE_END};

use crate::event_time::bounds_array;
use crate::operators::window_aggregate::tests::harness::{Query, Row};

/// A group of a window: its bounds, keys and grouping id.
type Group = (Micros, Micros, Vec<Option<String>>, Option<u64>);

/// The results, as text, of the windows that are over by `watermark`; and event time, last missed window end and watermark
/// of each late row.
pub(super) fn evaluate(query: &Query, rows: &[Row], watermark: Watermark) -> (Vec<String>, Vec<(i64, i64, i64)>) {
    let window = query.window();
    let mut groups: BTreeMap<Group, Vec<Option<i64>>> = BTreeMap::new();
    let mut late = vec![];
    for row in rows {
        let wall = query.zone.to_wall(row.time);
        let windows: Vec<Span> = match query.attached {
            true => vec![Span { start: row.window.0, end: row.window.1 }],
            false => window.windows_of(wall).collect(),
        };
        let mut missed = None;
        for span in windows {
            if row.mark.is_some_and(|m| query.zone.to_instant(span.end) + query.lateness <= m) {
                missed = Some(span.end);
                continue;
            }
            if watermark != Watermark::MAX && query.zone.to_instant(span.end) > watermark.0 {
                continue;
            }
            for (keys, id) in keys_of(query, row) {
                groups.entry((span.start, span.end, keys, id)).or_default().push(row.v);
            }
        }
        if let Some(end) = missed {
            let time = if query.attached { query.zone.to_instant(end) - WINDOW_TIME_BEFORE_END } else { row.time };
            late.push((time, end, row.mark.unwrap()));
        }
    }
    let mut out: Vec<String> = groups.into_iter().map(|(group, values)| line(query, &group, &values)).collect();
    out.sort();
    late.sort();
    (out, late)
}

fn keys_of(query: &Query, row: &Row) -> Vec<(Vec<Option<String>>, Option<u64>)> {
    let all = [row.k.map(|k| k.to_string()), row.name.clone()];
    let keys = all[..query.keys].to_vec();
    if query.sets.is_empty() {
        return vec![(keys, None)];
    }
    let one = |(place, set): (usize, &Vec<bool>)| {
        let keys = keys.iter().zip(set).map(|(k, null)| k.clone().filter(|_| !null)).collect();
        let mask = set.iter().fold(0, |id, null| (id << 1) | u64::from(*null));
        let before = query.sets[..place].iter().filter(|s| *s == set).count() as u64;
        (keys, Some(mask | before << set.len()))
    };
    query.sets.iter().enumerate().map(one).collect()
}

fn line(query: &Query, (start, end, keys, id): &Group, values: &[Option<i64>]) -> String {
    let window = query.window();
    let time =
        |t: Micros, to| array_value_to_string(&bounds_array(&Int64Array::from(vec![t]), to).unwrap(), 0).unwrap();
    let mut cells = vec![
        time(*start, &window.bound_type()),
        time(*end, &window.bound_type()),
        time(query.zone.to_instant(*end) - WINDOW_TIME_BEFORE_END, &window.window_time_type()),
    ];
    let or_dash = |v: Option<String>| v.unwrap_or_else(|| "-".into());
    cells.extend(keys.iter().cloned().map(or_dash));
    cells.extend(id.map(|id| id.to_string()));
    let some: Vec<i64> = values.iter().flatten().copied().collect();
    let number = |v: Option<i64>| or_dash(v.map(|v| v.to_string()));
    let sum = (!some.is_empty()).then(|| some.iter().sum::<i64>());
    cells.push(values.len().to_string());
    cells.push(some.len().to_string());
    cells.push(number(sum));
    cells.push(number(some.iter().min().copied()));
    cells.push(number(some.iter().filter(|v| **v > 3).max().copied()));
    cells.push(or_dash(sum.map(|s| format!("{:?}", s as f64 / some.len() as f64))));
    cells.push(some.iter().collect::<BTreeSet<_>>().len().to_string());
    cells.push(number(some.iter().min().copied()));
    cells.join(" ")
}
